"""Say where a quote stands the way a reader looks it up: `제3조 2항, 2쪽`, `표 1 2행, 5쪽`, `요금 안내, 3문단`.

Headings are read off the text itself: Markdown headings and the parts of Korean statutes and rules (편, 장, 절, 관, 조).
Pages, paragraphs and cells come from `Document.places`. Knows nothing about files, models or retrieval.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .koqas_types import Document, Location, Place

ARTICLE_NUMBER = r"제\s?\d+\s?조(?:\s?의\s?\d+)?"
# An article's title is in brackets, or alone on its line, or left out before the first numbered paragraph; without
# that, `제3조에 따라 …` at the head of a line would pass for a heading.
HEADING = re.compile(
    r"^[ \t\u3000]*(?:"
    r"(?P<fence>```)"
    r"|(?P<marks>#{1,6})[ \t]+(?P<title>[^\n]+?)[ \t]*#*[ \t]*$"
    r"|(?P<part>제\s?\d+\s?(?P<kind>[편장절관])(?:\s?의\s?\d+)?(?:[ \t]+[^\n.|]{1,50})?)[ \t]*$"
    rf"|(?P<article>{ARTICLE_NUMBER}[ \t]?(?:\([^()\n]{{1,60}}\)|\[[^\[\]\n]{{1,60}}\]|【[^【】\n]{{1,60}}】"
    r"|(?=[ \t]*$)|(?=[ \t]*[①-⑳])|[ \t][^\s.,①|]{1,15}(?:[ \t][^\s.,|]{1,15}){0,4}(?=[ \t]*$)))"
    r")",
    re.MULTILINE,
)
STATUTE_LEVELS = {"편": 11, "장": 12, "절": 13, "관": 14}
ARTICLE_LEVEL = 15
ARTICLE = re.compile(ARTICLE_NUMBER)
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
CLAUSE = re.compile(
    rf"(?P<circled>[{CIRCLED}])|^[ \t]*(?P<item>\d{{1,2}})\.[ \t]|^[ \t]*(?P<letter>[가-하])\.[ \t]", re.M
)
LONGEST_ARTICLE = 20_000  # characters searched backwards for the clause that a quote stands in
CELL = re.compile(r"([A-Z]+)(\d+)")


@dataclass(frozen=True)
class Heading:
    """A heading in a text, `[start, end)`; smaller levels stand above larger ones."""

    start: int
    end: int
    level: int
    text: str


def outline_of(text: str) -> list[Heading]:
    """Find the headings of a text, in order; those inside fenced code are none."""
    found, fenced = [], False
    for m in HEADING.finditer(text):
        if m["fence"]:
            fenced = not fenced
        if m["fence"] or fenced:
            continue
        name, level = "article", ARTICLE_LEVEL
        if m["marks"]:
            name, level = "title", len(m["marks"])
        elif m["part"]:
            name, level = "part", STATUTE_LEVELS[m["kind"]]
        start = m.start("marks") if m["marks"] else m.start(name)
        found.append(Heading(start, m.end(name), level, " ".join(m[name].split())))
    return found


def below(path: Sequence[Heading], heading: Heading) -> tuple[Heading, ...]:
    """Return the path of headings once another one has been met."""
    return (*(h for h in path if h.level < heading.level), heading)


def locate(document: Document, start: int, end: int, headings: tuple[str, ...] = ()) -> Location:
    """Locate the characters `[start, end)` of a document.

    Args:
        document (`Document`): Where the quote stands.
        start (`int`): Offset into its text.
        end (`int`): Offset behind the quote.
        headings (`tuple[str, ...]`): Headings of the chunk that holds the quote.
    """
    places = places_in(document.places, start, end)
    page = next((p.page for p in places if p.page is not None), None)
    paragraph = next((p.paragraph for p in places if p.paragraph is not None), None)
    table = next((p.table for p in places if p.table is not None), None)
    if not document.places:
        paragraph = 1 + len(re.findall(r"[^\n]*\S[^\n]*\n", document.text[:start]))
    cell = _cells([p.cell for p in places if p.table == table and p.cell]) if table is not None else ""
    article = next((m for h in reversed(headings) if (m := ARTICLE.match(h))), None)
    clause = _clause(document.text, start, end, article[0]) if article else ""
    heading = headings[-1] if headings and headings[-1] != document.title else ""
    words = [f"{article[0].replace(' ', '')} {clause}".strip() if article else heading]
    if table is not None:
        words.append(_table_words(table, cell))
    if page is not None:
        words.append(f"{page}쪽")
    elif paragraph is not None and table is None and not article:
        words.append(f"{paragraph}문단")
    return Location(", ".join(w for w in words if w), tuple(headings), clause, page, paragraph, table, cell)


def places_in(places: Sequence[Place], start: int, end: int) -> list[Place]:
    """Return the places that share characters with `[start, end)`."""
    first = bisect_right(places, start, key=lambda p: p.end)
    last = first
    while last < len(places) and places[last].start < end:
        last += 1
    return list(places[first:last])


def _cells(cells: list[str]) -> str:
    if not cells:
        return ""
    return cells[0] if cells[0] == cells[-1] else f"{cells[0]}:{cells[-1]}"


def _table_words(table: int, cell: str) -> str:
    ends = [m for c in cell.split(":") if (m := CELL.fullmatch(c))]
    if len(ends) == 2 and ends[0][2] == ends[1][2]:
        return f"표 {table} {ends[0][2]}행"
    return f"표 {table} {cell}".strip()


def _clause(text: str, start: int, end: int, article: str) -> str:
    """Return `2항 1호 가목` for a quote, from the numbers between its article's heading and its own head."""
    begin = max(start - LONGEST_ARTICLE, 0)
    before = text[begin:start]
    heads = [m.start() for m in re.finditer(rf"^[#\s]*{ARTICLE_NUMBER}", before, re.M)]
    before = before[heads[-1] :] if heads else before
    # The quote's own head counts too: it may begin with its number, or with the heading of its article.
    own = re.match(
        rf"[#\s]*(?:{ARTICLE_NUMBER}[ \t]?(?:[(\[【][^)\]】\n]*[)\]】])?)?\s*(?:[{CIRCLED}]|\d{{1,2}}\.\s|[가-하]\.\s)?",
        text[start:end],
    )
    head = own[0] if own else ""
    stretch = head if ARTICLE.search(head) else before + head
    paragraph = item = letter = ""
    for m in CLAUSE.finditer(unicodedata.normalize("NFC", stretch)):
        if m["circled"]:
            paragraph, item, letter = f"{CIRCLED.index(m['circled']) + 1}항", "", ""
        elif m["item"]:
            item, letter = f"{m['item']}호", ""
        else:
            letter = f"{m['letter']}목"
    return " ".join(w for w in (paragraph, item, letter) if w)
