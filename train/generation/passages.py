"""Cut a long document into passages at paragraph and sentence ends, and find the one that a text is about.

Comes in: documents. Goes out: documents no longer than asked for, which know where in the whole they stand. Uses no
morphology: a passage is cut before anybody decides whether it is worth analyzing.
"""

import re
from collections import Counter
from dataclasses import dataclass

from koqas.koqas_types import Document, Span

# A line, or a sentence of it: up to an end mark that white space follows.
PIECE = re.compile(r"[^\n]*?[.?!]['\"”’)\]]*(?=\s|$)|[^\n]+")
HEADING = re.compile(r"\s*(#{1,6}\s|【|제\d+조)")
SHORTEST_PASSAGE = 80  # characters; less holds nothing to ask


@dataclass(frozen=True)
class Passage:
    """A part of a document, itself a document; `span` is where it stands in the whole, None where it is the whole."""

    document: Document
    span: Span | None

    @property
    def meta(self) -> dict[str, list[int]]:
        """What a row made of the passage remembers of it."""
        return {"passage": [self.span.start, self.span.end]} if self.span else {}


def passages_of(document: Document, longest: int) -> list[Passage]:
    """Cut a document into passages of at most `longest` characters, in order; a short one stays whole.

    A heading opens a new passage once the open one is half full. A single longer sentence makes a passage alone.
    """
    if len(document.text) <= longest:
        return [Passage(document, None)] if document.text.strip() else []
    groups: list[Span] = []
    for piece in _pieces(document.text):
        open_one = groups[-1] if groups else None
        full = open_one is None or piece.end - open_one.start > longest
        if open_one and HEADING.match(document.text, piece.start) and 2 * (open_one.end - open_one.start) > longest:
            full = True
        if full or open_one is None:
            groups.append(piece)
        else:
            groups[-1] = Span(open_one.start, piece.end)
    return [part_of(document, g) for g in groups if g.end - g.start >= SHORTEST_PASSAGE]


def passage_around(document: Document, span: Span, longest: int) -> Passage:
    """Return whole sentences around a span, growing on both sides while at most `longest` characters."""
    if len(document.text) <= longest:
        return Passage(document, None)
    pieces = _pieces(document.text)
    inside = [i for i, p in enumerate(pieces) if p.start < span.end and span.start < p.end]
    first, last = (inside[0], inside[-1]) if inside else (0, 0)
    start, end = min(pieces[first].start, span.start), max(pieces[last].end, span.end)
    grown = True
    while grown:
        grown = False
        if first > 0 and end - pieces[first - 1].start <= longest:
            first, start, grown = first - 1, pieces[first - 1].start, True
        if last + 1 < len(pieces) and pieces[last + 1].end - start <= longest:
            last, end, grown = last + 1, pieces[last + 1].end, True
    return part_of(document, Span(start, end))


def closest_passage(passages: list[Passage], text: str) -> Passage:
    """Return the passage that shares most with a text, by the pairs of characters inside words."""
    wanted = _pairs(text)
    return max(passages, key=lambda p: sum((_pairs(p.document.text) & wanted).values()))


def part_of(document: Document, span: Span) -> Passage:
    """Return a part of a document; its id names the place, so equal parts have equal ids in every run."""
    text = document.text[span.start : span.end]
    return Passage(Document(f"{document.id}#{span.start}-{span.end}", text, document.title), span)


def _pieces(text: str) -> list[Span]:
    spans = []
    for match in PIECE.finditer(text):
        found = match.group()
        lead = len(found) - len(found.lstrip())
        if found.strip():
            spans.append(Span(match.start() + lead, match.start() + len(found.rstrip())))
    return spans


def _pairs(text: str) -> Counter[str]:
    return Counter(word[i : i + 2] for word in re.findall(r"\w+", text) for i in range(len(word) - 1))
