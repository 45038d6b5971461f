"""The verification stage: rows in; each leaves with a certificate, or as a rejection with the reason.

`paired` looks at the whole run and comes first: it gives each question its wrong passage and drops questions that are
asked twice. `Verifier` then needs one row at a time, so rows can be checked on many machines.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from koqas.koqas_types import Document
from koqas.train.dedup.canonical import canonical
from koqas.train.dedup.contamination import Benchmark
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.privacy.findings import NAME
from koqas.train.privacy.identifiers import identifiers_in
from koqas.train.privacy.names import KiwiNames, NameFinder
from koqas.train.rejections import Rejection, RejectionLog
from koqas.train.sources.locating import locate
from koqas.train.verification.answerability import Answerability, Judge
from koqas.train.verification.certificate import AnswerPlace, Certificate, CheckedSentence
from koqas.train.verification.neighbours import Neighbours, group_of, pieces_of
from koqas.train.verification.support import SentenceSupport, passage_sentences, support_of

WRONG = "wrong_passage"  # key of `meta` between `paired` and `Verifier`, gone afterwards
# Least share of a summary sentence's content morphemes in its evidence. Of 348 summaries that people wrote for the
# written set's development questions 98.0 % reach it with their own passage, 2.3 % with the BM25 neighbour.
LEAST_SUPPORT = 0.6


@dataclass(frozen=True)
class VerificationPolicy:
    """What a row must hold.

    Args:
        least_support (`float`): See `LEAST_SUPPORT`.
        names (`NameFinder`): Finds names.
        keeps_names (`frozenset[str]`): Sets whose names were not masked.
        foreign (`frozenset[str]`): Sets in another language than Korean: no judge of answers or summaries reads them.
        benchmarks (`tuple[Benchmark, ...]`): What rows must not overlap.
    """

    least_support: float = LEAST_SUPPORT
    names: NameFinder = field(default_factory=KiwiNames)
    keeps_names: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    benchmarks: tuple[Benchmark, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where an answer stands."""

    how: AnswerPlace
    span: EvidenceSpan = EvidenceSpan("", 0, 0)


def paired(read: Callable[[], Iterable[Example]], log: RejectionLog) -> Iterator[Example]:
    """Give each row the likeliest wrong passage of the run, as `meta["wrong_passage"]`.

    Args:
        read (`Callable`): Opens the rows of the run; called twice.
        log (`RejectionLog`): Takes the questions that were asked before about the same documents.
    """
    neighbours = Neighbours(read())
    asked: dict[tuple[str, str], str] = {}
    for row in read():
        key = (group_of(row), canonical(row.question))
        first = asked.setdefault(key, row.id)
        if first != row.id:
            log.add(_rejected(row, "same_question", f"keeps {first}"))
            continue
        wrong = neighbours.wrong_passage(row) if row.question else None
        stored = {"id": wrong.id, "title": wrong.title, "text": wrong.text} if wrong else None
        yield replace(row, meta={**row.meta, WRONG: stored})


