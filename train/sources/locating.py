"""Find where an answer stands in its passage, trusting no published offset before it is checked.

Comes in: a passage, an answer, an offset of any type. Goes out: a span whose text is the answer, or nothing.
"""

import html
import re
from dataclasses import dataclass
from typing import Any, Literal

LONGEST_LOOSE = 200  # words; a longer answer is looked for literally only
TAG = r"</?[a-zA-Z][^<>]*>"  # not <어느 작품>: Korean text puts titles into the same brackets
GAP = rf"(?:\s|&nbsp;|\u00a0|{TAG})*"
MARKUP = re.compile(r"</?(?:html|body|table|tr|td|th|p|div|br|ul|ol|li|span)\b[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Located:
    """Characters `[start, end)` and how they were found.

    `given`: the published offset is right. `moved`: it is wrong, the nearest occurrence was taken. `found`: there
    was none, the first occurrence was taken. `loose`: equal up to white space and tags between the words.
    """

    start: int
    end: int
    how: Literal["given", "moved", "found", "loose"]


def offset_of(value: Any) -> int | None:  # noqa: ANN401 - offsets come as anything
    """Return an offset given as int, float or digits; None for null, negative or anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return int(number) if number >= 0 and number.is_integer() else None


def locate(passage: str, answer: str, offset: Any = None) -> Located | None:  # noqa: ANN401 - see offset_of
    """Find an answer in a passage.

    Without a right offset, an occurrence inside a longer number or Latin word does not count: "3" is not in "13".

    Args:
        passage (`str`): Text to look in.
        answer (`str`): Text to find; white space around it is ignored unless the offset is right.
        offset (`Any`): Published offset, of whatever type.
    """
    start = offset_of(offset)
    if start is not None and answer.strip() and passage.startswith(answer, start):
        return Located(start, start + len(answer), "given")
    answer = answer.strip()
    if not answer:
        return None
    literal = [m for m in re.finditer(re.escape(answer), passage) if not _inside_word(passage, m)]
    if literal:
        nearest = min(literal, key=lambda m: abs(m.start() - start)) if start is not None else literal[0]
        return Located(nearest.start(), nearest.end(), "found" if start is None else "moved")
    words = without_markup(answer).split()
    if not 0 < len(words) <= LONGEST_LOOSE:
        return None
    pattern = re.compile(GAP.join(re.escape(w).replace(r"\&", "&(?:amp;)?") for w in words), re.IGNORECASE)
    for match in pattern.finditer(passage):
        if not _inside_word(passage, match):
            return Located(match.start(), match.end(), "loose")
    return None


def _inside_word(passage: str, match: re.Match[str]) -> bool:
    return _joined(passage[match.start() - 1 : match.start()], passage[match.start()]) or _joined(
        passage[match.end() - 1], passage[match.end() : match.end() + 1]
    )


def _joined(left: str, right: str) -> bool:
    both = left + right
    return len(both) == 2 and both.isascii() and (both.isdigit() or both.isalpha())


def without_markup(text: str) -> str:
    """Return text with tags, entities and surplus white space resolved, for an answer cut out of HTML."""
    return " ".join(html.unescape(re.sub(TAG, " ", text)).split())


def has_markup(text: str) -> bool:
    """Tell whether a passage is HTML, judged by its block and table tags."""
    return MARKUP.search(text) is not None
