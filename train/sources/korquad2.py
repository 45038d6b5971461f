"""KorQuAD 2.0 and 2.1: whole Wikipedia pages in HTML, with answers from a word to a table.

Comes in: `data[]` with `context` (HTML without scripts), `raw_html` (the page as served) and `qas[]` with one
answer each. Goes out: reading rows whose document is `context`; `answer_start` counts its characters, tags
included. Tags are taken from the answer only after it is cut out. Converting pages and cutting boilerplate is
the cleaning stage's.
"""

from collections.abc import Iterator

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, guarded
from koqas.train.sources.locating import locate
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.squad_family import answer_text
from koqas.train.sources.tables import records_of


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    page = record.value
    raw = not text(page, "context")  # a few tools keep only the page as served; its answers have their own offsets
    html = text(page, "raw_html" if raw else "context")
    if missing := record.lacking(passage=html, questions=page.get("qas")):
        yield missing
        return
    document = document_of(origin, html, text(page, "title"))
    for number, qa in enumerate(listed(page, "qas")):
        inner = record.inner(f"qas[{number}]", qa)
        yield from guarded(inner, _question_rows(inner, origin, document, "html_" if raw else "", text(page, "url")))


def _question_rows(record: Record, origin: Origin, document: Document, prefix: str, url: str) -> Iterator[Outcome]:
    question = text(record.value, "question").strip()
    answer = record.value.get("answer") or {}
    given, start = text(answer, f"{prefix}answer_text" if prefix else "text"), answer.get(f"{prefix}answer_start")
    if missing := record.lacking(question=question, answer=given):
        yield missing
        return
    place = locate(document.text, given, start)
    if place is None:
        yield record.rejected("answer_not_in_context", f"{given[:80]!r}, offset {start!r}")
        return
    yield example_of(
        origin,
        record,
        [document],
        question=question,
        native_id=text(record.value, "id"),
        answer=answer_text(document.text, place),
        evidence=[EvidenceSpan(document.id, place.start, place.end)],
        kind="table" if "<table" in given else "span",
        offset=place.how,
        group=document.id,
        url=url,
    )


READER = Reader(frozenset({".json"}), lambda file: records_of(file, "data"), _rows)
