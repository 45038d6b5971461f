"""DOCX: opened by python-docx, read in the order of the body: headings by style, tables with merged cells repeated.

Pages come from the marks that Word leaves where it last broke pages; a file without them has no page numbers. What
tracked changes deleted and hidden text are left out; text boxes and notes follow their paragraph.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import docx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml import etree

from koqas.documents import Content
from koqas.documents.archive import Archive
from koqas.documents.errors import UnreadableFile
from koqas.koqas_blocks import Block, HeadingBlock, ParagraphBlock, TableBlock

HEADING_STYLE = re.compile(r"(?:heading|제목)\s*(\d)", re.IGNORECASE)
TITLE_STYLES = ("title", "제목")
LEFT_OUT = {qn(n) for n in ("w:del", "w:moveFrom", "w:pPr", "w:rPr")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
WRAPPERS = {qn(n) for n in ("w:sdt", "w:sdtContent", "w:ins", "w:customXml", "w:smartTag")}
PAGE_END = qn("w:lastRenderedPageBreak")
BOX, HIDDEN = qn("w:txbxContent"), qn("w:vanish")
SIGNS = {qn("w:tab"): " ", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
NOTES = {qn("w:footnoteReference"): "footnotes", qn("w:endnoteReference"): "endnotes"}


def read(path: Path) -> Content:
    """Read a DOCX file.

    Raises:
        UnreadableFile: Encrypted, damaged, or unsafe.
    """
    with Archive(path) as archive:
        if "word/document.xml" not in archive.names:
            raise UnreadableFile("DOCX 문서가 아닙니다: 본문이 없습니다(word/document.xml).")
        archive.xml("word/document.xml")  # refuses entities and oversize before lxml sees it
    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise UnreadableFile("DOCX 문서가 손상되었습니다.") from error
    return Content(list(_Reader(document).blocks(document.element.body)), document.core_properties.title or "")


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.page = 1 if next(document.element.body.iter(PAGE_END), None) is not None else None
        self.notes = {kind: self._notes(kind) for kind in ("footnotes", "endnotes")}
        self.levels: dict[str, int | None] = {}

    def blocks(self, parent: etree._Element) -> Iterator[Block]:
        """Yield the blocks of the body, and of content controls in it."""
        for part in parent:
            if part.tag == qn("w:p"):
                yield from self.paragraph(Paragraph(part, self.document))
            elif part.tag == qn("w:tbl"):
                yield TableBlock(self.rows(Table(part, self.document)), self.page)
                self.turn(sum(1 for _ in part.iter(PAGE_END)))
            elif part.tag in WRAPPERS:
                yield from self.blocks(part)

    def paragraph(self, paragraph: Paragraph) -> Iterator[Block]:
        """Yield a paragraph, cut where a page ends, and the boxes and notes that hang on it."""
        level = self.level(paragraph)
        text, hanging, joined = "", [], None
        for piece in self.pieces(paragraph._p):
            if isinstance(piece, str):
                text += piece
            elif piece.tag == BOX:
                hanging.append(piece)
            elif piece.tag in NOTES:
                note = self.notes[NOTES[piece.tag]].get(piece.get(qn("w:id")))
                hanging += [] if note is None else [note]
            else:  # a page ends
                if text.strip() and level is None:
                    yield ParagraphBlock(text, self.page, counted=joined is None, joined=joined)
                    text, joined = "", " " if text.endswith(" ") else ""
                self.turn(1)
        if level is not None and text.strip():
            yield HeadingBlock(text, level, self.page)
        elif text.strip():
            yield ParagraphBlock(text, self.page, counted=joined is None, joined=joined)
        for element in hanging:
            for inner in element.iter(qn("w:p")):
                line = "".join(p for p in self.pieces(inner) if isinstance(p, str))
                yield ParagraphBlock(line, self.page)

    def pieces(self, element: etree._Element) -> Iterator[str | etree._Element]:
        """Yield text, boxes, notes and ends of pages in order."""
        for part in element:
            if part.tag in LEFT_OUT or not isinstance(part.tag, str):
                continue
            if part.tag == qn("w:t"):
                yield part.text or ""
            elif part.tag == qn("w:br"):
                yield "" if part.get(qn("w:type")) == "page" else "\n"
            elif part.tag in SIGNS:
                yield SIGNS[part.tag]
            elif part.tag in (BOX, PAGE_END, *NOTES):
                yield part
            elif part.tag != qn("w:r") or part.find(f"{qn('w:rPr')}/{HIDDEN}") is None:
                yield from self.pieces(part)

    def rows(self, table: Table) -> list[list[str | None]]:
        """Return the texts of a table's cells; python-docx repeats merged ones."""
        rows: list[list[str | None]] = []
        for row in table.rows:
            texts: list[str | None] = [None] * row.grid_cols_before
            for cell in row.cells:
                lines = ("".join(p for p in self.pieces(x) if isinstance(p, str)) for x in cell._tc.iter(qn("w:p")))
                texts.append(" ".join(lines))
            rows.append(texts)
        width = max(map(len, rows), default=0)
        return [[*row, *[None] * (width - len(row))] for row in rows]

    def turn(self, pages: int) -> None:
        """Count ends of pages."""
        if self.page is not None:
            self.page += pages

    def level(self, paragraph: Paragraph) -> int | None:
        """Return the heading level of a paragraph's style or of the paragraph itself."""
        own = paragraph._p.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if own is not None:
            value = int(own.get(qn("w:val"), "9"))
            return value + 1 if value < 9 else None
        style = paragraph.style
        if style is None or style.style_id is None:
            return None
        if style.style_id not in self.levels:
            self.levels[style.style_id] = self._style_level(style)
        return self.levels[style.style_id]

    def _style_level(self, style: object) -> int | None:
        current, steps = style, 0
        while current is not None and steps < 10:
            name = (getattr(current, "name", "") or "").strip()
            if m := HEADING_STYLE.fullmatch(name):
                return int(m[1])
            if name.lower() in TITLE_STYLES:
                return 1
            outline = current.element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")  # type: ignore[attr-defined]
            if outline is not None and int(outline.get(qn("w:val"), "9")) < 9:
                return int(outline.get(qn("w:val"))) + 1
            current, steps = getattr(current, "base_style", None), steps + 1
        return None

    def _notes(self, kind: str) -> dict[str | None, etree._Element]:
        for relation in self.document.part.rels.values():
            if not relation.is_external and relation.reltype.endswith(f"/{kind}"):
                parser = etree.XMLParser(resolve_entities=False, no_network=True)
                root = etree.fromstring(relation.target_part.blob, parser)
                return {n.get(qn("w:id")): n for n in root if n.get(qn("w:type")) is None}
        return {}
