"""Korean particles that agree with the sound before them: `김민수는` but `[이름1]은`, since `1` is read `일`.

Comes in: what follows a masked piece. Goes out: the same particle in the form that the mask asks for.
"""

import re
from dataclasses import dataclass

# The form after a final consonant, the form after a vowel, and what may stand behind them in the same word.
PAIRS = (
    ("으로", "로", "(?:서|써|부터|까지)?(?:는|도|만|의)?"),
    ("이라", "라", "(?:고|는|도|면|며|서|던|니|지만|든지|고는|고도|면서)?"),
    ("이었", "였", "(?:다|고|던|으며|으나|는데|지만|습니다|어요|음)"),
    ("이에요", "예요", ""),
    ("이랑", "랑", "(?:은|는|도)?"),
    ("이든", "든", "(?:지)?"),
    ("이나", "나", "(?:마)?"),
    ("이며", "며", ""),
    ("이고", "고", ""),
    ("이야", "야", "(?:말로)?"),
    ("이다", "다", ""),
    ("과", "와", "(?:의|는|도|만|함께)?"),
    ("은", "는", "(?:커녕)?"),
    ("을", "를", ""),
    ("이", "가", ""),
    ("아", "야", ""),
)
# `민준이가`: a name that ends in a consonant takes `이` before its particle; a mask does not.
NAME_ENDING = re.compile("이(?=(?:가|는|를|의|도|와|랑|에게|한테|네)(?![가-힣]))")
FORMS = tuple(
    (re.compile(f"({closed}|{opened})(?={behind}(?![가-힣]))"), closed, opened) for closed, opened, behind in PAIRS
)
# Korean reading of the last digit: 영 일 이 삼 사 오 육 칠 팔 구; 10, 20, … end in 십, 백, 천.
CLOSED_DIGITS = frozenset("013678")
RIEUL_DIGITS = frozenset("178")


@dataclass(frozen=True)
class Adjusted:
    """The particle as it must be written, and how many characters of the text it replaces."""

    text: str
    replaced: int


def after_mask(mask: str, following: str, *, is_name: bool) -> Adjusted:
    """Return the particle that must follow a mask.

    Args:
        mask (`str`): A mask that ends in a number and `]`.
        following (`str`): The text behind the masked piece.
        is_name (`bool`): Whether `이` before a particle belongs to the name.
    """
    digit = mask.rstrip("]")[-1:]
    ending = NAME_ENDING.match(following) if is_name else None
    skipped = len(ending.group()) if ending else 0
    for pattern, closed, opened in FORMS:
        match = pattern.match(following, skipped)
        if match:
            is_closed = digit in CLOSED_DIGITS and not (closed == "으로" and digit in RIEUL_DIGITS)
            return Adjusted(closed if is_closed else opened, skipped + len(match.group(1)))
    return Adjusted("", skipped)
