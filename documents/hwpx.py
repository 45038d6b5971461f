"""HWPX: the zip of XML that Hancom Office writes, read by the open standard for it (OWPML, KS X 6101).

Body text, tables, text boxes, notes and equations are read; headers, footers and hidden comments are left out.
Paragraphs of an outline level are headings.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from koqas.documents import Content
from koqas.documents.archive import Archive
from koqas.documents.errors import UnreadableFile
from koqas.documents.hangul import Box, Paragraph, Table, blocks_of
from koqas.koqas_tables import PlacedCell

SECTION = re.compile(r"Contents/section(\d+)\.xml")
PACKAGE = "Contents/content.hpf"
SIGNS = {"lineBreak": "\n", "tab": " ", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
NOT_BODY = frozenset({"header", "footer", "hiddenComment", "secPr", "linesegarray"})
NOTES = frozenset({"footNote", "endNote"})


def read(path: Path) -> Content:
    """Read a HWPX file.

    Raises:
        UnreadableFile: Encrypted, locked for distribution, damaged, or unsafe.
    """
    with Archive(path) as archive:
        if "META-INF/manifest.xml" in archive.names and any(
            _name(e) == "encryption-data" for e in archive.xml("META-INF/manifest.xml").iter()
        ):
            raise UnreadableFile(
                "암호가 걸렸거나 배포용으로 잠긴 HWPX 문서입니다.",
                "save it without a password and not for distribution",
            )
        sections = _sections(archive)
        if not sections:
            raise UnreadableFile("HWPX 문서가 아닙니다: 본문이 없습니다(Contents/section0.xml).")
        levels = _levels(archive)
        paragraphs = [p for name in sections for p in _paragraphs(archive.xml(name), levels)]
        return Content(list(blocks_of(paragraphs)), _title(archive))


def _sections(archive: Archive) -> list[str]:
    """Return the parts with body text, in the order of the package, else by number."""
    numbered = sorted((n for n in archive.names if SECTION.fullmatch(n)), key=lambda n: int(SECTION.fullmatch(n)[1]))  # type: ignore[index]
    if PACKAGE not in archive.names:
        return numbered
    package = archive.xml(PACKAGE)
    parts = {e.get("id"): e.get("href", "") for e in package.iter() if _name(e) == "item"}
    spine = [parts.get(e.get("idref"), "") for e in package.iter() if _name(e) == "itemref"]
    named = [n if n in archive.names else f"Contents/{n}" for n in spine]
    ordered = [n for n in dict.fromkeys(named) if n in archive.names and re.search(r"section\d+\.xml$", n)]
    return [*ordered, *(n for n in numbered if n not in ordered)]


def _title(archive: Archive) -> str:
    if PACKAGE not in archive.names:
        return ""
    return next((e.text or "" for e in archive.xml(PACKAGE).iter() if _name(e) == "title"), "")


def _levels(archive: Archive) -> dict[str, int]:
    """Return the outline level, from 1, of each paragraph shape that has one."""
    levels = {}
    if "Contents/header.xml" in archive.names:
        for shape in archive.xml("Contents/header.xml").iter():
            if _name(shape) == "paraPr":
                for heading in shape.iter():
                    if _name(heading) == "heading" and heading.get("type") == "OUTLINE":
                        levels[shape.get("id", "")] = _number(heading, "level") + 1
    return levels


def _paragraphs(parent: Element, levels: dict[str, int]) -> Iterator[Paragraph]:
    for element in parent:
        if _name(element) == "p":
            paragraph = Paragraph(level=levels.get(element.get("paraPrIDRef", "")))
            for run in element:
                if _name(run) == "run":
                    _read_run(run, paragraph, levels)
            yield paragraph


def _read_run(run: Element, paragraph: Paragraph, levels: dict[str, int]) -> None:
    for part in run:
        name = _name(part)
        if name == "t":
            paragraph.pieces.append(_text(part))
        elif name == "tbl":
            paragraph.pieces += _table(part, levels)
        elif name == "ctrl":
            notes = (e for e in part if _name(e) in NOTES)
            paragraph.pieces += [Box(list(_in_lists(note, levels))) for note in notes]
        elif name == "equation":
            paragraph.pieces.append(" ".join(e.text or "" for e in part if _name(e) == "script"))
        elif name not in NOT_BODY:
            paragraph.pieces += [Box(list(_in_lists(e, levels))) for e in _outermost(part, {"drawText", "caption"})]


def _table(element: Element, levels: dict[str, int]) -> Iterator[Box | Table]:
    """Read a table and its caption; cells say where they stand."""
    for caption in element:
        if _name(caption) == "caption":
            yield Box(list(_in_lists(caption, levels)))
    cells = []
    for number, row in enumerate(e for e in element if _name(e) == "tr"):
        for column, cell in enumerate(e for e in row if _name(e) == "tc"):
            address = next((e for e in cell if _name(e) == "cellAddr"), None)
            span = next((e for e in cell if _name(e) == "cellSpan"), None)
            cells.append(
                PlacedCell(
                    list(_in_lists(cell, levels)),
                    number if address is None else _number(address, "rowAddr"),
                    column if address is None else _number(address, "colAddr"),
                    1 if span is None else _number(span, "colSpan"),
                    1 if span is None else _number(span, "rowSpan"),
                )
            )
    yield Table(cells)


def _in_lists(element: Element, levels: dict[str, int]) -> Iterator[Paragraph]:
    for part in element:
        if _name(part) == "subList":
            yield from _paragraphs(part, levels)


def _outermost(element: Element, names: Iterable[str]) -> Iterator[Element]:
    for part in element:
        if _name(part) in names:
            yield part
        else:
            yield from _outermost(part, names)


def _text(element: Element) -> str:
    """Return the text of a run; what tracked changes have deleted is left out."""
    texts = [element.text or ""]
    deleted = False
    for part in element:
        name = _name(part)
        deleted = name == "deleteBegin" or (deleted and name != "deleteEnd")
        if not deleted:
            texts += [SIGNS.get(name, ""), part.tail or ""]
    return "".join(texts)


def _number(element: Element, name: str) -> int:
    value = element.get(name, "0")
    return int(value) if value.isascii() and value.isdigit() else 0


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
