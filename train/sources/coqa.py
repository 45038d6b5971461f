"""CoQA: conversations about an English story; each question is a turn that may need the turns before it.

Comes in: `data[]` with `story`, `questions[]` and `answers[]` paired by turn. Goes out: reading rows; from the
second turn on the question is preceded by earlier questions and answers. The rationale (`span_text`) is the
evidence, the answer itself is free text. Turns answered "unknown" are unanswerable.
"""

from collections.abc import Iterator
from typing import Any

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of
from koqas.train.sources.locating import locate, offset_of
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.tables import records_of


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    talk = record.value
    story = text(talk, "story")
    if missing := record.lacking(passage=story, questions=talk.get("questions")):
        yield missing
        return
    document = document_of(origin, story, text(talk, "filename"))
    answers = {a.get("turn_id"): a for a in listed(talk, "answers")}
    told: list[str] = []
    for number, asked in enumerate(listed(talk, "questions")):
        turn = record.inner(f"questions[{number}]", {"asked": asked, "answer": answers.get(asked.get("turn_id"))})
        earlier = told[-options.history :] if options.history else []
        yield _turn(turn, origin, document, earlier, text(talk, "id"), text(talk, "source"), _others(talk, asked))
        told.append(f"{text(asked, 'input_text')} {text(turn.value['answer'], 'input_text')}")


def _others(talk: dict, asked: dict) -> list[str]:
    """Return the answers of other annotators to this turn; only the development file has them."""
    sets = (talk.get("additional_answers") or {}).values()
    return [text(a, "input_text") for answers in sets for a in answers if a.get("turn_id") == asked.get("turn_id")]


def _turn(
    record: Record, origin: Origin, document: Document, earlier: list[str], talk: str, source: str, others: list[str]
) -> Outcome:
    asked, answer = record.value["asked"], record.value["answer"]
    question, given = text(asked, "input_text").strip(), text(answer, "input_text").strip()
    if missing := record.lacking(question=question, answer=given):
        return missing
    turn = text(asked, "turn_id")
    meta: dict[str, Any] = {
        "question": " ".join([*earlier, question]),
        "native_id": f"{talk}-{turn}",
        "group": talk,
        "turn": turn,
    }
    meta |= {"history": earlier, "collection": source}
    if given.lower() == "unknown" or offset_of(answer.get("span_start")) is None:
        return example_of(origin, record, [document], useful=[False], kind="unanswerable", **meta)
    place = locate(document.text, text(answer, "span_text"), answer.get("span_start"))
    if place is None:
        return record.rejected("answer_not_in_context", f"rationale {text(answer, 'span_text')[:80]!r}")
    span = EvidenceSpan(document.id, place.start, place.end)
    return example_of(
        origin, record, [document], answer=given, evidence=[span], offset=place.how, answers=others, **meta
    )


READER = Reader(frozenset({".json"}), lambda file: records_of(file, "data"), _rows)
