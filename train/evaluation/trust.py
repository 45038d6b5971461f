"""What probabilities are worth: reliability, risk–coverage, thresholds. Knows numbers only.

Comes in: probabilities and truths, confidences and mistakes. Goes out: curves as lists of plain rows.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

BINS = 10
STEPS = 20  # points of a curve


@dataclass(frozen=True)
class Bin:
    """Probabilities between `low` and `high`: their mean, and the share of them that was true."""

    low: float
    high: float
    n: int
    chance: float
    share: float


@dataclass(frozen=True)
class Refusal:
    """Answers below a confidence are withheld: share of questions answered, and share of wrong answers among them."""

    confidence: float
    answered: float
    wrong: float


def reliability_bins(chances: Sequence[float], truths: Sequence[bool]) -> list[Bin]:
    """Return the bins of a reliability diagram; empty ones are left out."""
    chance, truth = np.asarray(chances, dtype=float), np.asarray(truths, dtype=float)
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    return [
        Bin(b / BINS, (b + 1) / BINS, int(held.sum()), float(chance[held].mean()), float(truth[held].mean()))
        for b in range(BINS)
        if (held := place == b).any()
    ]


def risk_coverage(confidences: Sequence[float], wrong: Sequence[bool], questions: int) -> list[Refusal]:
    """Return what is answered, and how much of it wrongly, as fewer and fewer answers are withheld.

    Args:
        confidences (`Sequence[float]`): Of the answers given; abstentions are left out.
        wrong (`Sequence[bool]`): Whether each is wrong.
        questions (`int`): All questions, abstentions among them.
    """
    order = np.argsort(-np.asarray(confidences), kind="stable")
    sure, errors = np.asarray(confidences)[order], np.cumsum(np.asarray(wrong, dtype=float)[order])
    counts = sorted({round(len(sure) * step / STEPS) for step in range(1, STEPS + 1)} - {0})
    return [Refusal(float(sure[c - 1]), c / questions, float(errors[c - 1] / c)) for c in counts]


def area_under_risk(confidences: Sequence[float], wrong: Sequence[bool]) -> float:
    """Return the area under the risk–coverage curve (Geifman et al. 2019, arXiv:1805.08206): lower is better."""
    order = np.argsort(-np.asarray(confidences), kind="stable")
    errors = np.asarray(wrong, dtype=float)[order]
    return float((np.cumsum(errors) / np.arange(1, len(errors) + 1)).mean())


def refused_at(false_refusals: float, answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """Return the share of unanswerable questions refused where so many answerable ones are refused too."""
    return float((np.asarray(unanswerable) < np.quantile(answerable, false_refusals)).mean())


def rounded(rows: Sequence[Bin | Refusal]) -> list[dict[str, float]]:
    """Return rows as plain numbers of four digits."""
    return [{k: round(v, 4) for k, v in asdict(r).items()} for r in rows]
