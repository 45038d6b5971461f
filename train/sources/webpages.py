"""Articles out of saved pages, web archives and feeds, as plain records; nothing is ever fetched.

Comes in: HTML, WARC, RSS or Atom files. Goes out: records with `url, title, published, source, summary, text`.
Dates are those that the page or feed states, as text. Encodings (EUC-KR is common) are left to the libraries.
"""

import html
import io
import re
from collections.abc import Iterator

import feedparser
from trafilatura import bare_extraction
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from koqas.train.rejections import Rejection
from koqas.train.sources.opening import SourceFile
from koqas.train.sources.records import Record

LARGEST_PAGE = 20 << 20  # bytes; larger "pages" are dumps or traps
# Only dates from markup: guessing from the text takes dates that the article is about.
DATES = {"original_date": True, "extensive_search": False}


def html_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read one saved page."""
    with file.open() as stream:
        yield _page(Record(file.name, "", None), stream.read(LARGEST_PAGE + 1), "")


def _page(record: Record, page: bytes, url: str) -> Record | Rejection:
    if len(page) > LARGEST_PAGE:
        return record.rejected("too_large", f"a page of more than {LARGEST_PAGE} bytes")
    found = bare_extraction(
        page, url=url or None, with_metadata=True, include_comments=False, date_extraction_params=dict(DATES)
    )
    article = found if isinstance(found, dict) else found.as_dict() if found else {}
    if not article.get("text"):
        return record.rejected("no_passage", "no article text in the page")
    value = {
        "url": article["url"] or url,
        "title": article["title"],
        "published": article["date"],
        "source": article["sitename"],
        "text": article["text"],
    }
    return Record(record.file, record.place, value)


def warc_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read the HTML responses of a web archive; other responses are rejected, other records are no content."""
    number = 0
    with file.open() as stream:
        try:
            for number, entry in enumerate(ArchiveIterator(stream)):
                if entry.rec_type != "response":
                    continue
                record = Record(file.name, f"record {number}", None)
                status = entry.http_headers.get_statuscode() if entry.http_headers else ""
                kind = entry.http_headers.get_header("Content-Type", "") if entry.http_headers else ""
                if status != "200" or "html" not in kind.lower():
                    yield record.rejected("not_an_article", f"status {status or 'none'}, type {kind or 'none'}")
                    continue
                page = entry.content_stream().read(LARGEST_PAGE + 1)
                yield _page(record, page, entry.rec_headers.get_header("WARC-Target-URI", ""))
        except ArchiveLoadFailed as error:
            yield Rejection("sources", "broken_archive", f"after record {number}: {error}", file=file.name)


def feed_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read the entries of an RSS or Atom feed; where the full text is missing, the description stands for it."""
    with file.open() as stream:
        # As a stream: plain bytes that look like a path or an address would be opened.
        feed = feedparser.parse(io.BytesIO(stream.read(LARGEST_PAGE)))
    if feed.bozo and not isinstance(feed.bozo_exception, feedparser.CharacterEncodingOverride):
        yield Rejection("sources", "broken_feed", f"{feed.bozo_exception}; entries before it are read", "", file.name)
    for number, entry in enumerate(feed.entries):
        whole = " ".join(part.get("value") or "" for part in entry.get("content", []))
        short = entry.get("summary") or ""
        value = {
            "url": entry.get("link"),
            "title": plain(entry.get("title") or ""),
            "published": entry.get("published") or entry.get("updated"),
            "source": feed.feed.get("title"),
            "summary": plain(short) if whole and short != whole else "",
            "text": plain(whole or short),
        }
        yield Record(file.name, f"entry {number}", value)


def plain(markup: str) -> str:
    """Return the text of a piece of HTML, one paragraph a line."""
    lines = re.sub(r"(?i)</?(?:p|br|div|li|h\d)\b[^<>]*>", "\n", markup)
    shown = html.unescape(re.sub(r"<[^<>]*>", "", lines))
    return "\n".join(" ".join(line.split()) for line in shown.split("\n") if line.strip())
