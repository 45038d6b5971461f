"""Whether a passage answers a question, judged by this project's ranker and by the words of the question.

Comes in: a question, passages. Goes out: log-odds, the sum of two signs weighted by logistic regression on the 696
answerable development questions of the written set (their own passage against the BM25 neighbour): the ranker's log-odds
that some phrase is the answer, and the share of the question's weight that the passage's words cover. The second does
nearly all of it (AUROC .974 alone, .975 together). The weights were fitted with an earlier ranker, whose log-odds had the
same range as those of the span networks used here; the encoder is left out, since it costs four times what they cost.
Both know Korean only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from koqas.koqas_ranker import NOTHING, RANKER_FILE, AnalyzedQuestion, Ranker, ScoreMix, best_sentences
from koqas.koqas_text import AnalyzedSentence, overlap_weight, search_tokens, sentences_of
from koqas.koqas_types import Document

SUPPORT, COVERAGE, BIAS = 0.1411, 18.749, -8.070
# 97.7 % of the answerable questions reach it with their own passage, 18.5 % with the neighbour.
LEAST_HERE = -2.0
SENTENCES = 3  # of a passage whose phrases the ranker looks at
MOST_LOG_ODDS = 12.0  # of the ranker; 10.3 was the most over 1,392 passages
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Answerability:
    """Log-odds that a question is answered by its passage, and by a wrong one.

    Args:
        here (`float`): With the row's own useful passages, the best of them.
        elsewhere (`float | None`): With the wrong passage; None without one.
        exact (`bool`): False where `elsewhere` is an upper bound, which already lies below `here`.
    """

    here: float
    elsewhere: float | None
    exact: bool

    @property
    def flaw(self) -> str:
        """Reason to reject an answerable row, or nothing."""
        if self.here < LEAST_HERE:
            return "not_answerable_here"
        return "answered_elsewhere" if self.elsewhere is not None and self.elsewhere >= self.here else ""


class Judge:
    """Judges questions; analyses of passages are remembered, since neighbouring rows share them.

    Args:
        ranker (`Path`): File of the ranker.
    """

    def __init__(self, ranker: Path = ROOT / RANKER_FILE) -> None:
        self._ranker = Ranker.from_file(ranker)
        self._ranker.mix = ScoreMix()
        self.sentences = lru_cache(maxsize=4000)(sentences_of)
        self._held = lru_cache(maxsize=4000)(self._tokens)

    def judge(self, question: str, passages: Sequence[Document], wrong: Document | None) -> Answerability:
        """Judge a question against its own passages (one at least) and a wrong one."""
        asked = self._ranker.question(question)
        weights = {t: self._ranker.weights[t] for t in asked.tokens}
        covered = [self._coverage(weights, p) for p in passages]
        here = max(self._log_odds(asked, p, c) for p, c in zip(passages, covered))
        if wrong is None:
            return Answerability(round(here, 3), None, True)
        elsewhere = self._coverage(weights, wrong)
        bound = SUPPORT * MOST_LOG_ODDS + COVERAGE * elsewhere + BIAS
        if bound < here:  # whatever the ranker says, and it is what costs time
            return Answerability(round(here, 3), round(bound, 3), False)
        return Answerability(round(here, 3), round(self._log_odds(asked, wrong, elsewhere), 3), True)

    def _log_odds(self, asked: AnalyzedQuestion, passage: Document, coverage: float) -> float:
        sentences = self.sentences(passage.text)
        view = self._ranker.candidates(
            asked, *best_sentences(self._ranker, asked, sentences, SENTENCES), passage.title
        )
        scores = self._ranker.scores(asked, view)
        support = float(np.logaddexp.reduce(scores)) if scores else NOTHING
        return SUPPORT * support + COVERAGE * coverage + BIAS

    def _coverage(self, weights: dict[str, float], passage: Document) -> float:
        return overlap_weight(weights, self._held(passage.text) | self._held(passage.title))

    def _tokens(self, text: str) -> set[str]:
        sentences: list[AnalyzedSentence] = self.sentences(text)
        return {t for s in sentences for t in search_tokens(s.tokens, s.text)}
