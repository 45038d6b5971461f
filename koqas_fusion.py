"""Fuse rankings of the same chunks into one: reciprocal rank fusion.

Comes in: one score a chunk from each retriever. Goes out: the best positions. Knows nothing about texts or indexes.
"""

from collections.abc import Sequence

import numpy as np

RRF_CONSTANT = 2.0  # 60 is usual for rankings of like worth; here one is far better, and its first places must count


def fuse(rankings: Sequence[tuple[np.ndarray, float]], top_k: int, count: int) -> list[tuple[int, float]]:
    """Return the positions and fused scores of the `top_k` best of `count` chunks, best first.

    Reciprocal rank fusion over competition ranks: equal scores share the best rank, so ties are not decided by
    position. Ranks are computed only for chunks near the top of a ranking, which gives what ranking all would: a chunk
    below place `m` everywhere gets less than `sum(weights) / (constant + m)`, and the heaviest ranking alone gives its
    first `top_k` more than that.
    """
    heaviest = max((weight for _, weight in rankings), default=0.0)
    near = np.arange(count)
    if heaviest > 0:
        places = int(np.ceil(sum(w for _, w in rankings) / heaviest * (RRF_CONSTANT + top_k))) + 1
        near = np.flatnonzero(np.logical_or.reduce([_at_least(scores, places) for scores, _ in rankings]))
    fused = np.zeros(len(near))
    for scores, weight in rankings:
        fused += weight / (RRF_CONSTANT + 1 + np.searchsorted(np.sort(-scores), -scores[near], side="left"))
    best = np.argsort(-fused, kind="stable")[:top_k]
    return [(int(near[i]), float(fused[i])) for i in best]


def _at_least(scores: np.ndarray, places: int) -> np.ndarray:
    """Mark the scores that reach the `places`-th best one."""
    if places >= len(scores):
        return np.ones(len(scores), dtype=bool)
    return scores >= np.partition(scores, len(scores) - places)[len(scores) - places]
