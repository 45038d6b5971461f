"""What HWP 5 and HWPX have in common: paragraphs that hold text, tables, boxes and notes; and how these become blocks.

Knows neither format.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from koqas.koqas_blocks import Block, HeadingBlock, ParagraphBlock, TableBlock
from koqas.koqas_tables import PlacedCell, spread

LONGEST_HEADING = 100  # outline levels also number whole paragraphs; those are no headings
MOST_ROWS = 100_000


@dataclass
class Box:
    """Paragraphs that stand apart from the line they hang on: text boxes, notes, captions."""

    paragraphs: list["Paragraph"]


@dataclass
class Table:
    """A table; cells hold paragraphs."""

    cells: list[PlacedCell[list["Paragraph"]]]

    def rows(self) -> list[list[str | None]]:
        """Return the texts of the cells, spans expanded."""
        cells = [PlacedCell(flat(c.value), c.row, c.column, c.wide, c.high) for c in self.cells]
        return spread(cells, min(max((c.row + 1 for c in cells), default=0), MOST_ROWS))


@dataclass
class Paragraph:
    """Text with what hangs on it, in order; `level` is its level in the outline, from 1."""

    pieces: list[str | Table | Box] = field(default_factory=list)
    level: int | None = None


def blocks_of(paragraphs: Iterable[Paragraph]) -> Iterator[Block]:
    """Write paragraphs; what hangs on a paragraph follows where it hangs, boxes and notes after its end."""
    for paragraph in paragraphs:
        text: list[str] = []
        boxes: list[Box] = []
        for piece in paragraph.pieces:
            if isinstance(piece, str):
                text.append(piece)
            elif isinstance(piece, Box):
                boxes.append(piece)
            else:
                yield from _written("".join(text), paragraph.level)
                text = []
                yield TableBlock(piece.rows())
        yield from _written("".join(text), paragraph.level)
        for box in boxes:
            yield from blocks_of(box.paragraphs)


def flat(paragraphs: Sequence[Paragraph]) -> str:
    """Return the text of paragraphs on one line; tables in it row by row."""
    texts = []
    for paragraph in paragraphs:
        for piece in paragraph.pieces:
            if isinstance(piece, str):
                texts.append(piece)
            elif isinstance(piece, Box):
                texts.append(f" {flat(piece.paragraphs)} ")
            else:
                texts.append(" " + " ".join(c for row in piece.rows() for c in row if c) + " ")
        texts.append(" ")
    return " ".join("".join(texts).split())


def _written(text: str, level: int | None) -> Iterator[Block]:
    if level is not None and len(text.strip()) <= LONGEST_HEADING:
        yield HeadingBlock(text, level)
    else:
        yield ParagraphBlock(text)
