"""The lines of a PDF page, in the order of its content, with where they stand and how large they are.

PDFium says which characters a page holds; spaces that it made up from gaps are judged here. Knows nothing of paragraphs.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pypdfium2 as pdfium
import pypdfium2.raw as raw

MOST_CHARS = 200_000  # of one page
NARROW_GAP = 0.5  # of the letter size; where a page has spaces of its own, a narrower gap is typesetting


@dataclass(frozen=True)
class Char:
    """A character and its box in the coordinates of the page as shown: x to the right, y upwards, in points."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    made_up: bool = False

    @property
    def middle(self) -> tuple[float, float]:
        """Return the middle of its box."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


@dataclass(frozen=True)
class Line:
    """Characters on one line; a space at the end is kept: it tells whether a word ends there."""

    chars: tuple[Char, ...]

    @cached_property
    def text(self) -> str:
        """Return the line's text."""
        return "".join(c.text for c in self.chars)

    @cached_property
    def inked(self) -> list[Char]:
        """Return the characters that show."""
        return [c for c in self.chars if c.text.strip()]

    @cached_property
    def size(self) -> float:
        """Return the letter size in points: the middle one of its characters."""
        sizes = sorted(c.size for c in self.inked)
        return sizes[len(sizes) // 2]

    @cached_property
    def left(self) -> float:
        """Return the left end."""
        return min(c.left for c in self.inked)

    @cached_property
    def right(self) -> float:
        """Return the right end."""
        return max(c.right for c in self.inked)

    @cached_property
    def bottom(self) -> float:
        """Return the lower edge."""
        return min(c.bottom for c in self.inked)

    @cached_property
    def top(self) -> float:
        """Return the upper edge."""
        return max(c.top for c in self.inked)


def lines_of(page: pdfium.PdfPage) -> list[Line]:
    """Return the lines of a page; those without a visible character are left out."""
    lines: list[list[Char]] = [[]]
    chars = list(_chars(page))
    spaced = any(c.text == " " and not c.made_up for c in chars)
    for number, char in enumerate(chars):
        if char.text == "\n":
            lines.append([])
        elif char.made_up and spaced and _is_typesetting(chars, number):
            continue
        else:
            lines[-1].append(char)
    return [Line(tuple(line)) for line in lines if any(c.text.strip() for c in line)]


def _is_typesetting(chars: list[Char], number: int) -> bool:
    """Tell whether a made-up space is the small gap that programs set between Hangul and digits or Latin letters."""
    if not 0 < number < len(chars) - 1:
        return False
    before, after = chars[number - 1], chars[number + 1]
    narrow = 0 <= after.left - before.right < NARROW_GAP * max(before.size, after.size)
    return narrow and (before.text.isascii() != after.text.isascii())


def _chars(page: pdfium.PdfPage) -> Iterator[Char]:
    text = page.get_textpage()
    box = page.get_mediabox()
    turned = page.get_rotation()
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    edges = [ctypes.byref(e) for e in (left, right, bottom, top)]
    high = 0
    for number in range(min(text.count_chars(), MOST_CHARS)):
        code = raw.FPDFText_GetUnicode(text, number)
        if 0xD800 <= code < 0xDC00:  # PDFium gives UTF-16 halves where a font's table has them
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00 if high else 0xFFFD
        high = 0
        if code in (0, 2, 13, 0xAD, 0xFFFE):  # 2 and 0xFFFE: a hyphen at the end of a line
            continue
        shown = "\n" if code == 10 else chr(code) if code >= 32 else " "
        raw.FPDFText_GetCharBox(text, number, *edges)
        x0, y0, x1, y1 = _shown(left.value, bottom.value, right.value, top.value, box, turned)
        size = raw.FPDFText_GetFontSize(text, number)
        if y1 - y0 > size > 0 or size <= 1:  # text scaled by the page's matrix
            size = y1 - y0
        yield Char(shown, x0, x1, y0, y1, size, raw.FPDFText_IsGenerated(text, number) == 1)


def _shown(
    left: float, bottom: float, right: float, top: float, box: tuple[float, float, float, float], turned: int
) -> tuple[float, float, float, float]:
    """Turn a box as the page is turned for showing, its origin at the lower left of the page."""
    x0, y0, x1, y1 = box
    if turned == 90:
        return bottom - y0, x1 - right, top - y0, x1 - left
    if turned == 180:
        return x1 - right, y1 - top, x1 - left, y1 - bottom
    if turned == 270:
        return y1 - top, left - x0, y1 - bottom, right - x0
    return left - x0, bottom - y0, right - x0, top - y0
