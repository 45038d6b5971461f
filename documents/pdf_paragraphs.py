"""Lines of a PDF as headings and paragraphs.

A paragraph goes on while its lines fill the column, stand close and begin with no mark of their own. Korean is broken
inside words as well as between them: where the file keeps a space at a line's end, a line without one ends inside a word.
"""

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from koqas.documents.pdf_lines import Line
from koqas.koqas_blocks import HeadingBlock, ParagraphBlock

LARGER = 1.15  # times the body's letter size: a heading
LONGEST_HEADING = 80
MOST_LEVELS = 4
FULL = 1.5  # letters that may be missing at the right of a full line besides the next word
COLUMN = 40.0  # points; lines that begin this near to each other stand in one column
CLOSE = 2.0  # letter sizes from a line's lower edge to the next one's
MARK = re.compile(
    r"\s*(?:제\s?\d+\s?[조장절편관]|[①-⑳]|\(?\d{1,3}[.)]\s|\(?[가-하][.)]\s|[ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩIVX]+\.\s|[-–—•·○●□■◦▪▶※*☞ㅇ]\s?)"
)
SENTENCE_END = re.compile(r"[.!?。:;]\s*[)\]\"'”’」』]*\s*$")


@dataclass(frozen=True)
class Setting:
    """How a document is set.

    Args:
        body (`float`): Letter size of the running text, in points.
        levels (`dict[float, int]`): Levels of headings by letter size.
        keeps_spaces (`bool`): Whether lines that end between words end with a space.
    """

    body: float
    levels: dict[float, int]
    keeps_spaces: bool

    @classmethod
    def of(cls, lines: Sequence[Line]) -> "Setting":
        """Read the setting off all lines of a document; most letters are running text."""
        letters = Counter[float]()
        for line in lines:
            letters[round(line.size, 1)] += len(line.inked)
        body = statistics.median_low(list(letters.elements())) if lines else 0.0
        sizes = {round(line.size) for line in lines if _is_heading(line, body)}
        levels = {float(s): min(n, MOST_LEVELS) for n, s in enumerate(sorted(sizes, reverse=True), 1)}
        return cls(body, levels, any(line.text.endswith(" ") for line in lines))


@dataclass(frozen=True)
class PagedLine:
    """A line and the number of its page."""

    line: Line
    page: int


def blocks_of(run: Sequence[PagedLine], setting: Setting) -> Iterator[HeadingBlock | ParagraphBlock]:
    """Join lines that follow each other without a table between them; a paragraph may go on over a page's end."""
    columns = _columns(run)
    group: list[PagedLine] = []
    for item in run:
        if group and not _goes_on(group[-1], item, columns, setting):
            yield from _blocks(group, setting)
            group = []
        group.append(item)
    if group:
        yield from _blocks(group, setting)


def _blocks(group: Sequence[PagedLine], setting: Setting) -> Iterator[HeadingBlock | ParagraphBlock]:
    """Write a heading, or a paragraph: one part for each page that it stands on."""
    text, page, joined = "", group[0].page, None
    for item in group:
        glue = "" if not text or text.endswith(" ") or setting.keeps_spaces else " "
        if item.page != page:
            yield ParagraphBlock(text, page, counted=False, joined=joined)
            text, page, joined = "", item.page, " " if text.endswith(" ") else glue
        text += ("" if not text else glue) + item.line.text
    if _is_heading(group[0].line, setting.body) and len(text) <= LONGEST_HEADING:
        yield HeadingBlock(text, setting.levels.get(float(round(group[0].line.size)), MOST_LEVELS), page)
    else:
        yield ParagraphBlock(text, page, counted=False, joined=joined)


def _columns(run: Sequence[PagedLine]) -> dict[int, float]:
    """Return the right edge of the column that each line (by its id) stands in: of the lines that begin near its left."""
    edges: dict[tuple[int, int], float] = {}
    for item in run:
        key = (item.page, round(item.line.left / COLUMN))
        edges[key] = max(edges.get(key, 0.0), item.line.right)
    found = {}
    for item in run:
        at = round(item.line.left / COLUMN)
        found[id(item.line)] = max(edges.get((item.page, k), 0.0) for k in (at - 1, at, at + 1))
    return found


def _is_heading(line: Line, body: float) -> bool:
    return line.size > LARGER * body and len(line.text) <= LONGEST_HEADING and re.search(r"\w", line.text) is not None


def _goes_on(above: PagedLine, below: PagedLine, columns: dict[int, float], setting: Setting) -> bool:
    before, line = above.line, below.line
    if abs(before.size - line.size) > 0.1 * max(before.size, line.size) or MARK.match(line.text):
        return False
    heading = _is_heading(line, setting.body)
    gap = before.bottom - line.bottom
    if above.page != below.page or gap <= 0:  # the next page or column
        return not heading and not SENTENCE_END.search(before.text) and _is_full(before, line, columns)
    return gap <= CLOSE * before.size and (heading or _is_full(before, line, columns))


def _is_full(line: Line, following: Line, columns: dict[int, float]) -> bool:
    """Tell whether the next line's first word would not have fitted on this line."""
    first = next((n for n, c in enumerate(following.inked) if c.text != following.text[n]), len(following.inked)) - 1
    word = following.inked[first].right - following.left
    return line.right + word + FULL * line.size > columns[id(line)]
