"""Public Korean texts in plain JSON lines: statutes, news reports and encyclopedia articles, `{id, title, text}`.

Comes in: one text a line. Goes out: document rows. Statutes lose their Markdown marks and notes of amendment, which
part sentences; a report without a title may have it in its first line, and its id says who published it.
"""

import re
from collections.abc import Iterator

from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of
from koqas.train.sources.records import Record, text
from koqas.train.sources.tables import records_of

STATUTE_MARKS = re.compile(r"[#*\\]+|<(?:개정|신설|삭제|전문개정|본조신설)[^>]*>")
LONGEST_TITLE = 100  # characters; a longer first line is a paragraph
PUBLISHERS = {"wikinews": ("Wikinews", "CC-BY-2.5"), "unesco": ("UNESCO", "CC-BY-SA-3.0-IGO")}


def _statute_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    body = STATUTE_MARKS.sub("", text(record.value, "text")).strip()
    yield _document_row(record, origin, text(record.value, "title"), body)


def _report_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    title, body = text(record.value, "title"), text(record.value, "text").strip()
    first, _, rest = body.partition("\n")
    if not title and rest and len(first) <= LONGEST_TITLE:
        title, body = first, rest
    publisher, terms = PUBLISHERS.get(text(record.value, "id").split("-")[0], ("", origin.license))
    origin = Origin(origin.name, terms, origin.domain)
    yield _document_row(record, origin, title, body.strip(), publisher=publisher)


def _article_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    yield _document_row(record, origin, text(record.value, "title"), text(record.value, "text").strip())


def _document_row(record: Record, origin: Origin, title: str, body: str, publisher: str = "") -> Outcome:
    missing = record.lacking(passage=body)
    return missing or example_of(
        origin,
        record,
        [document_of(origin, body, title.strip())],
        native_id=text(record.value, "id"),
        published=text(record.value, "published"),
        publisher=publisher,
    )


SUFFIXES = frozenset({".json", ".jsonl", ".parquet"})
STATUTES = Reader(SUFFIXES, lambda file: records_of(file, ""), _statute_rows)
REPORTS = Reader(SUFFIXES, lambda file: records_of(file, ""), _report_rows)
ARTICLES = Reader(SUFFIXES, lambda file: records_of(file, ""), _article_rows)
