"""Recent articles: JSON lines of a crawler, feeds, web archives or saved pages, cut by their stated date.

Comes in: any of those files. Goes out: document rows; an article without a date, or from before the day asked for,
is rejected, since old articles are what a base model has seen already. File times are never looked at.
"""

import re
from collections.abc import Iterator
from datetime import date
from email.utils import parsedate_to_datetime

from koqas.train.rejections import Rejection
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of
from koqas.train.sources.opening import SourceFile
from koqas.train.sources.records import Record, text
from koqas.train.sources.tables import records_of
from koqas.train.sources.webpages import feed_records, html_records, warc_records

FORMATS = {
    ".html": html_records,
    ".htm": html_records,
    ".warc": warc_records,
    ".xml": feed_records,
    ".rss": feed_records,
    ".atom": feed_records,
}
DAY = re.compile(r"(?<!\d)(\d{4})(?:\s?[-./년]\s?)(\d{1,2})(?:\s?[-./월]\s?)(\d{1,2})(?!\d)")
COMPACT_DAY = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?:\d{6})?(?!\d)")


def day_of(stated: str) -> date | None:
    """Return the calendar day of a stated date: ISO, Korean, compact or RFC 822, in its own time zone."""
    for pattern in (DAY, COMPACT_DAY):
        if match := pattern.search(stated):
            try:
                return date(*map(int, match.groups()))
            except ValueError:
                return None
    try:
        return parsedate_to_datetime(stated).date()
    except ValueError:
        return None


def _records(file: SourceFile) -> Iterator[Record | Rejection]:
    return FORMATS[file.suffix](file) if file.suffix in FORMATS else records_of(file, "")


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    def column(name: str) -> str:
        return text(record.value, options.columns.get(name, name)).strip()

    body, stated = column("text"), column("published")
    day = day_of(stated)
    if missing := record.lacking(passage=body):
        yield missing
    elif day is None:
        yield record.rejected("no_date", f"published: {stated!r}")
    elif day < options.since:
        yield record.rejected("before_date", f"{day} is before {options.since}")
    else:
        yield example_of(
            origin,
            record,
            [document_of(origin, body, column("title"))],
            summary=column("summary"),
            native_id=column("url"),
            url=column("url"),
            published=day.isoformat(),
            publisher=column("source"),
        )


READER = Reader(frozenset({".jsonl", ".json", *FORMATS}), _records, _rows)
