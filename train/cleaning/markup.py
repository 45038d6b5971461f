"""HTML to Markdown with an alignment: every character that is kept knows where it stood in the HTML.

Comes in: HTML, whole pages or fragments, broken ones too. Goes out: text with headings, lists and tables in Markdown,
no links or emphasis, without scripts, styles, hidden parts and page furniture. selectolax (Lexbor, MIT) parses: it is
the fastest HTML5 parser with a Python wheel, but tells no offsets. So each run of text gets a mark with its number
before parsing, and the mark comes out again at the head of the text node, wherever the parser moved that node.
"""

import html
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from koqas.koqas_types import Span
from koqas.train.cleaning.alignment import Edited, Writer, rewrite
from koqas.train.cleaning.table_grid import Grid, grid_of

TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|caption|center|code|dd|div|dl|dt|em|figure|font|footer|form|h[1-6]|head"
    "|header|hr|html|i|iframe|img|ins|li|link|main|meta|nav|ol|p|pre|q|s|script|section|small|span|strong|style|sub|sup"
    "|table|tbody|td|tfoot|th|thead|title|tr|u|ul"
)
# A statute's `<개정 2008.2.29>` and a formula's `a<b` are no markup.
LOOKS_LIKE_HTML = re.compile(
    rf"</?(?:{TAGS})(?:\s+[\w:-]+\s*=[^<>]*|\s+(?:hidden|nowrap|async|defer))?\s*/?>|<!doctype html|<!--",
    re.IGNORECASE,
)
NOT_TEXT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|textarea|noscript)\b.*?(?:</\1\s*>|\Z)"
    r"|</?[a-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|<[!?/][^>]*>|[\U000f0000\U000f0001]+",
    re.IGNORECASE | re.DOTALL,
)
MARK = re.compile("\U000f0000([0-9]+)\U000f0001")
ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);?|\r\n?")
WHITE = re.compile(r"[ \t\n\r\f]+")
DROPPED = frozenset(
    "script style noscript template svg head nav footer form button select textarea iframe object embed audio video "
    "canvas map dialog input annotation".split()
)
# Page furniture by class or id, as MediaWiki and the usual Korean site builders name it.
FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:mw-editsection|reference|references|reflist|navbox|toc|noprint|catlinks|printfooter|mw-jump-link|siteSub"
    r"|hatnote|metadata|ambox|breadcrumbs?|gnb|lnb|snb|sidebar|skip-?nav|share|sns|banner|advert(?:isement)?|ads?|cookie"
    r"|popup|comments?|copyright|footer)(?:[\s_-]|$)",
    re.IGNORECASE,
)
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
DEEPEST = 100  # elements inside one another; below, only the text counts
BLOCKS = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure header hr html legend "
    "main ol p pre section summary ul".split()
)


def looks_like_html(text: str) -> bool:
    """Tell whether a text holds HTML tags."""
    return LOOKS_LIKE_HTML.search(text) is not None


def markdown_of(source: str) -> Edited:
    """Convert HTML to Markdown with an alignment to the HTML's characters."""
    runs, marked = _marked(source)
    tree = LexborHTMLParser(marked)
    renderer = _Renderer(source, runs)
    if tree.body is not None:
        renderer.children(tree.body)
    return renderer.writer.edited(ordered=False)


def unescaped(text: str) -> Edited:
    """Resolve entities in a text that holds no tag; line breaks stay."""
    return rewrite(text, ENTITY, lambda m: html.unescape(m.group()))


def _marked(source: str) -> tuple[list[Span], str]:
    runs: list[Span] = []
    pieces: list[str] = []

    def take(start: int, end: int) -> None:
        text = source[start:end]
        # White space alone stays unmarked: between table cells a mark would be moved out of the table.
        if text and not text.isspace():
            pieces.append(f"\U000f0000{len(runs)}\U000f0001")
            runs.append(Span(start, end))
        pieces.append(text)

    done = 0
    for match in NOT_TEXT.finditer(source):
        take(done, match.start())
        if match.group()[0] == "<":
            pieces.append(match.group())
        done = match.end()
    take(done, len(source))
    return runs, "".join(pieces)


