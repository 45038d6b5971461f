"""One question on its way through the stages: what is known about its words, what was found, how long it took.

Knows the index, the ranker and Korean text; knows nothing of language models or of the order of the stages.
"""

import time
from collections.abc import Iterable
from dataclasses import replace

from .koqas_docquest import Passage
from .koqas_options import AskOptions
from .koqas_prompts import ABSTENTION
from .koqas_ranker import AnalyzedQuestion, Ranker
from .koqas_retrieval import Index, Query, query_of
from .koqas_text import (
    AnalyzedSentence,
    matching_forms,
    one_sentence,
    overlap_weight,
    search_tokens,
    sentences_of,
    shared_in,
)
from .koqas_types import Chunk, Composition, Result, ScoredChunk


class Inquiry:
    """One question on its way: its query tokens, their inverse document frequencies, and what it has found."""

    def __init__(self, question: str, index: Index, options: AskOptions, ranker: Ranker | None = None) -> None:
        self.question, self.index, self.options, self.ranker = question, index, options, ranker
        self.asked: AnalyzedQuestion | None = ranker.question(question) if ranker else None
        self.text = self.asked.text if self.asked else question  # what spans of shared words point into
        self.query: Query = query_of(question)
        # A corpus' weights tell a question's words apart better than those of a handful of the user's documents.
        self.weights = (
            {t: ranker.weights[t] for t in self.query.tokens} if ranker else index.token_weights(self.query.tokens)
        )
        self._covered: dict[tuple[str, str], float] = {}

    def search(self, turn: int, seen: list[ScoredChunk]) -> list[ScoredChunk]:
        """Retrieve chunks not seen before; later rounds look wider, with the keywords of the question alone."""
        options = self.options
        query = self.query if turn == 1 else query_of(self.question, reformulated=True)
        wanted = options.top_k * turn
        found = self.index.search(query, wanted + len(seen), lexical=options.lexical, dense=options.dense)
        known = {(s.chunk.document, s.chunk.number) for s in seen}
        fresh = [s for s in found if (s.chunk.document, s.chunk.number) not in known][:wanted]
        for s in fresh:
            s.round = turn
        self.meet(fresh)
        return fresh

    def meet(self, found: Iterable[ScoredChunk]) -> None:
        """Look up how much of the question the found chunks and their sentences cover."""
        for s in found:
            whole, each = self.index.coverage(self.weights, s.chunk)
            self._covered |= {(x.text, ""): share for x, share in zip(s.chunk.sentences, each, strict=True)}
            self._covered[s.chunk.text, s.chunk.title] = whole

    def coverage(self, text: str, title: str) -> float:
        """Return the share (0..1) of the question's inverse-document-frequency weight that a text's words cover.

        Texts of found chunks (with their title) and of their sentences (without) are known; others are analyzed.
        """
        if (known := self._covered.get((text, title))) is not None:
            return known
        held = {t for s in sentences_of(f"{title}\n{text}") for t in search_tokens(s.tokens, s.text)}
        return overlap_weight(self.weights, held)

    def passage(self, chunk: Chunk) -> Passage:
        """Describe a chunk for judgement: coverage, shared words, and what the ranker says."""
        seen = self.glance(chunk)
        return replace(seen, support=self.support(chunk))

    def glance(self, chunk: Chunk) -> Passage:
        """Describe a chunk for the first pass, which the ranker has no part in: reading is what costs time."""
        coverage = self.coverage(chunk.text, chunk.title)
        if self.asked is None:
            return Passage(chunk.text, chunk.title, coverage)
        titled = [one_sentence(chunk.title)] if chunk.title else []
        forms = matching_forms(m for s in (*titled, *_analyzed(chunk)) for m in s.tokens)
        return Passage(chunk.text, chunk.title, coverage, shared=shared_in(self.asked.sentences, forms))

    def support(self, chunk: Chunk) -> float:
        """Return the ranker's log-odds that a chunk holds an answer; 0 without a ranker."""
        if self.asked is None or self.ranker is None or not self.options.ranker:
            return 0.0
        return self.ranker.read(self.asked, _analyzed(chunk), chunk.title).answerability


def _analyzed(chunk: Chunk) -> list[AnalyzedSentence]:
    return [one_sentence(s.text) for s in chunk.sentences]


class Stopwatch:
    """Seconds spent in each stage; `total` is their sum."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.timings: dict[str, float] = {"retrieval": 0.0, "judgement": 0.0, "generation": 0.0, "total": 0.0}

    def lap(self, stage: str) -> None:
        """Add the time since the last lap to a stage."""
        now = time.perf_counter()
        self.timings[stage] += now - self._last
        self.timings["total"] += now - self._last
        self._last = now

    def resume(self) -> None:
        """Leave out the time since the last lap: whoever reads the events took it."""
        self._last = time.perf_counter()


def merit(scored: ScoredChunk) -> tuple[float, float, float]:
    """Order chunks: by usefulness, else relevance, else retrieval."""
    absent = -1.0
    return (
        absent if scored.usefulness is None else scored.usefulness,
        absent if scored.first_pass is None else scored.first_pass,
        scored.fused,
    )


def conclude(
    question: str, composition: Composition | None, ranked: list[ScoredChunk], timings: dict[str, float]
) -> Result:
    """Make a result of a composition, or an abstention where there is none."""
    if composition is None:
        best = max((s.usefulness for s in ranked if s.usefulness is not None), default=0.0)
        return Result(question, "", ABSTENTION, False, 1.0 - best, [], ranked, timings)
    c = composition
    return Result(question, c.summary, c.answer, True, c.confidence, list(c.evidence), ranked, timings)
