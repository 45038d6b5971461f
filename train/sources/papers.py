"""KISTI AIDA 국내 논문: questions on Korean papers, and the companion set of full texts.

Comes in: one JSON for each paper, either `{doc_id, context, qas}` or `{doc_id, title, abstract, body_text}`. Goes
out: reading rows with a window of the paper around the answer, and document rows whose summary is the abstract.
"""

from collections.abc import Iterator

from koqas.train.examples import EvidenceSpan
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, guarded
from koqas.train.sources.locating import locate
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.tables import records_of

AROUND = 1500  # characters before and after the answer: a whole paper (~30,000) would be copied into each of its rows
LEVELS = {"0": "일반", "1": "하", "2": "상"}


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    if "body_text" in record.value:
        yield from _full_text_rows(record, origin)
        return
    questions = listed(record.value, "qas")
    if missing := record.lacking(passage=text(record.value, "context"), questions=questions):
        yield missing
        return
    for number, qa in enumerate(questions):
        inner = record.inner(f"qas[{number}]", qa)
        yield from guarded(inner, _question_rows(inner, origin, record))


def _question_rows(record: Record, origin: Origin, paper: Record) -> Iterator[Outcome]:
    context = text(paper.value, "context")
    question = text(record.value, "question").strip()
    answer = record.value.get("answer") or {}
    given = text(answer, "answer_text", "text")
    if missing := record.lacking(question=question, answer=given):
        yield missing
        return
    place = locate(context, given, answer.get("answer_start"))
    if place is None:
        yield record.rejected("answer_not_in_context", f"{given[:80]!r}, offset {answer.get('answer_start')!r}")
        return
    start, end = _window(context, place.start, place.end)
    document = document_of(origin, context[start:end], context.partition("\n")[0].strip())
    level = text(record.value, "level")
    yield example_of(
        origin,
        record,
        [document],
        question=question,
        answer=context[place.start : place.end],
        evidence=[EvidenceSpan(document.id, place.start - start, place.end - start)],
        native_id=text(record.value, "id", "question_id"),
        kind="span",
        offset=place.how,
        level=LEVELS.get(level, level),
        document_id=text(paper.value, "doc_id"),
        group=text(paper.value, "doc_id") or document.id,
        window=[start, end],
    )


def _window(context: str, start: int, end: int) -> tuple[int, int]:
    """Return the stretch around the answer, cut at line ends where there are any."""
    left, right = max(0, start - AROUND), min(len(context), end + AROUND)
    if left > 0:
        left = context.find("\n", left, start) + 1 or left
    if right < len(context):
        line_end = context.rfind("\n", end, right)
        right = line_end if line_end > 0 else right
    return left, right


def _full_text_rows(record: Record, origin: Origin) -> Iterator[Outcome]:
    paper = record.value
    sections = [(text(s, "section"), listed(s, "text")) for s in listed(paper, "body_text")]
    body = "\n".join(line for title, lines in sections for line in (title, *map(str, lines)) if line.strip())
    if missing := record.lacking(passage=body):
        yield missing
        return
    document = document_of(origin, body, text(paper.get("title"), "ko", "en"))
    yield example_of(
        origin,
        record,
        [document],
        summary=text(paper.get("abstract"), "ko", "en"),
        native_id=text(paper, "doc_id"),
        kind="full text",
        keywords=listed(paper.get("keywords"), "ko"),
    )


READER = Reader(frozenset({".json"}), lambda file: records_of(file, ""), _rows)
