"""HTML tables as grids of cells in which every spanned cell is repeated, so that each row stands alone.

Comes in: a `<table>` node. Goes out: rows of cell nodes and how many of them are header. How a cell is written is the
caller's. Span rules follow the HTML standard's table model (section 4.9.12), with bounds against hostile spans.
"""

from dataclasses import dataclass

from selectolax.lexbor import LexborNode

WIDEST_SPAN = 100  # the standard allows 1,000 columns and 65,534 rows; no readable table has that
MOST_CELLS = 50_000


@dataclass(frozen=True)
class Grid:
    """A table. `rows[r][c]` is the cell that covers row `r`, column `c`, or None where the table has a hole.

    The first `header_rows` rows hold only header cells. `caption` is the table's caption node.
    """

    rows: tuple[tuple[LexborNode | None, ...], ...]
    header_rows: int
    caption: LexborNode | None

    @property
    def width(self) -> int:
        """Number of columns."""
        return max((len(r) for r in self.rows), default=0)


def grid_of(table: LexborNode) -> Grid:
    """Lay out a table; rows of tables nested in it are not its own."""
    rows: list[tuple[LexborNode, int]] = []  # with the number of rows left in the row's group, itself included
    caption = None
    for child in table.iter():
        if child.tag in ("thead", "tbody", "tfoot"):
            group = [r for r in child.iter() if r.tag == "tr"]
            rows += [(r, len(group) - i) for i, r in enumerate(group)]
        elif child.tag == "tr":
            rows.append((child, 1))
        elif child.tag == "caption" and caption is None:
            caption = child
    return Grid(*_laid_out(rows), caption)


def _laid_out(rows: list[tuple[LexborNode, int]]) -> tuple[tuple[tuple[LexborNode | None, ...], ...], int]:
    grid: list[dict[int, LexborNode]] = [{} for _ in rows]
    taken = 0
    for number, (row, left) in enumerate(rows):
        column = 0
        for cell in row.iter():
            if cell.tag not in ("td", "th"):
                continue
            while column in grid[number]:
                column += 1
            wide = min(_span(cell, "colspan") or 1, WIDEST_SPAN)
            down = _span(cell, "rowspan")
            high = min(down, left) if down else left  # rowspan=0 reaches the end of the group
            taken += wide * high
            if taken > MOST_CELLS:
                wide = high = 1
            for r in range(number, number + high):
                for c in range(column, column + wide):
                    grid[r].setdefault(c, cell)
            column += wide
    width = max((max(r, default=-1) + 1 for r in grid), default=0)
    full = tuple(tuple(r.get(c) for c in range(width)) for r in grid if r)
    return full, _header_rows(full)


def _header_rows(rows: tuple[tuple[LexborNode | None, ...], ...]) -> int:
    count = 0
    for row in rows[:-1]:
        if not all(c is None or c.tag == "th" or _in_head(c) for c in row):
            break
        count += 1
    return count


def _in_head(cell: LexborNode) -> bool:
    group = cell.parent.parent if cell.parent else None
    return group is not None and group.tag == "thead"


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "1").strip()
    return int(value) if value.isdigit() and value.isascii() else 1