class Verifier:
    """Checks paired rows one at a time.

    Args:
        policy (`VerificationPolicy`): What a row must hold.
    """

    def __init__(self, policy: VerificationPolicy) -> None:
        self._policy = policy
        self._judge = Judge()
        self._identifiers = lru_cache(maxsize=4000)(lambda text: {f.kind for f in identifiers_in(text)})

    def check(self, row: Example) -> Example | Rejection:
        """Return the row with its certificate in `meta`, or the reason why it has none."""
        wrong = row.meta.get(WRONG)
        row = replace(row, meta={k: v for k, v in row.meta.items() if k not in (WRONG, "certificate")})
        if row.shape != "reading":
            return _rejected(row, row.shape.replace(" ", "_"), "nothing in the row proves an answer")
        place = _answer_place(row)
        if place is None:
            return _rejected(row, "answer_not_located", f"{row.answer[:80]!r} stands in no useful document")
        if left := self._personal_data(row):
            return _rejected(row, "personal_data", f"left after masking: {', '.join(sorted(left))}")
        if overlap := self._overlap(row):
            return _rejected(row, *overlap)
        korean = row.source not in self._policy.foreign
        supports = self._supports(row) if korean and row.summary else ()
        if flaw := self._unsupported(supports):
            return _rejected(row, "summary_unsupported", flaw)
        judged = self._judged(row, place, Document(**wrong) if wrong else None) if korean else None
        if judged and row.answerable and judged.flaw:
            detail = f"log-odds {judged.here} here, {judged.elsewhere} in {wrong['id'] if wrong else 'nothing'}"
            return _rejected(row, judged.flaw, detail)
        certificate = self._certificate(row, place, supports, judged, wrong["id"] if wrong and judged else "")
        return replace(row, meta={**row.meta, "certificate": certificate.to_dict()})

    def _personal_data(self, row: Example) -> set[str]:
        """Kinds left. Documents are as the privacy stage left them, so names are looked for in the other texts."""
        own = [t for t in (row.question, row.summary, row.answer) if t]
        texts = [*own, *(t for d in row.documents for t in (d.title, d.text))]
        left = {kind for t in texts for kind in self._identifiers(t)}
        if row.source not in self._policy.keeps_names:
            # A name that its own documents show stands there because the stage did not take it for one.
            shown = " ".join(d.text for d in row.documents)
            for text, findings in zip(own, self._policy.names(own)):
                left |= {f.kind for f in findings if f.kind == NAME and f.quote(text) not in shown}
        return left

    def _overlap(self, row: Example) -> tuple[str, str] | None:
        for benchmark in self._policy.benchmarks:
            if found := benchmark.overlap(row):
                return f"benchmark_{found}", f"overlaps {benchmark.name}"
        return None

    def _supports(self, row: Example) -> tuple[SentenceSupport, ...]:
        useful = [d for d, u in zip(row.documents, row.useful) if u] or list(row.documents)
        passages = [p for d in useful for p in passage_sentences(d.id, self._judge.sentences(d.text))]
        texts = [row.question, *(t for d in useful for t in (d.title, d.text))]
        return support_of(self._judge.sentences(row.summary), passages, texts)

    def _unsupported(self, supports: Sequence[SentenceSupport]) -> str:
        for support in supports:
            if support.missing:
                return f"summary [{support.start}, {support.end}): no passage holds {', '.join(support.missing[:5])}"
            if support.share < self._policy.least_support:
                return f"summary [{support.start}, {support.end}): {support.share} < {self._policy.least_support}"
        return ""

    def _judged(self, row: Example, place: _Place, wrong: Document | None) -> Answerability:
        """Judge with the piece of a long document that holds the answer, since the wrong passage is a piece as well."""
        useful = [d for d, u in zip(row.documents, row.useful) if u] or list(row.documents)
        pieces = [p for d in useful for p in _around(d, place)]
        return self._judge.judge(row.question, pieces, wrong)

    def _certificate(
        self,
        row: Example,
        place: _Place,
        supports: Sequence[SentenceSupport],
        judged: Answerability | None,
        wrong: str,
    ) -> Certificate:
        return Certificate(
            answer=place.how,
            answer_document=place.span.document,
            answer_start=place.span.start,
            answer_end=place.span.end,
            summary=tuple(CheckedSentence(s.start, s.end, s.evidence, s.share) for s in supports),
            answerable_here=judged.here if judged else None,
            answerable_elsewhere=judged.elsewhere if judged else None,
            elsewhere_exact=judged.exact if judged else True,
            wrong_passage=wrong,
            personal_data=0,
            names_checked=row.source not in self._policy.keeps_names,
            document_cluster=group_of(row),
            benchmarks=tuple(b.name for b in self._policy.benchmarks),
            license=row.license,
            published=str(row.meta.get("published", "")),
        )


def _answer_place(row: Example) -> _Place | None:
    """Find the answer: the evidence that is it, then evidence that holds it, then anywhere in a useful document."""
    if not row.answerable:
        return _Place("none")
    for span, quote in zip(row.evidence, row.quotes()):
        if quote == row.answer:
            return _Place("quoted", span)
    for span, quote in zip(row.evidence, row.quotes()):
        if found := locate(quote, row.answer):
            return _Place("quoted", EvidenceSpan(span.document, span.start + found.start, span.start + found.end))
    if row.evidence:
        return _Place("derived", row.evidence[0])
    for document, useful in zip(row.documents, row.useful):
        if useful and (found := locate(document.text, row.answer)):
            return _Place("quoted", EvidenceSpan(document.id, found.start, found.end))
    return None


def _around(document: Document, place: _Place) -> list[Document]:
    """Return the pieces of a document that hold the answer, or all of them where it has none."""
    pieces = pieces_of(document)
    if place.how == "none" or place.span.document != document.id or len(pieces) == 1:
        return pieces
    starts = [int(p.id.rsplit("#", 1)[1]) for p in pieces]
    ends = [*starts[1:], len(document.text)]
    return [p for p, s, e in zip(pieces, starts, ends) if s < place.span.end and place.span.start < e]


def _rejected(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection("verification", reason, detail, source=row.source, id=row.id)
