"""Choose summary sentences and the answer with the trained pair: the ranker and the language model's verdicts.

Each kept chunk is read alone: its best sentences by lexical score, their candidate spans, a ranker score and a verdict
for each. A weighted sum of both is the candidate's log-odds against "not answered here"; the weights are fitted on
written questions (train/calibrate.py). The candidates of all chunks then compete, and the summary is the sentences
that hold most of the probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .koqas_ranker import AnalyzedQuestion, Ranker
from .koqas_reader import Reader
from .koqas_text import AnalyzedSentence, matching_forms, one_sentence, shared_in
from .koqas_types import ScoredChunk, Span

IMPOSSIBLE = -50.0


@dataclass(frozen=True)
class ReadingWeights:
    """How ranker score and verdict make one log-odds: `ranker` * score + `verdict` * verdict + `bias`."""

    ranker: float = 1.0
    verdict: float = 0.0
    bias: float = 0.0


@dataclass(frozen=True)
class ReadingSettings:
    """Weights for the pair and for each of the two alone, and when nothing is answered.

    Args:
        both, ranker_alone, verdict_alone (`ReadingWeights`): Fitted weights.
        threshold (`float`): Probability that some candidate is right below which nothing is answered.
    """

    both: ReadingWeights = field(default_factory=ReadingWeights)
    ranker_alone: ReadingWeights = field(default_factory=ReadingWeights)
    verdict_alone: ReadingWeights = field(default_factory=lambda: ReadingWeights(0.0, 1.0))
    threshold: float = 0.0

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "ReadingSettings":
        """Read the `reading` block of config.json."""
        values: dict[str, Any] = {k: ReadingWeights(**v) if isinstance(v, dict) else v for k, v in row.items()}
        return cls(**values)


@dataclass(frozen=True)
class ReadSentence:
    """A sentence that was read, with its chunk and its place among the chunk's sentences."""

    scored: ScoredChunk
    number: int
    analyzed: AnalyzedSentence


@dataclass(frozen=True)
class ReadCandidate:
    """A candidate answer with its two scores; `owner` counts the sentences of its `ReadChunk`."""

    owner: int
    span: Span
    ranked: float
    verdict: float


@dataclass(frozen=True)
class ReadChunk:
    """A chunk that was read: sentences in order, candidates in order."""

    sentences: list[ReadSentence]
    candidates: list[ReadCandidate]


@dataclass(frozen=True)
class Choice:
    """What was chosen: summary sentences in reading order, the answer, its sentence and its probability."""

    summary: list[ReadSentence]
    answer: str
    source: ReadSentence
    chance: float


class Answers:
    """Reads chunks with the ranker and the language model.

    Args:
        ranker (`Ranker`): The ranker.
        reader (`Reader`): The language model's verdicts.
        settings (`ReadingSettings`): Fitted weights.
    """

    def __init__(self, ranker: Ranker, reader: Reader, settings: ReadingSettings) -> None:
        self.ranker, self.reader, self.settings = ranker, reader, settings

    def read(self, question: AnalyzedQuestion, scored: ScoredChunk, *, model: bool = True) -> ReadChunk:
        """Score the candidates of a chunk's best sentences; `model=False` leaves the verdicts 0."""
        chunk = scored.chunk
        analyzed = [one_sentence(s.text) for s in chunk.sentences]
        passage = self.ranker.read(question, analyzed, chunk.title)
        shown, view, ranked = passage.sentences, passage.view, passage.scores
        starts = [0, *np.cumsum([len(s.text) + 1 for s in shown]).tolist()]
        spans = [Span(starts[n] + s.start, starts[n] + s.end) for n, s in view.places]
        verdicts = [0.0] * len(spans)
        if model and spans:
            forms = matching_forms(m for s in question.sentences for m in s.tokens)
            summary = " ".join(s.text for s in shown)
            verdicts = self.reader.verdicts(chunk.title, question.text, summary, shared_in(shown, forms), spans)
        numbers = [next(i for i, a in enumerate(analyzed) if a is s) for s in shown]
        return ReadChunk(
            [ReadSentence(scored, n, s) for n, s in zip(numbers, shown, strict=True)],
            [ReadCandidate(n, s, r, v) for (n, s), r, v in zip(view.places, ranked, verdicts, strict=True)],
        )

    def choose(
        self,
        question: AnalyzedQuestion,
        kept: Sequence[ScoredChunk],
        most: int,
        threshold: float | None = None,
        *,
        ranker: bool = True,
        model: bool = True,
    ) -> Choice | None:
        """Choose up to `most` summary sentences and the answer.

        Args:
            question (`AnalyzedQuestion`): What is asked.
            kept (`Sequence[ScoredChunk]`): Chunks to read.
            most (`int`): Sentences of the summary.
            threshold (`float`, *optional*): Replaces that of the settings.
            ranker (`bool`): Use the ranker's scores.
            model (`bool`): Use the model's verdicts.

        Returns:
            `Choice | None`: None when there is no candidate, or when "not answered here" is likelier than the
            threshold allows.
        """
        weights = self.weights(ranker=ranker, model=model)
        chunks = [self.read(question, s, model=model) for s in kept]
        odds = [combined(c, weights) for c in chunks]
        answerable = [float(np.logaddexp.reduce([*o, IMPOSSIBLE])) for o in odds]
        usefulness = [1.0 if s.usefulness is None else max(s.usefulness, 1e-6) for s in kept]
        rows = [
            (float(o) - np.logaddexp(0.0, a) + np.log(u), chunk, candidate)
            for chunk, values, a, u in zip(chunks, odds, answerable, usefulness, strict=True)
            for candidate, o in zip(chunk.candidates, values, strict=True)
        ]
        bar = self.settings.threshold if threshold is None else threshold
        if not rows or max(1 / (1 + np.exp(-a)) for a in answerable) < bar:
            return None
        best, chunk, candidate = max(rows, key=lambda r: r[0])
        source = chunk.sentences[candidate.owner]
        answer = source.analyzed.text[candidate.span.start : candidate.span.end]
        mass: dict[int, float] = {}
        held: dict[int, ReadSentence] = {}
        for value, of, c in rows:
            sentence = of.sentences[c.owner]
            held[id(sentence)] = sentence
            mass[id(sentence)] = mass.get(id(sentence), 0.0) + float(np.exp(value))
        order = sorted(held.values(), key=lambda s: (s is not source, -mass[id(s)]))[:most]
        places = {id(s): n for n, s in enumerate(kept)}
        order.sort(key=lambda s: (places[id(s.scored)], s.number))
        return Choice(order, answer, source, float(np.exp(best)))

    def weights(self, *, ranker: bool, model: bool) -> ReadingWeights:
        """Return the fitted weights of the parts in use."""
        if ranker and model:
            return self.settings.both
        return self.settings.ranker_alone if ranker else self.settings.verdict_alone


def combined(chunk: ReadChunk, weights: ReadingWeights) -> np.ndarray:
    """Return each candidate's log-odds against "not answered here"."""
    ranked = np.array([c.ranked for c in chunk.candidates])
    verdicts = np.array([c.verdict for c in chunk.candidates])
    return weights.ranker * ranked + weights.verdict * verdicts + weights.bias
