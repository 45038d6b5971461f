"""The one error of the readers. It subclasses ValueError: code loaded by the hub recognizes it without importing it."""


class UnreadableFile(ValueError):
    """A file that cannot be read.

    Args:
        message (`str`): What is wrong, in Korean.
        hint (`str`): What to do, in English.
    """

    def __init__(self, message: str, hint: str = "open it with its program and save it again") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
