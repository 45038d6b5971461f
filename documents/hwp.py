"""HWP 5, the binary format of Hancom Office: body text, tables, text boxes, notes and equations.

Headers, footers and hidden comments are left out. Paragraphs of an outline level are headings.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from koqas.documents import Content
from koqas.documents.errors import UnreadableFile
from koqas.documents.hangul import Box, Paragraph, Table, blocks_of
from koqas.documents.hwp_records import HwpFile, Record
from koqas.koqas_tables import PlacedCell

# Tags of records, table 13 and 57 of the format's description; HWPTAG_BEGIN is 16.
PARA_SHAPE, PARA_HEADER, PARA_TEXT, CTRL_HEADER, LIST_HEADER, TABLE, EQUATION = 25, 66, 67, 71, 72, 77, 88
# Kinds of controls: four letters, stored backwards.
NOT_BODY = (b"head", b"foot", b"tcmt", b"secd", b"cold")
OUTLINE = 1  # kind of a paragraph's head, bits 23 and 24 of its shape; its level is in bits 25 to 27
# Characters below 32 are controls: these take one place, all others eight; the "extended" have a record of their own.
SINGLE = frozenset({0, 10, 13, 24, 25, 26, 27, 28, 29, 30, 31})
EXTENDED = frozenset({1, 2, 3, 11, 12, 14, 15, 16, 17, 18, 21, 22, 23})
SIGNS = {9: " ", 10: "\n", 24: "-", 30: " ", 31: " "}


def read(path: Path) -> Content:
    """Read an HWP 5 file.

    Raises:
        UnreadableFile: Encrypted, locked for distribution, of an older version, or damaged.
    """
    with HwpFile(path) as file:
        sections = file.sections()
        if not sections:
            raise UnreadableFile("HWP 문서에 본문이 없습니다(BodyText/Section0).")
        levels = [_level(r) for r in _every(file.records("DocInfo")) if r.tag == PARA_SHAPE]
        paragraphs = [p for name in sections for p in _paragraphs(file.records(name), levels)]
        return Content(list(blocks_of(paragraphs)), file.title())


def _every(records: Iterable[Record]) -> Iterator[Record]:
    for record in records:
        yield record
        yield from _every(record.below)


def _level(shape: Record) -> int | None:
    flags = struct.unpack_from("<I", shape.data)[0]
    return (flags >> 25 & 7) + 1 if flags >> 23 & 3 == OUTLINE else None


def _paragraphs(records: Iterable[Record], levels: Sequence[int | None]) -> Iterator[Paragraph]:
    for record in records:
        if record.tag != PARA_HEADER:
            continue
        shape = struct.unpack_from("<H", record.data, 8)[0]
        paragraph = Paragraph(level=levels[shape] if shape < len(levels) else None)
        controls = iter([r for r in record.below if r.tag == CTRL_HEADER])
        for text in (r.data for r in record.below if r.tag == PARA_TEXT):
            for piece in _pieces(text):
                if piece is not None:
                    paragraph.pieces.append(piece)
                elif (control := next(controls, None)) is not None:
                    paragraph.pieces += _control(control, levels)
        for control in controls:  # of a damaged text
            paragraph.pieces += _control(control, levels)
        yield paragraph


def _pieces(data: bytes) -> Iterator[str | None]:
    """Yield runs of text, and None where a control hangs."""
    units = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
    at = begun = 0
    while at < len(units):
        code = units[at]
        if code >= 32:
            at += 1
            continue
        if begun < at:
            yield data[2 * begun : 2 * at].decode("utf-16-le", "replace")
        if code in EXTENDED:
            yield None
        elif sign := SIGNS.get(code, ""):
            yield sign
        at += 1 if code in SINGLE else 8
        begun = at
    if begun < len(units):
        yield data[2 * begun : 2 * len(units)].decode("utf-16-le", "replace")


def _control(control: Record, levels: Sequence[int | None]) -> Iterator[str | Table | Box]:
    kind = control.data[:4][::-1]
    if kind in NOT_BODY:
        return
    if kind == b"tbl ":
        yield from _table(control, levels)
    elif kind == b"eqed":
        yield from (_script(r.data) for r in control.below if r.tag == EQUATION)
    else:
        # Notes hold their list themselves, text boxes below the record of their shape; groups hold several shapes.
        yield from (Box(list(_paragraphs(below, levels))) for _, below in _boxes(control.below))


def _boxes(records: Sequence[Record]) -> Iterator[tuple[Record, list[Record]]]:
    if any(r.tag == LIST_HEADER for r in records):
        yield from _lists(records)
    else:
        for record in records:
            if record.tag != PARA_HEADER:
                yield from _boxes(record.below)


def _table(control: Record, levels: Sequence[int | None]) -> Iterator[Table | Box]:
    """Read a table: lists before the table's own record are captions, those behind it cells with their addresses."""
    cells = []
    at = next((n for n, r in enumerate(control.below) if r.tag == TABLE), len(control.below))
    for _, below in _lists(control.below[:at]):
        yield Box(list(_paragraphs(below, levels)))
    for head, below in _lists(control.below[at:]):
        if len(head.data) >= 16:
            column, row, wide, high = struct.unpack_from("<4H", head.data, 8)
            cells.append(PlacedCell(list(_paragraphs(below, levels)), row, column, wide, high))
    yield Table(cells)


def _lists(records: Iterable[Record]) -> Iterator[tuple[Record, list[Record]]]:
    """Yield each list's head with its paragraphs, which stand beside or below it."""
    head: Record | None = None
    beside: list[Record] = []
    for record in records:
        if record.tag == LIST_HEADER:
            if head is not None:
                yield head, beside
            head, beside = record, list(record.below)
        elif head is not None:
            beside.append(record)
    if head is not None:
        yield head, beside


def _script(data: bytes) -> str:
    length = struct.unpack_from("<H", data, 4)[0]
    return data[6 : 6 + 2 * length].decode("utf-16-le", "replace")
