"""How sure a mean is: percentile bootstrap over questions (Efron 1979).

Comes in: one number for each question. Goes out: mean and 95 % interval. Differences are paired: both arms are drawn
with the same questions, which is what makes small samples tell something.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 5000


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % bootstrap interval, and the number of cases."""

    mean: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers of four digits."""
        return {"mean": round(self.mean, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.n}


def interval_of(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean of some values and its interval.

    Args:
        values (`Sequence[float]`): One value for each case; at least one.
        seed (`int`): Seed of the draws.
    """
    rows = np.asarray(values, dtype=float)
    picks = np.random.default_rng(seed).integers(len(rows), size=(DRAWS, len(rows)))
    low, high = np.quantile(rows[picks].mean(axis=1), (0.025, 0.975))
    return Interval(float(rows.mean()), float(low), float(high), len(rows))


def difference_of(values: Sequence[float], baseline: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean difference of two arms over the same cases, in the same order, and its interval."""
    return interval_of(np.asarray(values, dtype=float) - np.asarray(baseline, dtype=float), seed)
