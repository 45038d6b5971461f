"""What readers of files produce: headings, paragraphs and tables; and the one way these become a document's text.

The text is Markdown: `#` headings, tables with `|`. Every paragraph and every cell is remembered as a `Place` (page,
paragraph, table, cell), so that a quote can say where it stood in the file. Knows nothing about file formats.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .koqas_types import Place


@dataclass(frozen=True)
class HeadingBlock:
    """A heading of level 1 to 6."""

    text: str
    level: int
    page: int | None = None


@dataclass(frozen=True)
class ParagraphBlock:
    """A paragraph; its line breaks are kept.

    Args:
        text (`str`): What it says.
        page (`int`, *optional*): Its page.
        counted (`bool`): False where a file has lines and no paragraphs (PDF).
        joined (`str`, *optional*): The paragraph before goes on here, on the next page, after these characters.
    """

    text: str
    page: int | None = None
    counted: bool = True
    joined: str | None = None


@dataclass(frozen=True)
class TableBlock:
    """A table with its spans expanded (koqas_tables.py); None is a hole.

    Args:
        rows (`Sequence[Sequence[str | None]]`): Texts of the cells, rows of equal length.
        page (`int`, *optional*): Page it begins on.
        first_row, first_column (`int`): Address of the first cell, from 1; a sheet may begin at `B4`.
    """

    rows: Sequence[Sequence[str | None]]
    page: int | None = None
    first_row: int = 1
    first_column: int = 1


Block = HeadingBlock | ParagraphBlock | TableBlock


@dataclass(frozen=True)
class WrittenText:
    """A document's text and the places of its parts."""

    text: str
    places: tuple[Place, ...]


def written(blocks: Iterable[Block]) -> WrittenText:
    """Write blocks as Markdown, a blank line between them."""
    writer = _Writer()
    for block in blocks:
        if isinstance(block, TableBlock):
            writer.table(block)
        elif isinstance(block, HeadingBlock):
            writer.heading(block)
        else:
            writer.paragraph(block)
    return WrittenText("".join(writer.pieces), tuple(writer.places))


def column_name(number: int) -> str:
    """Return the letters of a column, counted from 1: `A`, …, `Z`, `AA`."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


class _Writer:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.places: list[Place] = []
        self.length = self.paragraphs = self.tables = 0

    def put(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def placed(self, text: str, place: Place) -> None:
        self.places.append(replace(place, start=self.length, end=self.length + len(text)))
        self.put(text)

    def apart(self) -> None:
        if self.pieces:
            self.put("\n\n")

    def heading(self, block: HeadingBlock) -> None:
        if text := " ".join(block.text.split()):
            self.apart()
            self.put("#" * min(max(block.level, 1), 6) + " ")
            self.placed(text, Place(0, 0, block.page))

    def paragraph(self, block: ParagraphBlock) -> None:
        lines = (" ".join(line.split()) for line in re.split(r"[\n\r\x0b\x0c\u2028\u2029]", block.text))
        if text := "\n".join(line for line in lines if line):
            if block.joined is None:
                self.apart()
            else:
                self.put(block.joined)
            self.paragraphs += block.counted
            self.placed(text, Place(0, 0, block.page, self.paragraphs if block.counted else None))

    def table(self, block: TableBlock) -> None:
        rows = [[" ".join((c or "").split()) for c in row] for row in block.rows]
        shown = [n for n, row in enumerate(rows) if any(row)]
        columns = [c for c in range(max(map(len, rows), default=0)) if any(rows[n][c] for n in shown)]
        if not shown:
            return
        self.tables += 1
        self.apart()
        for at, number in enumerate(shown):
            if at:
                self.put("\n")
            if len(columns) > 1:
                self.put("| ")
            for c in columns:
                cell = f"{column_name(block.first_column + c)}{block.first_row + number}"
                text = rows[number][c] if len(columns) == 1 else rows[number][c].replace("|", "\\|")
                if text:
                    self.placed(text, Place(0, 0, block.page, None, self.tables, cell))
                self.put(" | " if c != columns[-1] else "")
            if len(columns) > 1:
                self.put(" |" + ("\n|" + "---|" * len(columns) if at == 0 else ""))


def markdown_places(text: str) -> tuple[Place, ...]:
    """Find paragraphs and table cells of a Markdown text that stays as it is."""
    places: list[Place] = []
    paragraphs = tables = row = 0
    inside = False
    for line in re.finditer(r"[^\n]*\S[^\n]*", text):
        bar = line[0].lstrip().startswith("|") and line[0].count("|") > 1
        if bar and re.fullmatch(r"[\s|:-]+", line[0]):
            continue
        if not bar:
            inside = False
            if not re.match(r"\s*#{1,6}\s", line[0]):
                paragraphs += 1
                places.append(Place(line.start(), line.end(), None, paragraphs))
            continue
        tables, row, inside = tables + (not inside), row + 1 if inside else 1, True
        for column, cell in enumerate(re.finditer(r"(?<=\|)((?:\\\||[^|])*)(?=\|)", line[0]), 1):
            if cell[1].strip():
                start = line.start() + cell.start() + len(cell[1]) - len(cell[1].lstrip())
                end = start + len(cell[1].strip())
                places.append(Place(start, end, None, None, tables, f"{column_name(column)}{row}"))
    return tuple(places)
