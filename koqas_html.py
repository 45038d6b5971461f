"""HTML pages as headings, paragraphs and tables: what a reader of the page sees, and nothing that would run.

Python's own parser reads, so that pages need no further package. Tags left open are closed as browsers do where it
matters for text: rows and cells end where the next begins. Scripts, styles and hidden elements are left out.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from .koqas_blocks import Block, HeadingBlock, ParagraphBlock, TableBlock, written
from .koqas_tables import FlowCell, laid_out

BLOCKS = frozenset(
    "p div br li ul ol section article header footer main nav aside dt dd dl hr figure figcaption form fieldset "
    "address blockquote pre caption body html option".split()
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
SILENT = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "textarea", "select"})
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


@dataclass(frozen=True)
class Page:
    """A page's title and content."""

    title: str
    blocks: tuple[Block, ...]


@dataclass
class _OpenTable:
    rows: list[list[FlowCell[str]]] = field(default_factory=list)
    group_ends: list[int] = field(default_factory=list)  # where `rowspan=0` stops
    cell: tuple[int, int] | None = None  # the open cell's spans
    pieces: list[str] = field(default_factory=list)


def read_html(source: str) -> Page:
    """Read a page, whole or broken."""
    parser = _Reader()
    parser.feed(source)
    parser.close()
    while parser.tables:
        parser.end_table()
    parser.end_block()
    return Page(" ".join("".join(parser.title).split()), tuple(parser.blocks))


def visible_text(source: str) -> str:
    """Return what a page shows, as Markdown."""
    return written(read_html(source).blocks).text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title: list[str] = []
        self.pieces: list[str] = []
        self.tables: list[_OpenTable] = []
        self.level = 0  # of the open heading
        self.silent: list[str] = []  # open tags from the outermost silent one on
        self.in_title = False
        self.preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, a heading, a table or its parts, or something that is not shown."""
        if self.silent:
            if tag not in VOID:
                self.silent.append(tag)
            return
        given = dict(attrs)
        if tag == "title" and not self.blocks and not self.pieces:
            self.in_title = True
        elif tag in SILENT or _is_hidden(given):
            if tag not in VOID:
                self.silent.append(tag)
        elif tag in HEADINGS or tag in BLOCKS:
            self.boundary(tag)
        elif tag == "table":
            self.end_block()
            self.tables.append(_OpenTable())
        elif self.tables:
            self.open_part(tag, given)

    def boundary(self, tag: str) -> None:
        """Break the line: a space inside a cell or a heading, a new block elsewhere."""
        if self.tables and self.tables[-1].cell is not None:
            self.tables[-1].pieces.append(" ")
        elif self.level and tag == "br":
            self.pieces.append(" ")
        elif tag == "br":
            self.pieces.append("\n")
        else:
            self.end_block()
            self.level = int(tag[1]) if tag in HEADINGS else 0
        self.preformatted += tag == "pre"

    def open_part(self, tag: str, given: dict[str, str | None]) -> None:
        """Open a row, a cell or a group of rows."""
        table = self.tables[-1]
        if tag in ("tr", "thead", "tbody", "tfoot"):
            self.end_cell()
            if tag == "tr":
                table.rows.append([])
            else:
                table.group_ends.append(len(table.rows))
        elif tag in ("td", "th"):
            self.end_cell()
            self.end_block()
            if not table.rows:
                table.rows.append([])
            table.cell = (_span(given.get("colspan")), _span(given.get("rowspan")))

    def handle_endtag(self, tag: str) -> None:
        """Close what `handle_starttag` opened."""
        if self.silent:
            if tag in self.silent:
                while self.silent.pop() != tag:
                    pass
        elif tag == "title":
            self.in_title = False
        elif tag in ("td", "th", "tr") and self.tables:
            self.end_cell()
        elif tag == "table" and self.tables:
            self.end_table()
        elif (tag in HEADINGS or tag in BLOCKS) and tag != "br":
            self.preformatted = max(self.preformatted - (tag == "pre"), 0)
            self.boundary("p")

    def handle_data(self, data: str) -> None:
        """Keep text that shows."""
        if self.silent:
            return
        if self.in_title:
            self.title.append(data)
        elif self.tables and self.tables[-1].cell is not None:
            self.tables[-1].pieces.append(data)
        else:
            self.pieces.append(data if self.preformatted else " ".join(data.split("\n")))

    def end_block(self) -> None:
        """Put the open heading or paragraph away."""
        text = "".join(self.pieces)
        if text.strip():
            level = self.level
            self.blocks.append(HeadingBlock(text, level) if level else ParagraphBlock(text))
        self.pieces, self.level = [], 0

    def end_cell(self) -> None:
        """Put the open cell away, if there is one."""
        table = self.tables[-1]
        if table.cell is not None:
            wide, high = table.cell
            table.rows[-1].append(FlowCell("".join(table.pieces), wide or 1, high))
        table.cell, table.pieces = None, []

    def end_table(self) -> None:
        """Put the open table away; one inside a cell becomes part of that cell's text."""
        self.end_cell()
        self.end_block()
        table = self.tables.pop()
        ends = [*(e for e in table.group_ends if e), len(table.rows)]
        rows: list[list[FlowCell[str | None]]] = [
            [FlowCell(c.value, c.wide, c.high or next(e for e in ends if e > n) - n) for c in row]
            for n, row in enumerate(table.rows)
        ]
        outer = self.tables[-1] if self.tables else None
        if outer is not None and outer.cell is not None:
            outer.pieces.append(" " + " ".join(c.value or "" for row in rows for c in row) + " ")
        else:
            self.blocks.append(TableBlock(laid_out(rows)))


def _span(value: str | None) -> int:
    value = (value or "1").strip()
    return int(value[:6]) if value.isdigit() and value.isascii() else 1


def _is_hidden(given: dict[str, str | None]) -> bool:
    style = (given.get("style") or "").replace(" ", "").lower()
    return "hidden" in given or "display:none" in style or "visibility:hidden" in style
