"""The offline backend: the three strategies by rules, so that the whole line runs without a model or a key.

Comes in: a row. Goes out: enriched rows whose answer and summary are quotes of the document, with their places as
evidence; what no rule fits leaves a rejection. The same row and seed give the same result.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from koqas.koqas_types import Document, Span
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.generation.aligning import aligned
from koqas.train.generation.askable import askable_questions
from koqas.train.generation.decisions import DecidedQuestion, conclusion_of, decided_questions
from koqas.train.generation.explaining import (
    PlacedSentence,
    closest,
    explaining,
    placed_sentences,
    spans_in,
    summary_of,
)
from koqas.train.generation.passages import Passage, passage_around, passages_of
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.writing import LONGEST_SHOWN, Outcome, question_row, rejected
from koqas.train.sources.locating import Located, locate

# How like the body a holding must be (1 - edit distance). Read on 250 holdings: from .85 on the two say the same in the
# words of the same sentence, which holds for six in ten.
LIKE_CONCLUSION, LIKE_HOLDING = 0.85, 0.8
TRIED_PASSAGES = 4  # for each question wanted; most sentences of a long document make none
# A title that a question can lean on: `…법에서 위원회의 회의는 무엇으로 의결하는가?`
LAW_TITLE = re.compile(r"[^#|]{1,60}(법|법률|규칙|규정|령|조례|조약|협정|협약|헌법)")


class RuleBackend:
    """Applies a strategy by rules.

    Args:
        settings (`GenerationSettings`): Strategy, seed, numbers and lengths.
    """

    def __init__(self, settings: GenerationSettings) -> None:
        self._settings = settings

    def enrich(self, row: Example) -> list[Outcome]:
        """Return enriched rows and rejections, at least one of them."""
        if self._settings.strategy == "summary":
            return [self._summarized(row)]
        made: list[Outcome] = []
        if self._settings.strategy == "question" and row.meta.get("issue"):
            made += self._decided(row)
        if not made:
            made += self._asked(row, self._settings.questions_per_document)
        return made or [rejected(row, "no_rule_fits", "no sentence of the document makes a question")]

    def _meta(self, row: Example, **extra: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        kept = {k: v for k, v in row.meta.items() if k != "issue"}
        return {**kept, "generated": "rules", "strategy": self._settings.strategy, **extra}

    def _summarized(self, row: Example) -> Outcome:
        """Quote the sentences that hold the answer, or most of a free-form one."""
        useful = [d for d, is_useful in zip(row.documents, row.useful) if is_useful]
        for document in useful:
            spans = [Span(e.start, e.end) for e in row.evidence if e.document == document.id]
            if not spans and (found := locate(document.text, row.answer)):
                spans = [Span(found.start, found.end)]
            passage = passage_around(document, spans[0] if spans else Span(0, 0), LONGEST_SHOWN)
            shift = passage.span.start if passage.span else 0
            sentences = placed_sentences(passage.document)
            if spans:
                chosen = explaining(sentences, row.question, Span(spans[0].start - shift, spans[0].end - shift))
            else:
                chosen = closest(sentences, row.question, row.answer)
            if chosen:
                quotes = [
                    EvidenceSpan(document.id, s.start + shift, s.end + shift)
                    for s in spans_in(passage.document, chosen)
                ]
                located = [EvidenceSpan(document.id, s.start, s.end) for s in spans[:1]]
                evidence = tuple(dict.fromkeys((*row.evidence, *located, *quotes)))
                return replace(row, summary=summary_of(chosen), evidence=evidence, meta=self._meta(row))
        return rejected(row, "answer_not_located", "no sentence of a useful document holds the answer")

    def _decided(self, row: Example) -> list[Outcome]:
        """Make rows of a decision's issues whose holding the body repeats."""
        document = next(d for d, useful in zip(row.documents, row.useful) if useful)
        pairs = decided_questions(str(row.meta["issue"]), row.summary)
        rows = [self._decision_row(row, document, pair) for pair in pairs]
        return [r for r in rows if r][: self._settings.questions_per_document]

    def _decision_row(self, row: Example, document: Document, pair: DecidedQuestion) -> Outcome | None:
        """Make the conclusion of a holding the answer, the place that it was taken from the evidence.

        Returns:
            `Example | Rejection | None`: None where the body words the conclusion otherwise.
        """
        longest = self._settings.longest_passage
        end = aligned(document.text, conclusion_of(pair.holding), LIKE_CONCLUSION)
        if end is None:
            return None
        whole = aligned(document.text, pair.holding, LIKE_HOLDING)
        place = end.span
        if whole and whole.span.start < place.end and place.start < whole.span.end:
            joined = Span(min(whole.span.start, place.start), max(whole.span.end, place.end))
            place = joined if joined.end - joined.start <= longest else place
        passage = passage_around(document, place, longest)
        shift = passage.span.start if passage.span else 0
        answer = conclusion_of(pair.holding)
        evidence = [EvidenceSpan(passage.document.id, place.start - shift, place.end - shift)]
        if literal := locate(passage.document.text, answer):
            answer = passage.document.text[literal.start : literal.end]
            evidence.insert(0, EvidenceSpan(passage.document.id, literal.start, literal.end))
        return question_row(
            row, passage.document, pair.question, pair.holding, answer, evidence, self._meta(row, **passage.meta)
        )

    def _asked(self, row: Example, most: int) -> list[Outcome]:
        """Make questions of the document's own sentences, spread over its passages."""
        rng = random.Random(f"{self._settings.seed}:{row.id}")
        passages = [
            p
            for d, useful in zip(row.documents, row.useful)
            if useful
            for p in passages_of(d, self._settings.longest_passage)
        ]
        rng.shuffle(passages)
        made: list[Outcome] = []
        each = -(-most // max(1, len(passages)))
        for passage in passages[: TRIED_PASSAGES * most]:
            made += self._questions_in(row, passage, min(each, most - len(made)), rng)
            if len(made) >= most:
                break
        return made

    def _questions_in(self, row: Example, passage: Passage, most: int, rng: random.Random) -> Iterator[Outcome]:
        document = passage.document
        sentences = placed_sentences(document)
        title = document.title.strip() if LAW_TITLE.fullmatch(document.title.strip()) else ""
        for question in askable_questions([s.analyzed for s in sentences], title, most, rng):
            sentence = next(s for s in sentences if s.analyzed.text == question.sentence)
            place = _answer_place(document, sentence, question.answer)
            if place is None:
                continue
            chosen = explaining(sentences, question.question, Span(place.start, place.end))
            evidence = [place, *spans_in(document, chosen)]
            answer = document.text[place.start : place.end]
            meta = self._meta(row, **passage.meta)
            yield question_row(row, document, question.question, summary_of(chosen), answer, evidence, meta)


def _answer_place(document: Document, sentence: PlacedSentence, answer: str) -> EvidenceSpan | None:
    found: Located | None = locate(document.text[sentence.place.start : sentence.place.end], answer)
    if found is None:
        return None
    return EvidenceSpan(document.id, sentence.place.start + found.start, sentence.place.start + found.end)
