"""Inverse document frequencies of a training corpus, hashed into a table of fixed size."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from .koqas_features import bucket


class TokenWeights:
    """Inverse document frequency of tokens, hashed into a table.

    Args:
        table (`np.ndarray`): Float32, one weight for each bucket; rare tokens that share a bucket share its weight.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    @classmethod
    def count(cls, texts: Iterable[set[str]], size: int = 1 << 16) -> "TokenWeights":
        """Count document frequencies over texts given as sets of tokens."""
        counts, total = np.zeros(size), 0
        for tokens in texts:
            total += 1
            counts[list({bucket("token", t, size) for t in tokens})] += 1
        weights = np.log(1 + (total - counts + 0.5) / (counts + 0.5))
        return cls(weights.astype(np.float32))

    def __getitem__(self, token: str) -> float:
        """Return the weight of a token."""
        return float(self.table[_place(token, len(self.table))])


@lru_cache(maxsize=200_000)
def _place(token: str, size: int) -> int:
    return bucket("token", token, size)
