"""One tolerant reader for every set shaped like SQuAD: KorQuAD 1.0, AIHub reading sets, ETRI MRC, SQuAD 2.0 and more.

Comes in: `data[].paragraphs[].qas[]`, or rows with a context and a question of their own. Goes out: reading rows
with checked offsets. It accepts `answers` or `answer`, each a dict, a list, a string or null, texts and offsets
under any of the published names, offsets of any type. What differs between sets is in `SquadRules`, nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.rejections import Rejection
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, guarded
from koqas.train.sources.locating import Located, has_markup, locate, without_markup
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.tables import records_of

SUFFIXES = frozenset({".json", ".jsonl", ".parquet"})

# The AIHub sets number their question types differently (Yes/No is 5 in 016 and 2 in 151), so the file name decides.
KINDS = {
    "unanswerable": re.compile(r"unanswerable|noanswer|응답\s*불가"),
    "how": re.compile(r"span_extraction_how|절차"),
    "table": re.compile(r"tableqa|\[TQA\]|표 정보|Table 정답", re.IGNORECASE),
    "yes_no": re.compile(r"text_entailment|Yes\s*No", re.IGNORECASE),
    "choice": re.compile(r"multiple_choice|다지선다"),
    "inference": re.compile(r"span_inference"),
    "span": re.compile(r"span_extraction|정답경계|정답 경계"),
}
YES_NO = frozenset({"yes", "no", "예", "아니오", "아니요"})


@dataclass(frozen=True)
class SquadRules:
    """What the files of a set do not say themselves.

    Args:
        unmarked_is_unanswerable (`bool`): Whether a question without answers and without a mark is an
            unanswerable one (AIHub 89, SQuAD-like noanswer files) or an unlabelled one (test files). A question
            marked as answerable that has no answer is never taken.
        group_by_id_stem (`bool`): Whether ids `<stem>_001`, `<stem>_002` ask one question over several passages.
    """

    unmarked_is_unanswerable: bool = True
    group_by_id_stem: bool = False


@dataclass(frozen=True)
class GivenAnswer:
    """An answer as the file gives it; `clue` is its evidence where the answer itself is not in the text."""

    text: str
    start: Any = None
    clue: str = ""
    clue_start: Any = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Passage:
    """A paragraph with what its document says about it."""

    document: Document
    domain: str
    meta: dict[str, Any]


def squad_reader(rules: SquadRules = SquadRules(), key: str = "data") -> Reader:
    """Return a reader for files whose documents are listed under a dotted key."""
    return Reader(SUFFIXES, lambda file: records_of(file, key), partial(_rows, rules))


def _rows(rules: SquadRules, record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    document = record.value
    if "paragraphs" not in document:
        yield from _paragraph_rows(rules, record, origin, document)
        return
    for number, paragraph in enumerate(listed(document, "paragraphs")):
        inner = record.inner(f"paragraphs[{number}]", paragraph)
        yield from guarded(inner, _paragraph_rows(rules, inner, origin, document))


def _paragraph_rows(rules: SquadRules, record: Record, origin: Origin, document: dict[str, Any]) -> Iterator[Outcome]:
    paragraph = record.value
    context = text(paragraph, "context")
    questions = listed(paragraph, "qas") or ([paragraph] if "question" in paragraph else [])
    if missing := record.lacking(passage=context, questions=questions):  # raw text files have no questions
        yield missing
        return
    passage = _passage(origin, record, document, context)
    for number, question in enumerate(questions):
        inner = record if question is paragraph else record.inner(f"qas[{number}]", question)
        yield from guarded(inner, _question_rows(rules, inner, origin, passage))


def _passage(origin: Origin, record: Record, document: dict[str, Any], context: str) -> _Passage:
    title = text(document, "doc_title", "title").replace("_", " ")
    subject = document.get("doc_class")
    published = text(document, "doc_published", "publish_date", "time")
    meta = {
        "document_id": text(document, "doc_id", "content_id", "id") if "paragraphs" in document else "",
        "context_id": text(record.value, "context_id"),
        "table_title": text(record.value, "table_title"),
        "publisher": text(document, "doc_source", "agency"),
        "published": published,
    }
    return _Passage(document_of(origin, context, title), text(subject, "code"), meta)


def _question_rows(rules: SquadRules, record: Record, origin: Origin, passage: _Passage) -> Iterator[Outcome]:
    qa = record.value
    question = text(qa, "question").strip()
    if missing := record.lacking(question=question):
        yield missing
        return
    native_id = text(qa, "question_id", "id")
    kind = kind_of(record.file)
    given = answers_of(qa)
    meta = {
        **passage.meta,
        "kind": kind,
        "qa_type": text(qa, "qa_type", "classtype", "level"),
        "group": native_id.rpartition("_")[0] if rules.group_by_id_stem else passage.document.id,
    }
    make = partial(
        example_of, origin, record, [passage.document], question=question, native_id=native_id, domain=passage.domain
    )
    marked = str(qa["is_impossible"]).lower() in ("true", "1") if "is_impossible" in qa else kind == "unanswerable"
    if marked or (not given and rules.unmarked_is_unanswerable and "is_impossible" not in qa):
        plausible = [a.text for a in given] + [text(p, "text") for p in listed(qa, "plausible_answers")]
        yield make(useful=[False], **{**meta, "kind": "unanswerable", "plausible": plausible})
    elif not given:
        yield record.rejected("no_answer", "neither an answer nor a mark that there is none")
    else:
        yield _answered(record, passage, given, partial(make, **meta))


def _answered(record: Record, passage: _Passage, given: list[GivenAnswer], make: Any) -> Example | Rejection:  # noqa: ANN401
    """Make the row of the first answer that stands in the passage, else of one that its clue or options explain."""
    context = passage.document.text
    for answer in given:
        if place := locate(context, answer.text, answer.start):
            shown = answer_text(context, place)
            others = list(dict.fromkeys(a.text for a in given if a.text != shown))
            span = EvidenceSpan(passage.document.id, place.start, place.end)
            options = list(answer.options)
            return make(answer=shown, evidence=[span], offset=place.how, answers=others, options=options)
    first = given[0]
    clue = locate(context, first.clue, first.clue_start)
    if clue or first.text.strip().lower() in YES_NO or first.text in first.options:
        evidence = [EvidenceSpan(passage.document.id, clue.start, clue.end)] if clue else []
        how = f"clue {clue.how}" if clue else "none"
        return make(answer=first.text.strip(), evidence=evidence, offset=how, options=list(first.options))
    return record.rejected("answer_not_in_context", f"{first.text[:80]!r}, offset {first.start!r}")


def answer_text(context: str, place: Located) -> str:
    """Return the located text; out of an HTML passage, without the tags and entities in it."""
    found = context[place.start : place.end]
    return without_markup(found) if ("<" in found or "&" in found) and has_markup(context) else found


def kind_of(name: str) -> str:
    """Return the kind of question that a file or folder name tells, or an empty string."""
    return next((kind for kind, pattern in KINDS.items() if pattern.search(name)), "")


def answers_of(qa: dict[str, Any]) -> list[GivenAnswer]:
    """Return the answers under `answers` or `answer`, in whichever of the published shapes; empty ones left out."""
    found = []
    for key in ("answers", "answer"):
        for given in listed(qa, key):
            found += _columns(given) if isinstance(given, dict) else [GivenAnswer(str(given))]
    return [a for a in found if a.text.strip()]


def _columns(given: dict[str, Any]) -> list[GivenAnswer]:
    texts = given.get("text", given.get("answer_text"))
    starts = given.get("answer_start")
    if isinstance(texts, list):  # as `datasets` stores it: a dict of lists
        starts = starts if isinstance(starts, list) else [None] * len(texts)
        return [GivenAnswer(str(t), s) for t, s in zip(texts, starts)]
    options = tuple(str(o) for o in listed(given, "options"))
    clue = text(given, "clue_text")
    return [GivenAnswer(text(given, "text", "answer_text"), starts, clue, given.get("clue_start"), options)]
