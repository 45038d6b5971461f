"""Read rows of CSV, XLSX and Parquet files as records keyed by column name.

Comes in: an opened source file. Goes out: records. A header that occurs again becomes `name.1`, `name.2`, …, since
published sets repeat headers and a plain dict would keep only the last column.
"""

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, BinaryIO

import openpyxl
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import InvalidFileException

from koqas.train.rejections import Rejection
from koqas.train.sources.opening import SourceFile, UnsafeFileError, archive_problem, member_problem, seekable
from koqas.train.sources.records import Record, encoding_of, json_records, jsonl_records, keys_of

LONGEST_CELL = 16 << 20  # characters; the csv module's own limit of 131,072 is too small for a page of text
ROWS_AT_ONCE = 500
BROKEN_BYTES = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of bytes that cannot be decoded


def records_of(file: SourceFile, key: str) -> Iterator[Record | Rejection]:
    """Read a file by its suffix; `key` names the list inside a JSON file (see `json_records`)."""
    if file.suffix == ".jsonl":
        return jsonl_records(file)
    if file.suffix == ".csv":
        return csv_records(file)
    if file.suffix == ".xlsx":
        return xlsx_records(file)
    if file.suffix == ".parquet":
        return parquet_records(file)
    return json_records(file, key)


def csv_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read a CSV in UTF-8, UTF-16 or CP949; rows with more cells than the header or broken bytes are rejected."""
    csv.field_size_limit(LONGEST_CELL)
    with io.TextIOWrapper(file.open(), encoding=encoding_of(file), errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines)
        header = _distinct(next(rows, []))
        for cells in rows:
            record = Record(file.name, f"line {rows.line_num}", None)
            if len(cells) > len(header):
                yield record.rejected("broken_row", f"{len(cells)} cells under {len(header)} columns")
            elif any(BROKEN_BYTES.search(c) for c in cells):
                yield record.rejected("wrong_encoding", "bytes that are neither UTF-8 nor CP949")
            elif any(c.strip() for c in cells):
                yield Record(file.name, record.place, dict(zip(header, cells)))


def xlsx_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read the first sheet of a workbook.

    Raises:
        UnsafeFileError: The workbook, itself a zip, would explode.
        InvalidFileException: The workbook is damaged.
    """
    with seekable(file) as stream:
        with zipfile.ZipFile(stream) as archive:
            problems = [member_problem(m, file.limits) for m in archive.infolist()]
            problems.append(archive_problem(archive, file.size, file.limits))
        if any(problems):
            raise UnsafeFileError("; ".join(p for p in problems if p))
        rows = _sheet_rows(stream)
        header = _distinct("" if cell is None else str(cell) for cell in next(rows, ()))
        for number, cells in enumerate(rows, start=2):
            if any(cell is not None for cell in cells):
                filled = {name: cell for name, cell in zip(header, cells) if cell is not None}
                yield Record(file.name, f"row {number}", filled)


def _sheet_rows(stream: BinaryIO) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of each row; openpyxl raises nearly anything on a damaged workbook, this raises one error."""
    try:
        with closing(openpyxl.load_workbook(stream, read_only=True, data_only=True)) as book:
            yield from book.worksheets[0].iter_rows(values_only=True)
    except (AttributeError, IndexError, KeyError, SyntaxError, TypeError, ValueError) as error:
        raise InvalidFileException(f"{type(error).__name__}: {error}") from error


def parquet_records(file: SourceFile) -> Iterator[Record]:
    """Read a Parquet file batch by batch."""
    number = 0
    with seekable(file) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield Record(file.name, f"row {number}", row)
                number += 1


def keys_found(file: SourceFile) -> list[str]:
    """Return the key paths or column names at the start of a file, to show what a mapping could name."""
    if file.suffix in (".json", ".jsonl"):
        return keys_of(file)
    for record in records_of(file, ""):
        if isinstance(record, Record):
            return list(record.value)
    return []


def _distinct(header: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    names: list[str] = []
    for number, name in enumerate((BROKEN_BYTES.sub("?", h).strip() for h in header), start=1):
        name = name or f"column {number}"
        names.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def as_text(cell: Any) -> str:  # noqa: ANN401 - a cell holds anything
    """Return a cell as stripped text; empty for nothing."""
    return "" if cell is None else str(cell).strip()
