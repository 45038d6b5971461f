"""Find the passage that a text was taken from, where spacing and a few words differ.

Comes in: a long text and a short one. Goes out: a span of the long text, ends at word boundaries, and how alike they are.
"""

from dataclasses import dataclass

from rapidfuzz import fuzz

from koqas.koqas_types import Span


@dataclass(frozen=True)
class Aligned:
    """Where the short text stands; `likeness` is 1 for equal up to white space (1 - normalized edit distance)."""

    span: Span
    likeness: float


def aligned(text: str, quote: str, least: float) -> Aligned | None:
    """Return the best place of a quote in a text, None below a likeness of `least` or where the quote is longer."""
    places = [i for i, c in enumerate(text) if not c.isspace()]
    compact, wanted = "".join(text[i] for i in places), "".join(quote.split())
    if not wanted or len(wanted) > len(compact):
        return None
    found = fuzz.partial_ratio_alignment(wanted, compact, score_cutoff=100 * least)
    if found is None or found.dest_end <= found.dest_start:
        return None
    start, end = places[found.dest_start], places[found.dest_end - 1] + 1
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return Aligned(Span(start, end), found.score / 100)