class _Renderer:
    """Walks the tree and writes Markdown. `flat` is above zero inside a table cell, where nothing breaks the line."""

    def __init__(self, source: str, runs: list[Span]) -> None:
        self.source = source
        self.runs = runs
        self.writer = Writer()
        self.flat = 0
        self.preformatted = 0
        self.depth = 0

    def children(self, node: LexborNode) -> None:
        if self.depth > DEEPEST:
            for below in node.traverse(include_text=True):
                if below.tag == "-text":
                    self.text(below.text_content or "")
            return
        self.depth += 1
        for child in node.iter(include_text=True):
            self.node(child)
        self.depth -= 1

    def node(self, node: LexborNode) -> None:
        tag = node.tag
        if tag == "-text":
            self.text(node.text_content or "")
        elif tag == "br":
            self.line()
        elif tag in DROPPED or tag is None or tag.startswith(("-", "!")) or _is_hidden(node):
            return
        elif tag == "table":
            self.table(node)
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            self.block(node, "" if self.flat else "#" * int(tag[1]) + " ")
        elif tag == "li":
            self.writer.insert(" " if self.flat else "\n- ")
            self.children(node)
        elif tag == "pre":
            self.preformatted += 1
            self.block(node)
            self.preformatted -= 1
        elif tag in BLOCKS:
            self.block(node, apart="\n" if tag in ("dd", "dt") else "\n\n")
        else:
            self.children(node)

    def line(self) -> None:
        self.writer.insert(" " if self.flat else "\n")

    def block(self, node: LexborNode, before: str = "", apart: str = "\n\n") -> None:
        self.writer.insert(" " if self.flat else apart + before)
        self.children(node)
        self.writer.insert(" " if self.flat else apart)

    def text(self, content: str) -> None:
        """Write a text node: pieces `mark, text, mark, text, …`; unmarked text has no place in the source."""
        pieces = MARK.split(content)
        self.plain(pieces[0])
        for number, text in zip(pieces[1::2], pieces[2::2]):
            run = self.runs[int(number)] if int(number) < len(self.runs) else None
            if run is None:
                self.plain(text)
                continue
            raw = self.source[run.start : run.end]
            if raw == text:
                self.words(text, run.start)
            else:
                self.entities(raw, run.start)

    def entities(self, raw: str, start: int) -> None:
        done = 0
        for match in ENTITY.finditer(raw):
            self.words(raw[done : match.start()], start + done)
            shown = html.unescape(match.group()).replace("\r\n", " ").replace("\r", " ").replace("\xa0", " ")
            self.writer.keep(self.escaped(shown), start + match.start(), start + match.end())
            done = match.end()
        self.words(raw[done:], start + done)

    def words(self, text: str, start: int) -> None:
        """Write source text; outside `<pre>` each run of white space is one space."""
        text_is_plain = "\n" not in text and "  " not in text and "\t" not in text and "\r" not in text
        if (text_is_plain or (self.preformatted and not self.flat)) and not (self.flat and "|" in text):
            self.writer.keep(text, start, start + len(text))
            return
        done = 0
        for match in re.finditer(r"[ \t\n\r\f]+|\|", text):
            self.writer.keep(text[done : match.start()], start + done, start + match.start())
            shown = self.escaped(match.group()) if match.group() == "|" else " "
            self.writer.keep(shown, start + match.start(), start + match.end())
            done = match.end()
        self.writer.keep(text[done:], start + done, start + len(text))

    def escaped(self, text: str) -> str:
        return text.replace("|", "\\|") if self.flat else text

    def plain(self, text: str) -> None:
        if text:
            self.writer.insert(WHITE.sub(" ", text))

    def table(self, node: LexborNode) -> None:
        if self.flat:
            for cell in node.css("caption, td, th"):
                self.writer.insert(" ")
                self.children(cell)
            return
        grid = grid_of(node)
        if grid.caption is not None:
            self.block(grid.caption)
        if grid.width <= 1 or node.attributes.get("role") == "presentation":
            self.layout(grid)
        else:
            self.grid(grid)

    def layout(self, grid: Grid) -> None:
        """A table of one column only places things on the page: its cells are blocks."""
        for row in grid.rows:
            for cell in dict.fromkeys(c for c in row if c is not None):
                self.block(cell)

    def grid(self, grid: Grid) -> None:
        self.writer.insert("\n\n")
        self.row([[r[c] for r in grid.rows[: grid.header_rows]] for c in range(grid.width)])
        self.writer.insert("|" + "---|" * grid.width + "\n")
        for row in grid.rows[grid.header_rows :]:
            self.row([[cell] for cell in row])
        self.writer.insert("\n")

    def row(self, columns: list[list[LexborNode | None]]) -> None:
        """Write one line; a column of several header rows holds each header once."""
        self.flat += 1
        for column in columns:
            self.writer.insert("| ")
            for cell in _distinct(column):
                self.children(cell)
                self.writer.insert(" ")
        self.flat -= 1
        self.writer.insert("|\n")


def _distinct(cells: list[LexborNode | None]) -> list[LexborNode]:
    found: dict[int, LexborNode] = {c.mem_id: c for c in cells if c is not None}
    return list(found.values())


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    if "hidden" in attributes or HIDDEN.search(attributes.get("style") or ""):
        return True
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    return names != " " and FURNITURE.search(names) is not None
