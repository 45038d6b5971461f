"""Tables whose cells span rows and columns, as plain rows: a spanned cell is repeated wherever it reaches.

So each row can be read alone, which is what retrieval and Markdown need. Comes in: cells in reading order (HTML, DOCX)
or with addresses (HWP, HWPX, PDF, workbooks). Goes out: rows of equal length. What a cell holds is the caller's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

WIDEST_SPAN = 100  # no readable table has more; HTML allows 1,000 columns and 65,534 rows
MOST_COLUMNS = 1_000
MOST_REPEATED = 50_000  # cells that spans may add; a hostile table gets no more

T = TypeVar("T")


@dataclass(frozen=True)
class FlowCell(Generic[T]):
    """A cell whose column follows from the cells before it."""

    value: T
    wide: int = 1
    high: int = 1


@dataclass(frozen=True)
class PlacedCell(Generic[T]):
    """A cell with its address, rows and columns counted from 0."""

    value: T
    row: int
    column: int
    wide: int = 1
    high: int = 1


def laid_out(rows: Sequence[Sequence[FlowCell[T]]]) -> list[list[T | None]]:
    """Lay out cells in reading order by the table model of the HTML standard (section 4.9.12).

    Returns:
        `list[list[T | None]]`: One list of equal length for each row; None where the table has a hole.
    """
    placed: list[PlacedCell[T]] = []
    taken: list[set[int]] = [set() for _ in rows]
    repeated = 0
    for number, row in enumerate(rows):
        column = 0
        for cell in row:
            while column in taken[number]:
                column += 1
            wide = max(1, min(cell.wide, WIDEST_SPAN))
            high = max(1, min(cell.high, len(rows) - number))
            repeated += wide * high - 1
            if repeated > MOST_REPEATED:
                wide = high = 1
            for r in range(number, number + high):
                taken[r].update(range(column, column + wide))
            placed.append(PlacedCell(cell.value, number, column, wide, high))
            column += wide
    return spread(placed, len(rows))


def spread(cells: Iterable[PlacedCell[T]], rows: int) -> list[list[T | None]]:
    """Repeat cells with addresses wherever they reach; where two meet, the earlier one stays.

    Args:
        cells (`Iterable[PlacedCell]`): In reading order; addresses beyond `rows` or `MOST_COLUMNS` are dropped.
        rows (`int`): Rows of the table.
    """
    grid: list[dict[int, T]] = [{} for _ in range(rows)]
    repeated = 0
    for cell in cells:
        high, wide = max(cell.high, 1), max(cell.wide, 1)
        repeated += high * wide - 1
        if repeated > MOST_REPEATED:
            high = wide = 1
        for r in range(cell.row, min(cell.row + high, rows)):
            for c in range(cell.column, min(cell.column + wide, MOST_COLUMNS)):
                grid[r].setdefault(c, cell.value)
    width = max((max(r, default=-1) + 1 for r in grid), default=0)
    return [[r.get(c) for c in range(width)] for r in grid]
