"""Documents with a summary written by people: AIHub 문서요약 텍스트 and court decisions.

Comes in: 문서요약 in its three published containers, or decisions as JSON lines `{id, title, kind, year, issue,
holding, body}`. Goes out: document rows. The extracted sentences of 문서요약 are the evidence of its summary; the
판시사항 of a decision, close to a question, is kept in `meta.issue`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from koqas.koqas_types import Span
from koqas.train.examples import EvidenceSpan
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.tables import records_of


@dataclass(frozen=True)
class _Body:
    """The sentences of a document joined to one text, and where each numbered sentence stands in it."""

    text: str
    sentences: dict[int, Span]


def _summary_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    row = record.value
    # The deprecated release has `article_original`, one flat list of sentences, and a plain string as the summary.
    body = _joined(listed(row, "text") or [listed(row, "article_original")])
    summary = " ".join(str(s).strip() for s in listed(row, "abstractive") if s)
    if missing := record.lacking(passage=body.text, summary=summary):
        yield missing
        return
    document = document_of(origin, body.text, text(row, "title"))
    chosen = [body.sentences[n] for n in listed(row, "extractive") if n in body.sentences]
    yield example_of(
        origin,
        record,
        [document],
        summary=summary,
        evidence=[EvidenceSpan(document.id, s.start, s.end) for s in chosen],
        native_id=text(row, "id"),
        domain=text(row, "category"),
        publisher=text(row, "media_name"),
        published=text(row, "publish_date"),
    )


def _joined(paragraphs: list[Any]) -> _Body:
    body = ""
    sentences: dict[int, Span] = {}
    for paragraph in paragraphs:
        for number, sentence in enumerate(paragraph if isinstance(paragraph, list) else [paragraph]):
            given: dict[str, Any] = sentence if isinstance(sentence, dict) else {"index": number, "sentence": sentence}
            shown = text(given, "sentence").strip()
            if not shown:
                continue
            body += ("" if not body else "\n" if number == 0 else " ") + shown
            sentences[given.get("index", -1)] = Span(len(body) - len(shown), len(body))
    return _Body(body, sentences)


def _decision_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    decision = record.value
    body, holding = text(decision, "body").strip(), text(decision, "holding").strip()
    if missing := record.lacking(passage=body, summary=holding):
        yield missing
        return
    title = " ".join(t for t in (text(decision, "id"), text(decision, "title")) if t)
    yield example_of(
        origin,
        record,
        [document_of(origin, body, title)],
        summary=holding,
        native_id=text(decision, "id"),
        kind=text(decision, "kind"),
        published=text(decision, "year"),
        issue=text(decision, "issue"),
    )


def _plain_rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    body = text(record.value, "text", "body").strip()
    if missing := record.lacking(passage=body):
        yield missing
        return
    document = document_of(origin, body, text(record.value, "title"))
    yield example_of(
        origin, record, [document], summary=text(record.value, "summary"), native_id=text(record.value, "id")
    )


SUMMARIES = Reader(frozenset({".json", ".jsonl"}), lambda file: records_of(file, "documents"), _summary_rows)
DECISIONS = Reader(frozenset({".json", ".jsonl"}), lambda file: records_of(file, ""), _decision_rows)
DOCUMENTS = Reader(frozenset({".json", ".jsonl", ".parquet"}), lambda file: records_of(file, ""), _plain_rows)
