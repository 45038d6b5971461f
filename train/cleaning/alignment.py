"""Edited texts that remember where each of their characters stood before.

Comes in: a text and what to change in it. Goes out: the new text with the runs that it kept, so that a span of the
old text can be followed into the new one. Knows nothing of markup, of rows or of Korean.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from koqas.koqas_types import Span


@dataclass(slots=True)
class Run:
    """Characters `[start, end)` of the new text that stand for `[old_start, old_end)` of the old text.

    Where both have the same length they are equal character by character; otherwise the run is one indivisible
    replacement (an entity, a decomposed syllable).
    """

    start: int
    end: int
    old_start: int
    old_end: int

    @property
    def verbatim(self) -> bool:
        """Whether offsets inside the run can be followed one by one."""
        return self.end - self.start == self.old_end - self.old_start


@dataclass(frozen=True)
class Edited:
    """A text after one edit. `runs` are in the order of the new text; what lies between them was inserted.

    An old range may occur twice (a table cell that spans rows is written once a row).
    """

    text: str
    runs: tuple[Run, ...]
    ordered: bool = True  # whether runs are also in the order of the old text

    def follow(self, span: Span) -> Span | None:
        """Return where an old span stands now: its first whole occurrence, shrunk to what was kept.

        Returns:
            `Span` or None: None when nothing of it was kept, or when what was kept lies apart.
        """
        first = max(bisect_right(self.runs, span.start, key=lambda r: r.old_end), 0) if self.ordered else 0
        found: Run | None = None
        last: Run | None = None
        for run in self.runs[first:]:
            inside = run.old_start < span.end and run.old_end > span.start
            if found is None or last is None:
                if inside:
                    found = last = run
            elif inside and run.old_start >= last.old_end:
                last = run
            elif self.ordered or inside:
                break
        if found is None or last is None:
            return None
        start = found.start + (max(span.start - found.old_start, 0) if found.verbatim else 0)
        end = last.end - (max(last.old_end - span.end, 0) if last.verbatim else 0)
        return Span(start, end)


class Writer:
    """Collects an edited text piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.runs: list[Run] = []
        self.length = 0

    def insert(self, text: str) -> None:
        """Add text that stands nowhere in the old one."""
        self.pieces.append(text)
        self.length += len(text)

    def keep(self, text: str, old_start: int, old_end: int) -> None:
        """Add text that stands for `[old_start, old_end)` of the old one."""
        if text:
            self.pieces.append(text)
            self.runs.append(Run(self.length, self.length + len(text), old_start, old_end))
            self.length += len(text)

    def edited(self, *, ordered: bool = True) -> Edited:
        """Return what was collected."""
        return Edited("".join(self.pieces), tuple(self.runs), ordered)


def rewrite(text: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]) -> Edited:
    """Replace every match of a pattern; a match whose replacement is itself counts as kept."""
    writer = Writer()
    kept = 0  # everything before it has been written
    for match in pattern.finditer(text):
        new = replacement(match)
        if new == match.group():
            continue
        writer.keep(text[kept : match.start()], kept, match.start())
        writer.keep(new, *match.span())
        kept = match.end()
    writer.keep(text[kept:], kept, len(text))
    return writer.edited()


@dataclass(frozen=True)
class Trail:
    """A text after several edits, each over the result of the one before it."""

    text: str
    edits: tuple[Edited, ...] = ()

    def then(self, edited: Edited) -> "Trail":
        """Return the trail with one more edit; an edit that changed nothing leaves it as it is."""
        return self if edited.text == self.text else Trail(edited.text, (*self.edits, edited))

    def follow(self, span: Span) -> Span | None:
        """Return where a span of the first text stands in the last, without white space at its ends, or None."""
        followed: Span | None = span
        for edited in self.edits:
            followed = edited.follow(followed) if followed else None
        if followed is None:
            return None
        piece = self.text[followed.start : followed.end]
        bare = piece.strip()
        if not bare:
            return None
        start = followed.start + len(piece) - len(piece.lstrip())
        return Span(start, start + len(bare))
