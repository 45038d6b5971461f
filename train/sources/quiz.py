"""ETRI 엑소브레인 quiz sets: CSV (객관식, 연상형, 주관식) and XLSX (단문질문) without passages.

Comes in: rows under Korean column names; four choice columns share one header. Goes out: closed-book rows; where
a column gives the evidence sentence, reading rows over that sentence. Serves the ETRI 법령 QA tables too, whose
columns are not published, as long as they are named alike.
"""

from collections.abc import Iterator
from typing import Any

from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, found_in
from koqas.train.sources.records import Record
from koqas.train.sources.tables import as_text, records_of

QUESTION = ("질문(Q_string)", "질문", "question")
ANSWER = ("정답(A_ans)", "정답", "answer")
EVIDENCE = ("정답 근거1(문장)", "정답 근거", "근거", "evidence")
TITLE = ("위키피디아 제목(AP_title)", "위키피디아 제목", "법령명", "title")
KIND = ("문제유형(Q_form)", "문제유형")
CHOICES = "보기()E_string"


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    row = record.value
    question, answer = _cell(row, QUESTION), _cell(row, ANSWER)
    if missing := record.lacking(question=question, answer=answer):
        yield missing
        return
    title, sentence = _cell(row, TITLE), _cell(row, EVIDENCE)
    documents = [document_of(origin, sentence, title)] if sentence else []
    spans = found_in(documents, [answer])
    if documents and not spans:
        yield record.rejected("answer_not_in_context", f"{answer[:80]!r} is not in the evidence sentence")
        return
    yield example_of(
        origin,
        record,
        documents,
        question=question,
        answer=answer,
        evidence=spans,
        kind=_cell(row, KIND),
        options=[as_text(cell) for name, cell in row.items() if name.startswith(CHOICES) and as_text(cell)],
        topic=title,
    )


def _cell(row: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((found for found in (as_text(row.get(name)) for name in names) if found), "")


READER = Reader(frozenset({".csv", ".xlsx", ".json", ".jsonl"}), lambda file: records_of(file, "data"), _rows)
