"""XLSX: every visible sheet as a heading and a table, cells as they show: dates, thousands, percent, merged cells repeated.

Formulas give the value that the file keeps of them. Cells keep their address in the sheet.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import Cell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from koqas.documents import Content
from koqas.documents.archive import Archive
from koqas.documents.errors import UnreadableFile
from koqas.koqas_blocks import Block, HeadingBlock, TableBlock
from koqas.koqas_tables import PlacedCell, spread

LITERAL = re.compile(r'"([^"]*)"|\\?([₩$€¥£])|\\.')  # of a number format
MOST_CELLS = 2_000_000  # of one workbook


def read(path: Path) -> Content:
    """Read an XLSX file.

    Raises:
        UnreadableFile: Encrypted, damaged, unsafe, or too large.
    """
    with Archive(path) as archive:
        if "xl/workbook.xml" not in archive.names:
            raise UnreadableFile("XLSX 파일이 아닙니다: 통합 문서가 없습니다(xl/workbook.xml).")
        archive.refuse_large(n for n in archive.names if n.endswith(".xml"))
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (InvalidFileException, KeyError, ValueError) as error:
        raise UnreadableFile(f"XLSX 파일이 손상되었습니다({error}).") from error
    sheets = [s for s in book.worksheets if s.sheet_state == "visible"]
    if sum(len(s._cells) for s in sheets) > MOST_CELLS:
        raise UnreadableFile(f"칸이 너무 많습니다(최대 {MOST_CELLS:,}개).", "split the workbook")
    return Content([b for sheet in sheets for b in _blocks(sheet)], book.properties.title or "")


def _blocks(sheet: Worksheet) -> Iterator[Block]:
    spans = {r.coord.split(":")[0]: r for r in sheet.merged_cells.ranges}
    cells: list[PlacedCell[str | None]] = []
    for (row, column), cell in sorted(sheet._cells.items()):
        if isinstance(cell, Cell) and (text := shown(cell)):
            span = spans.get(cell.coordinate)
            high = span.max_row - span.min_row + 1 if span else 1
            wide = span.max_col - span.min_col + 1 if span else 1
            cells.append(PlacedCell(text, row, column, wide, high))
    if cells:
        top, left = min(c.row for c in cells), min(c.column for c in cells)
        placed = [PlacedCell(c.value, c.row - top, c.column - left, c.wide, c.high) for c in cells]
        rows = max(c.row + c.high for c in placed)
        yield HeadingBlock(sheet.title, 1)
        yield TableBlock(spread(placed, rows), None, top, left)


def shown(cell: Cell) -> str:
    """Return a cell's value much as the sheet shows it."""
    value: Any = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d" if value.time() == datetime.time() else "%Y-%m-%d %H:%M")
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format or "General")
    return str(value)


def _number(value: float, style: str) -> str:
    """Write a number by the first section of its format: thousands, decimals, percent, currency and words in quotes."""
    style = re.sub(r"\[\$([^-\]]*)[^\]]*\]", r'"\1"', style.split(";")[0])
    style = re.sub(r"\[[^\]]*\]|_.|\*.", "", style)
    pattern = re.sub(LITERAL, "", style)
    if not re.search(r"[#0?]", pattern) or re.search(r"[E/@]", pattern):  # General, scientific, fractions, text
        return f"{value:.15g}"
    decimals = re.search(r"\.([0#?]+)", pattern)
    value = value * 100 if "%" in pattern else value
    text = f"{value:{',' if ',' in pattern else ''}.{len(decimals[1]) if decimals else 0}f}"
    first = re.search(r"[#0?]", style)
    head, tail = style[: first.start() if first else 0], re.split(r"[#0?.,]", style)[-1]
    return f"{_literals(head)}{text}{'%' if '%' in pattern else ''}{_literals(tail)}"


def _literals(part: str) -> str:
    return "".join(quoted or other for quoted, other in LITERAL.findall(part))
