"""MS MARCO 2.1 QA: web questions with ten passages each, some of them marked as used for the answer.

Comes in: the published files, six dicts keyed by row (`answers`, `passages`, `query`, …) in one JSON object of
several GB, or rows in JSON lines or Parquet as the hub copy has them. Goes out: reading rows; answers are free
text, so evidence is given only where the answer stands in a selected passage word for word.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import ijson

from koqas.train.rejections import Rejection
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, found_in
from koqas.train.sources.opening import SourceFile
from koqas.train.sources.records import Record, encoding_of, json_fault, listed, open_utf8, text
from koqas.train.sources.tables import records_of

COLUMNS = ("answers", "passages", "query", "query_id", "query_type", "wellFormedAnswers")
NO_ANSWER = "No Answer Present."


@dataclass(frozen=True)
class _WebPassage:
    """A passage of a page; `selected` when the writer of the answer used it."""

    text: str
    selected: bool
    url: str


def _records(file: SourceFile) -> Iterator[Record | Rejection]:
    if file.suffix != ".json":
        yield from records_of(file, "")
        return
    with open_utf8(file, encoding_of(file)) as stream:
        columnar = stream.read(64).lstrip().startswith(b"{") and _has_columns(file)
    yield from _joined_columns(file) if columnar else records_of(file, "")


def _has_columns(file: SourceFile) -> bool:
    """Tell whether the first column is a dict of rows and not the value of a single row."""
    with open_utf8(file, encoding_of(file)) as stream:
        for prefix, event, _ in ijson.parse(stream):
            if prefix in COLUMNS and event != "map_key":
                return event == "start_map"
    return False


def _joined_columns(file: SourceFile) -> Iterator[Record | Rejection]:
    """Join the columns row by row, reading the file once for each column at the same time.

    The published files list the same keys in the same order in every column, so a row is complete at once and
    memory stays constant; in any other order, rows wait until their last column has come.
    """
    waiting: dict[str, dict[str, Any]] = {}
    encoding = encoding_of(file)
    try:
        with ExitStack() as streams:
            cursors = [
                ijson.kvitems(streams.enter_context(open_utf8(file, encoding)), column, use_float=True)
                for column in COLUMNS
            ]
            for cells in zip_longest(*cursors):
                for column, cell in zip(COLUMNS, cells):
                    if cell is None:
                        continue
                    row = waiting.setdefault(cell[0], {})
                    row[column] = cell[1]
                    if len(row) == len(COLUMNS):
                        yield Record(file.name, f"row {cell[0]}", waiting.pop(cell[0]))
    except ijson.JSONError as error:
        yield json_fault(file, str(error))
    for key, row in waiting.items():
        yield Record(file.name, f"row {key}", row)


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    asked = record.value
    question = text(asked, "query").strip()
    passages = _passages(asked.get("passages"))
    written = [a for a in listed(asked, "wellFormedAnswers") if a != "[]"]  # "[]" is how the files write none
    answers = [a.strip() for a in (*written, *listed(asked, "answers")) if a.strip()]
    if missing := record.lacking(question=question, passage=passages, answer=answers):
        yield missing
        return
    documents = [document_of(origin, passage.text, passage.url) for passage in passages]
    meta: dict[str, Any] = {
        "native_id": text(asked, "query_id"),
        "kind": text(asked, "query_type"),
        "question": question,
    }
    if answers[0] == NO_ANSWER:
        yield example_of(origin, record, documents, useful=[False] * len(documents), **meta)
        return
    used = [d for d, passage in zip(documents, passages) if passage.selected]
    spans = found_in(used or documents, answers[:1])
    useful = [p.selected or any(s.document == d.id for s in spans) for d, p in zip(documents, passages)]
    if not any(useful):
        yield record.rejected("no_useful_document", "no passage is selected and none holds the answer")
        return
    yield example_of(
        origin, record, documents, useful=useful, answer=answers[0], evidence=spans, answers=answers[1:], **meta
    )


def _passages(given: Any) -> list[_WebPassage]:  # noqa: ANN401 - list of dicts or dict of lists
    """Return the distinct passages, from either layout."""
    if isinstance(given, dict):
        given = [
            {"passage_text": t, "is_selected": s, "url": u}
            for t, s, u in zip(given["passage_text"], given["is_selected"], given["url"])
        ]
    found: dict[str, _WebPassage] = {}
    for passage in given or []:
        if shown := text(passage, "passage_text").strip():
            found.setdefault(shown, _WebPassage(shown, bool(passage.get("is_selected")), text(passage, "url")))
    return list(found.values())


READER = Reader(frozenset({".json", ".jsonl", ".parquet"}), _records, _rows)
