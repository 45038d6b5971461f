"""Gradient-boosted trees of the ranker, evaluated without scikit-learn and stored without pickle.

Comes in: numeric features and hashed indicators of candidates. Goes out: raw scores equal to those of the fitted
`HistGradientBoostingClassifier` (Ke et al. 2017, LightGBM; Pedregosa et al. 2011), which train/ranker.py checks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from .koqas_features import CandidateView, QuestionView

QUESTION_COLUMNS = (0, 1, 5, 2, 3)  # kind, word, particle, head, end of the head
SURFACE_COLUMNS = (3, 4, 6, 0, 1)  # last morpheme, tags, shape, last character, last two
CONTEXT_COLUMNS = (0, 1, 4, 5, 3)  # particle after, its tag, word before, its tag, second after
CATEGORIES = 250  # most frequent values of a categorical column that keep a code of their own


def categorical(question: QuestionView, view: CandidateView) -> np.ndarray:
    """Return the hashed indicators that the trees split on, int64 `(candidates, 15)`."""
    asked = np.tile(question.hashed[list(QUESTION_COLUMNS)], (len(view.places), 1))
    return np.concatenate(
        [asked, view.surface[:, list(SURFACE_COLUMNS)], view.context[:, list(CONTEXT_COLUMNS)]], axis=1
    )


def codes_of(known: np.ndarray, hashed: np.ndarray) -> np.ndarray:
    """Return the code of each hashed value in its column, -1 for those without one.

    Args:
        known (`np.ndarray`): Hashed values with a code for each column, `(columns, CATEGORIES)`, -1 padded.
        hashed (`np.ndarray`): See `categorical`.
    """
    found = np.full(hashed.shape, -1, dtype=np.int64)
    for column, values in enumerate(known):
        order = np.argsort(values)
        place = np.minimum(np.searchsorted(values, hashed[:, column], sorter=order), len(values) - 1)
        code = order[place]
        found[:, column] = np.where(values[code] == hashed[:, column], code, -1)
    return found


@dataclass(frozen=True)
class Forest:
    """All nodes of all trees in one table.

    Args:
        roots (`np.ndarray`): Index of each tree's root.
        feature (`np.ndarray`): Column a node splits on: categorical ones first, then numeric ones.
        threshold (`np.ndarray`): A numeric value goes left where it is not greater.
        left (`np.ndarray`): Index of the left child.
        right (`np.ndarray`): Index of the right child.
        leaf (`np.ndarray`): Whether a node is a leaf.
        value (`np.ndarray`): Score of a leaf.
        missing_left (`np.ndarray`): Whether unknown categories go left.
        subset (`np.ndarray`): Row of `members` of a categorical node, -1 for numeric ones.
        members (`np.ndarray`): Boolean `(categorical nodes, CATEGORIES)`: the codes that go left.
        known (`np.ndarray`): Hashed values with a code for each categorical column, `(columns, CATEGORIES)`, -1 padded.
        baseline (`float`): Added to the sum of leaves.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    value: np.ndarray
    missing_left: np.ndarray
    subset: np.ndarray
    members: np.ndarray
    known: np.ndarray
    baseline: float

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> "Forest":
        """Read what `tensors` wrote."""
        arrays = {k: v.numpy() for k, v in tensors.items() if k != "baseline"}
        return cls(**arrays, baseline=float(tensors["baseline"]))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the table for a safetensors file."""
        arrays = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in vars(self).items() if k != "baseline"}
        return arrays | {"baseline": torch.tensor(self.baseline, dtype=torch.float64)}

    def scores(self, numeric: np.ndarray, hashed: np.ndarray) -> np.ndarray:
        """Return the raw score of each candidate, float64 `(candidates,)`.

        Args:
            numeric (`np.ndarray`): Float32 `(candidates, numeric features)`, not standardized.
            hashed (`np.ndarray`): See `categorical`.
        """
        codes = codes_of(self.known, hashed)
        rows = np.arange(len(numeric))[:, None]
        at = np.tile(self.roots, (len(numeric), 1))
        count = codes.shape[1]
        while not (leaf := self.leaf[at]).all():
            feature = self.feature[at]
            subset = self.subset[at]
            smaller = numeric[rows, np.maximum(feature - count, 0)] <= self.threshold[at]
            code = codes[rows, np.minimum(feature, count - 1)]
            member = np.where(code < 0, self.missing_left[at], self.members[subset, code])
            left = np.where(subset < 0, smaller, member)
            at = np.where(leaf, at, np.where(left, self.left[at], self.right[at]))
        return self.value[at].sum(1) + self.baseline
