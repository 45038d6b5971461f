"""Ruled tables of PDF pages: pdfplumber finds their cells from the lines drawn, the characters that stand in a cell are its text.

Pages without drawn lines are passed by: finding cells takes ten times as long as reading text.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pdfplumber
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from pdfplumber.table import Table

from koqas.documents.pdf_lines import Char
from koqas.koqas_tables import PlacedCell, spread

FEWEST_PATHS = 4  # drawn lines of a table
MOST_PATHS = 4_000  # a page with more is a drawing
SAME_EDGE = 3.0  # points
FEWEST_FILLED = 0.2  # share of cells with text; emptier ones are charts and forms' frames

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class FoundTable:
    """A table's box and its cells with their boxes: left, bottom, right, top in points as the page is shown."""

    box: Box
    cells: tuple[PlacedCell[Box], ...]
    rows: int

    def holds(self, char: Char) -> bool:
        """Tell whether a character stands in the table."""
        return _inside(char, self.box)

    def cell_at(self, char: Char) -> Box | None:
        """Return the cell that a character stands in."""
        return next((c.value for c in self.cells if _inside(char, c.value)), None)

    def is_filled(self, chars: Iterable[Char]) -> bool:
        """Tell whether enough cells hold text; frames and charts do not."""
        return len({cell for c in chars if (cell := self.cell_at(c))}) >= FEWEST_FILLED * len(self.cells)

    def filled(self, texts: dict[Box, str]) -> list[list[str | None]]:
        """Return the rows with the cells' texts, spans expanded."""
        return [[None if c is None else texts.get(c, "") for c in row] for row in spread(self.cells, self.rows)]


def has_ruling(page: pdfium.PdfPage) -> bool:
    """Tell whether enough lines are drawn on a page for a table, and not so many that it is a drawing."""
    count = 0
    for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=4):
        count += 1
        if count > MOST_PATHS:
            return False
    return count >= FEWEST_PATHS


def tables_of(page: pdfplumber.page.Page) -> list[FoundTable]:
    """Find the tables of a page; a single framed cell is none."""
    found = (_found(page, table) for table in page.find_tables())
    return [t for t in found if len({(c.row, c.column) for c in t.cells}) > 1]


def _inside(char: Char, box: Box) -> bool:
    x, y = char.middle
    return box[0] - 1 <= x <= box[2] + 1 and box[1] - 1 <= y <= box[3] + 1


def _found(page: pdfplumber.page.Page, table: Table) -> FoundTable:
    boxes = [_upright(page, c) for c in table.cells]
    columns = _edges([b[0] for b in boxes])
    rows = _edges([-b[3] for b in boxes])
    cells = []
    for b in boxes:
        row, column = _at(rows, -b[3]), _at(columns, b[0])
        high = max(1, sum(1 for e in rows if -b[3] - SAME_EDGE < e < -b[1] - SAME_EDGE))
        wide = max(1, sum(1 for e in columns if b[0] - SAME_EDGE < e < b[2] - SAME_EDGE))
        cells.append(PlacedCell(b, row, column, wide, high))
    cells.sort(key=lambda c: (c.row, c.column))
    return FoundTable(_upright(page, table.bbox), tuple(cells), len(rows))


def _upright(page: pdfplumber.page.Page, box: Box) -> Box:
    """Turn pdfplumber's box, counted from the top, into one counted from the lower left of the page."""
    left, top = page.mediabox[:2]
    return box[0] - left, page.height - (box[3] - top), box[2] - left, page.height - (box[1] - top)


def _edges(values: list[float]) -> list[float]:
    edges: list[float] = []
    for value in sorted(values):
        if not edges or value - edges[-1] > SAME_EDGE:
            edges.append(value)
    return edges


def _at(edges: list[float], value: float) -> int:
    return min(range(len(edges)), key=lambda n: abs(edges[n] - value))
