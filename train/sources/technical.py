"""AIHub 152, 기술과학 문서 기계독해: one JSON for each document, HTML passages, two wordings of each question.

Comes in: `dataset.context_info[]` with `context` and `qas[]` (`question-1`, `question-2`, a string `answer`, clues).
Goes out: reading rows; both wordings share a `group`, so that a split never parts them. No offsets are published:
the answer is looked for inside its clue first, then in the whole passage.
"""

from collections.abc import Iterator

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan, stable_id
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, guarded
from koqas.train.sources.locating import Located, locate
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.squad_family import YES_NO, answer_text
from koqas.train.sources.tables import records_of

WORDINGS = ("question-1", "question-2", "question")


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    context = text(record.value, "context")
    questions = listed(record.value, "qas")
    if missing := record.lacking(passage=context, questions=questions):  # raw text files have no questions
        yield missing
        return
    document = document_of(origin, context)
    for number, qa in enumerate(questions):
        inner = record.inner(f"qas[{number}]", qa)
        yield from guarded(inner, _question_rows(inner, origin, document))


def _question_rows(record: Record, origin: Origin, document: Document) -> Iterator[Outcome]:
    qa = record.value
    given = text(qa, "answer").strip()
    wordings = [w for w in (text(qa, key).strip() for key in WORDINGS) if w]
    if missing := record.lacking(question=wordings, answer=given):
        yield missing
        return
    clues = [c for c in (locate(document.text, text(clue, "clue_text")) for clue in listed(qa, "clue")) if c]
    place = _inside(document.text, given, clues) or locate(document.text, given)
    if place is None and not (clues and given.lower() in YES_NO):
        yield record.rejected("answer_not_in_context", f"{given[:80]!r}")
        return
    spans = [place] if place else clues
    for question in wordings:
        yield example_of(
            origin,
            record,
            [document],
            question=question,
            answer=answer_text(document.text, place) if place else given,
            evidence=[EvidenceSpan(document.id, s.start, s.end) for s in spans],
            kind=text(qa, "answer_type"),
            offset=place.how if place else "clue found",
            group=stable_id(origin.name, document.id, wordings[0]),
        )


def _inside(context: str, answer: str, clues: list[Located]) -> Located | None:
    """Return the answer's place within a clue, counted from the start of the passage."""
    for clue in clues:
        if place := locate(context[clue.start : clue.end], answer):
            return Located(clue.start + place.start, clue.start + place.end, place.how)
    return None


READER = Reader(frozenset({".json"}), lambda file: records_of(file, "dataset.context_info"), _rows)
