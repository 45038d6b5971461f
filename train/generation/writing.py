"""The three strategies with a model: a row becomes requests, replies become rows.

Comes in: a row and a way to ask. Goes out: enriched rows and, for what failed, rejections. Knows nothing of networks: asked
with a cache alone it plans instead of calling.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from koqas.koqas_types import Document, Span
from koqas.train.examples import EvidenceSpan, Example, stable_id
from koqas.train.generation.chat import Ask, CallFailed, Message, Reply, Step, request_of
from koqas.train.generation.passages import Passage, closest_passage, passage_around, passages_of
from koqas.train.generation.prompts import (
    VERSION,
    article_messages,
    check_messages,
    question_messages,
    repair_messages,
    summary_messages,
)
from koqas.train.generation.replies import (
    Explanation,
    UnusableReply,
    Verdict,
    WrittenItem,
    checked,
    explanation_of,
    items_of,
    verdict_of,
)
from koqas.train.generation.settings import GenerationSettings
from koqas.train.rejections import Rejection

Outcome: TypeAlias = Example | Rejection
T = TypeVar("T")
LONGEST_SHOWN = 8000  # characters of all documents of a row that a summary is asked for


def rejected(row: Example, reason: str, detail: str) -> Rejection:
    """Return the rejection of a row by this stage, with its place in its file."""
    place = {k: str(row.meta.get(k, "")) for k in ("file", "row")}
    return Rejection("generation", reason, detail, source=row.source, id=row.id, **place)


def misfit(row: Example, strategy: str) -> Rejection | None:
    """Return why a strategy cannot work on a row, None where it can."""
    if strategy == "summary":
        if row.shape == "document":
            return rejected(row, "no_question", "summary explains an answer; use question or article for documents")
        if row.shape == "closed book":
            return rejected(row, "no_document", "nothing to base a summary on")
        return None
    if row.shape != "document":
        return rejected(row, "has_question", f"{strategy} asks about documents; use summary for questions")
    return None


def is_complete(row: Example, strategy: str) -> bool:
    """Tell whether a row needs nothing: its summary is there, or it has no answer to explain."""
    return strategy == "summary" and row.shape == "reading" and bool(row.summary.strip() or not row.answerable)


async def enrich(row: Example, settings: GenerationSettings, ask: Ask) -> list[Outcome]:
    """Apply the strategy to one row.

    Returns:
        `list`: Enriched rows and rejections, at least one of them.

    Raises:
        KoQasError: From `ask`, where no request can succeed.
    """
    try:
        if settings.strategy == "summary":
            return [await _summarized(row, settings, ask)]
        return await _questioned(row, settings, ask)
    except (CallFailed, UnusableReply) as problem:
        return [rejected(row, problem.reason, problem.detail)]


async def _converse(
    ask: Ask, settings: GenerationSettings, messages: list[Message], read: Callable[[Reply], T], step: Step = "write"
) -> T:
    """Ask and read; a reply that cannot be used is shown to the model once, with what is wrong with it."""
    reply = await ask(request_of(messages, settings, step))
    try:
        return read(reply)
    except UnusableReply as problem:
        if problem.reason == "declined":
            raise
        again = repair_messages(messages, reply.text, f"{problem.reason}: {problem.detail}")
    return read(await ask(request_of(again, settings, "repair")))


async def _summarized(row: Example, settings: GenerationSettings, ask: Ask) -> Outcome:
    shown = _shown_documents(row)
    if not shown:
        return rejected(row, "document_too_long", f"over {LONGEST_SHOWN} characters and the answer is not located")
    documents = [p.document for p in shown]
    explanation = await _converse(
        ask,
        settings,
        summary_messages(documents, row.question, row.answer),
        lambda reply: explanation_of(reply, documents, row.answer),
    )
    whole = {p.document.id: (d.id, p.span.start if p.span else 0) for p, d in zip(shown, _useful(row))}
    quotes = [
        EvidenceSpan(whole[q.document][0], q.start + whole[q.document][1], q.end + whole[q.document][1])
        for q in explanation.quotes
    ]
    evidence = tuple(dict.fromkeys((*row.evidence, *quotes)))
    return replace(row, summary=explanation.text, evidence=evidence, meta=_meta(row, settings))


def _useful(row: Example) -> list[Document]:
    return [d for d, useful in zip(row.documents, row.useful) if useful]


def _shown_documents(row: Example) -> list[Passage]:
    """Return the useful documents, long ones cut around the answer; empty where that cannot be done."""
    useful = _useful(row)
    longest = LONGEST_SHOWN // len(useful)
    shown = []
    for document in useful:
        places = [Span(e.start, e.end) for e in row.evidence if e.document == document.id]
        if len(document.text) > longest and not places:
            return []
        shown.append(passage_around(document, places[0] if places else Span(0, 0), longest))
    return shown


async def _questioned(row: Example, settings: GenerationSettings, ask: Ask) -> list[Outcome]:
    if settings.strategy == "question" and not row.summary.strip():
        return [rejected(row, "no_summary", "question needs a document with a summary; use article without one")]
    passages = [p for d in _useful(row) for p in passages_of(d, settings.longest_passage)]
    if not passages:
        return [rejected(row, "document_too_short", "no passage is long enough to ask about")]
    count = settings.questions_per_document
    if settings.strategy == "question":
        passages = [closest_passage(passages, row.summary)]
    else:
        passages = spread(passages, count)
    each = -(-count // len(passages))
    asked = [_about(row, p, each, settings, ask) for p in passages]
    found = await asyncio.gather(*asked, return_exceptions=True)
    outcomes: list[Outcome] = []
    for result in found:
        if isinstance(result, (CallFailed, UnusableReply)):
            outcomes.append(rejected(row, result.reason, result.detail))
        elif isinstance(result, BaseException):
            raise result
        else:
            outcomes += result
    return outcomes


def spread(passages: Sequence[Passage], count: int) -> list[Passage]:
    """Return at most `count` passages, evenly over all of them."""
    taken = min(count, len(passages))
    return [passages[i * len(passages) // taken] for i in range(taken)]


async def _about(row: Example, passage: Passage, count: int, settings: GenerationSettings, ask: Ask) -> list[Outcome]:
    document = passage.document
    if settings.strategy == "question":
        messages = question_messages(document, row.summary, count)
    else:
        messages = article_messages(document, count)
    items = await _converse(ask, settings, messages, lambda reply: items_of(reply, document, count))
    outcomes: list[Outcome] = []
    for item in items:
        if isinstance(item, UnusableReply):
            outcomes.append(rejected(row, item.reason, item.detail))
        elif settings.strategy == "question":
            outcomes.append(_row_of(row, passage, item, settings))
        else:
            outcomes.append(await _checked(row, passage, item, settings, ask))
    return outcomes


async def _checked(
    row: Example, passage: Passage, item: WrittenItem, settings: GenerationSettings, ask: Ask
) -> Outcome:
    """Have every claim compared with the text; keep what it supports."""
    claims = [item.answer, *item.explanation.sentences]
    verdict: Verdict = await _converse(
        ask,
        settings,
        check_messages(passage.document, item.question, claims),
        lambda reply: verdict_of(reply, passage.document, len(claims)),
        "check",
    )
    if not verdict.supported[0]:
        return rejected(row, "answer_unsupported", f"the text does not say {item.answer[:80]!r}")
    if verdict.trust < settings.least_trust:
        return rejected(row, "low_trust", f"trust {verdict.trust:g} below {settings.least_trust:g}")
    pairs = list(zip(item.explanation.sentences, item.explanation.quotes, verdict.supported[1:]))
    removed = [sentence for sentence, _, supported in pairs if not supported]
    if len(removed) == len(pairs):
        return rejected(row, "summary_unsupported", f"the text supports none of {len(removed)} sentences")
    left = Explanation(tuple(s for s, _, ok in pairs if ok), tuple(q for _, q, ok in pairs if ok))
    try:
        explanation = checked(left, item.answer if item.place else "")
    except UnusableReply as problem:
        return rejected(row, problem.reason, problem.detail)
    extra: dict[str, Any] = {"trust": verdict.trust, **({"removed": removed} if removed else {})}
    return _row_of(row, passage, replace(item, explanation=explanation), settings, **extra)


def _row_of(
    row: Example,
    passage: Passage,
    item: WrittenItem,
    settings: GenerationSettings,
    **extra: Any,  # noqa: ANN401
) -> Outcome:
    evidence = [*([item.place] if item.place else []), *item.explanation.quotes]
    meta = {**_meta(row, settings), **passage.meta, **extra}
    return question_row(row, passage.document, item.question, item.explanation.text, item.answer, evidence, meta)


def question_row(
    row: Example,
    document: Document,
    question: str,
    summary: str,
    answer: str,
    evidence: Sequence[EvidenceSpan],
    meta: dict[str, Any],
) -> Outcome:
    """Make the row of a question about a document row, or a rejection where it would not be valid."""
    made = Example(
        id=stable_id(row.source, row.id, document.id, question, answer),
        source=row.source,
        license=row.license,
        domain=row.domain,
        question=question,
        documents=(document,),
        useful=(True,),
        summary=summary,
        answer=answer,
        evidence=tuple(dict.fromkeys(evidence)),
        answerable=True,
        meta={**meta, "parent": row.id, "group": row.meta.get("group", row.id)},
    )
    problems = made.problems()
    return rejected(row, "invalid_row", "; ".join(problems)) if problems else made


def _meta(row: Example, settings: GenerationSettings) -> dict[str, Any]:
    made = {"generated": settings.model, "strategy": settings.strategy, "prompts": VERSION}
    return {**row.meta, **made}
