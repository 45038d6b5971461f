"""PDF: text by PDFium, ruled tables by pdfplumber, paragraphs and headings from how the lines stand.

A PDF knows characters and where they stand, no paragraphs. Lines are joined where a paragraph goes on, larger letters are
headings, lines that come back at the edge of most pages are left out. Every part keeps its page.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pdfplumber
import pypdfium2 as pdfium
from tqdm.auto import tqdm

from koqas.documents import Content
from koqas.documents.errors import UnreadableFile
from koqas.documents.pdf_lines import Char, Line, lines_of
from koqas.documents.pdf_paragraphs import PagedLine, Setting, blocks_of
from koqas.documents.pdf_tables import Box, FoundTable, has_ruling, tables_of
from koqas.koqas_blocks import Block, TableBlock

SHOW_PROGRESS = 50  # pages from which a bar is shown
EDGE = 2  # lines looked at, at each end of a page, for running heads
REPEATED = 0.5  # share of the pages that a running head stands on
UNREADABLE = 0.3  # share of letters without a meaning that makes a text worthless


@dataclass(frozen=True)
class TableOnPage:
    """A table among the lines of a page."""

    rows: list[list[str | None]]


def read(path: Path) -> Content:
    """Read a PDF.

    Raises:
        UnreadableFile: Encrypted, damaged, only pictures of pages, or letters without a meaning.
    """
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise UnreadableFile("암호가 걸린 PDF입니다.", "save it without a password") from error
        raise UnreadableFile(f"PDF가 손상되었습니다({error}).") from error
    try:
        pages = _pages(document, path)
        title = document.get_metadata_dict(skip_empty=True).get("Title", "")
    finally:
        document.close()
    lines = [line for page in pages for line in page if isinstance(line, Line)]
    _refuse_unreadable(lines, pages)
    pages = _without_running_heads(pages)
    return Content(list(_blocks(pages)), "" if re.search(r"\.(docx?|hwpx?|pptx?|xlsx?|html?)$", title) else title)


def _pages(document: pdfium.PdfDocument, path: Path) -> list[list[Line | TableOnPage]]:
    """Read the pages one at a time; a file that opens but breaks on a page is damaged as a whole."""
    pages: list[list[Line | TableOnPage]] = []
    ruled: pdfplumber.PDF | None = None
    try:
        for number in tqdm(
            range(len(document)),
            desc=f"{path.name} 읽기",
            unit="쪽",
            disable=len(document) < SHOW_PROGRESS,
            leave=False,
        ):
            page = document[number]
            lines = lines_of(page)
            tables: list[FoundTable] = []
            if lines and has_ruling(page):
                ruled = ruled or pdfplumber.open(path)
                tables = tables_of(ruled.pages[number])
                ruled.pages[number].close()
            pages.append(_with_tables(lines, tables))
            page.close()
    finally:
        if ruled is not None:
            ruled.close()
    return pages


def _with_tables(lines: Sequence[Line], tables: Sequence[FoundTable]) -> list[Line | TableOnPage]:
    """Put each table where its first line stood, and take its lines out."""
    items: list[Line | TableOnPage] = []
    real = [t for t in tables if t.is_filled(c for line in lines for c in line.inked)]
    put: set[int] = set()
    kept_spaces = any(line.text.endswith(" ") for line in lines)
    for line in lines:
        rest = list(line.chars)
        for number, table in enumerate(real):
            if any(table.holds(c) for c in rest if c.text.strip()):
                rest = [c for c in rest if not table.holds(c)]
                if number not in put:
                    put.add(number)
                    items.append(_filled(table, lines, kept_spaces))
        if any(c.text.strip() for c in rest):
            items.append(Line(tuple(rest)))
    return items


def _filled(table: FoundTable, lines: Sequence[Line], kept_spaces: bool) -> TableOnPage:
    """Write the texts of a table's cells; words broken at a cell's edge are joined again."""
    texts: dict[Box, str] = {}
    for line in lines:
        parts: dict[Box, list[Char]] = {}
        for char in line.chars:
            if (cell := table.cell_at(char)) is not None:
                parts.setdefault(cell, []).append(char)
        for cell, chars in parts.items():
            text = "".join(c.text for c in chars)
            before = texts.get(cell, "")
            glue = "" if not before or before.endswith(" ") or kept_spaces else " "
            texts[cell] = before + glue + text
    return TableOnPage(table.filled({cell: text.strip() for cell, text in texts.items()}))


def _refuse_unreadable(lines: Sequence[Line], pages: Sequence[Sequence[Line | TableOnPage]]) -> None:
    text = "".join(line.text for line in lines) + "".join(
        cell or "" for page in pages for t in page if isinstance(t, TableOnPage) for row in t.rows for cell in row
    )
    letters = [c for c in text if not c.isspace()]
    if not letters:
        raise UnreadableFile(
            f"글자가 없는 PDF입니다({len(pages)}쪽): 스캔한 그림으로 보입니다.",
            "run OCR on it first, e.g. ocrmypdf -l kor",
        )
    meaningless = sum(c == "\ufffd" or "\ue000" <= c <= "\uf8ff" for c in letters)
    if meaningless > UNREADABLE * len(letters):
        raise UnreadableFile(
            "PDF의 글꼴에 글자의 뜻이 없어 글을 꺼낼 수 없습니다.",
            "print it to a new PDF, or run OCR on it: ocrmypdf --force-ocr",
        )


def _without_running_heads(pages: list[list[Line | TableOnPage]]) -> list[list[Line | TableOnPage]]:
    """Leave out lines that come back at the edges of most pages, numbers counting as equal."""
    if len(pages) < 3:
        return pages
    seen = Counter(key for page in pages for key in {_key(line) for line in _edge_lines(page)})
    heads = {key for key, count in seen.items() if count >= max(3, REPEATED * len(pages))}
    if not heads:
        return pages
    kept = []
    for page in pages:
        edge = {id(line) for line in _edge_lines(page) if _key(line) in heads}
        kept.append([item for item in page if id(item) not in edge])
    return kept


def _edge_lines(page: Sequence[Line | TableOnPage]) -> list[Line]:
    lines = sorted((x for x in page if isinstance(x, Line)), key=lambda line: -line.top)
    return [*lines[:EDGE], *lines[max(EDGE, len(lines) - EDGE) :]]


def _key(line: Line) -> str:
    return re.sub(r"\d+", "#", "".join(line.text.split()))


def _blocks(pages: Sequence[Sequence[Line | TableOnPage]]) -> Iterator[Block]:
    setting = Setting.of([line for page in pages for line in page if isinstance(line, Line)])
    run: list[PagedLine] = []
    for number, page in enumerate(pages, 1):
        for item in page:
            if isinstance(item, Line):
                run.append(PagedLine(item, number))
                continue
            yield from blocks_of(run, setting)
            run = []
            yield TableBlock(item.rows, number)
    yield from blocks_of(run, setting)
