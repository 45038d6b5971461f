"""Tell summary from answer in text that arrives in pieces: `요약: … 답변: …`, as the folded prompts ask for.

Knows the two heads; knows nothing about who writes the text.
"""

import re
from collections.abc import Generator

from .koqas_events import AnswerPiece, Piece, SummaryPiece

SUMMARY_HEAD = re.compile(r"\s*[*#]*\s*요약\s*[::]\s*\**\s*")
ANSWER_HEAD = re.compile(r"[*#\s]*답변\s*[::]\s*\**\s*")
# What may still become a head or the space before one is not told yet.
UNDECIDED_BEGINNING = re.compile(r"\s*[*#]*\s*(?:요(?:약\s*)?|답(?:변\s*)?)?")
UNDECIDED_END = re.compile(r"[*#\s]*(?:답(?:변\s*)?)?$")


class Sections:
    """Reads one section, piece by piece, up to the head of the next.

    Args:
        answering (`bool`): The text is an answer already; else it is a summary, and an answer may follow.
        both (`bool`): Read on behind the head of the answer.
    """

    def __init__(self, *, answering: bool = False, both: bool = False) -> None:
        self.summary = self.answer = ""
        self.complete = False
        self._answering, self._both = answering, both
        self._raw = ""

    def read(self, piece: str) -> Generator[Piece, None, None]:
        """Take the next characters; give those that are certain."""
        self._raw += piece
        yield from self._tell(last=False)

    def end(self) -> Generator[Piece, None, None]:
        """Give what was held back."""
        yield from self._tell(last=True)

    def _tell(self, *, last: bool) -> Generator[Piece, None, None]:
        text = self._raw
        if opening := (ANSWER_HEAD if self._answering else SUMMARY_HEAD).match(text):
            text = text[opening.end() :]
        elif not last and UNDECIDED_BEGINNING.fullmatch(text):
            return
        head = ANSWER_HEAD.search(text)
        if head:
            body, self.complete = text[: head.start()], not self._both
        else:
            body = text if last else text[: _certain(text)]
        if self._answering:
            yield from self._answer(body)
            return
        if more := body.strip()[len(self.summary) :]:
            self.summary += more
            yield SummaryPiece(more)
        if head and self._both:
            yield from self._answer(text[head.end() :])

    def _answer(self, text: str) -> Generator[Piece, None, None]:
        if more := text.strip()[len(self.answer) :]:
            self.answer += more
            yield AnswerPiece(more)


def _certain(text: str) -> int:
    undecided = UNDECIDED_END.search(text)
    return undecided.start() if undecided else len(text)
