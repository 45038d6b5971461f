"""MarkrAI KoCommercial: instructions with an optional input and an output, no documents of their own.

Comes in: rows with `instruction`, `input`, `output`. Goes out: a row with an input is a reading row over it (the
output is free text, with evidence where it is a literal part of the input); one without is closed book.
"""

from collections.abc import Iterator

from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, found_in
from koqas.train.sources.records import Record, text
from koqas.train.sources.tables import records_of


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    row = record.value
    question, answer = text(row, "instruction").strip(), text(row, "output").strip()
    if missing := record.lacking(question=question, answer=answer):
        yield missing
        return
    given = text(row, "input").strip()
    documents = [document_of(origin, given)] if given else []
    spans = found_in(documents, [answer])
    yield example_of(origin, record, documents, question=question, answer=answer, evidence=spans, kind="instruction")


READER = Reader(frozenset({".parquet", ".jsonl", ".json"}), lambda file: records_of(file, ""), _rows)
