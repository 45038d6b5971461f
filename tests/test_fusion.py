"""Fusing rankings: looking only near the top gives exactly what ranking every chunk gives."""

import numpy as np
import pytest

from koqas.koqas_fusion import RRF_CONSTANT, fuse


def ranked_in_full(rankings, top_k, count):
    fused = np.zeros(count)
    for scores, weight in rankings:
        fused += weight / (RRF_CONSTANT + np.array([1 + (scores > s).sum() for s in scores]))
    best = np.argsort(-fused, kind="stable")[:top_k]
    return [(int(i), float(fused[i])) for i in best]


@pytest.mark.parametrize("kept", [slice(0, 2), slice(0, 1), slice(1, 2), slice(0, 0)])
@pytest.mark.parametrize("dense_weight", [0.15, 0.0, 1.0, 3.0])
def test_the_top_is_that_of_full_rankings(kept, dense_weight):
    random = np.random.default_rng(0)
    for _ in range(40):
        count, top_k = int(random.integers(1, 300)), int(random.integers(1, 50))
        bm25 = np.maximum(random.integers(-3, 12, count), 0).astype(np.float32)  # many ties, many zeros
        cosine = np.round(random.normal(size=count), 1).astype(np.float32)
        rankings = [(bm25, 1.0), (cosine, dense_weight)][kept]
        assert fuse(rankings, top_k, count) == ranked_in_full(rankings, top_k, count)
