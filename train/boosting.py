"""Grow the ranker's gradient-boosted trees with scikit-learn and copy them into a `Forest`.

Each candidate is a row; the trees learn which are right. Half of the wrong ones are left out at random, which changes
the constant only.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from koqas.koqas_features import CandidateView
from koqas.koqas_forest import CATEGORIES, Forest, categorical, codes_of
from koqas.koqas_ranker import AnalyzedQuestion

TOLERANCE = 1e-4


class Row(Protocol):
    """A question with its candidates; see `ranker.RankedQuestion`."""

    @property
    def question(self) -> AnalyzedQuestion:
        """Return the question."""

    @property
    def view(self) -> CandidateView:
        """Return the candidates' features."""

    @property
    def right(self) -> np.ndarray:
        """Return which candidates are right."""

    @property
    def answerable(self) -> bool:
        """Tell whether the passage answers the question."""


def grow_forest(rows: Sequence[Row], seed: int, trees: int = 250, leaves: int = 40, rate: float = 0.07) -> Forest:
    """Fit the trees and copy them.

    Args:
        rows (`Sequence[Row]`): Training questions.
        seed (`int`): Seed of the sample of wrong candidates.
        trees (`int`): Boosting rounds.
        leaves (`int`): Most leaves of a tree.
        rate (`float`): Learning rate.

    Raises:
        ArithmeticError: The copy does not reproduce scikit-learn's scores.
    """
    usable = [r for r in rows if r.right.any() or not r.answerable]
    right = np.concatenate([r.right for r in usable])
    kept = right | (np.random.default_rng(seed).random(len(right)) < 0.5)
    numeric = np.concatenate([r.view.numeric for r in usable])[kept]
    hashed = np.concatenate([categorical(r.question.view, r.view) for r in usable])[kept]
    known = np.full((hashed.shape[1], CATEGORIES), -1, dtype=np.int64)
    for column in range(hashed.shape[1]):
        common = [v for v, _ in Counter(hashed[:, column].tolist()).most_common(CATEGORIES)]
        known[column, : len(common)] = sorted(common)
    codes = codes_of(known, hashed).astype(float)
    codes[codes < 0] = np.nan
    table = np.concatenate([codes, numeric], axis=1)  # the order in which scikit-learn keeps its columns
    model = HistGradientBoostingClassifier(
        max_iter=trees,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        l2_regularization=5.0,
        min_samples_leaf=40,
        categorical_features=list(range(codes.shape[1])),
        early_stopping=False,
        random_state=seed,
    ).fit(table, right[kept])
    forest = copied(model, known)
    sample = np.random.default_rng(seed).choice(len(table), size=min(2000, len(table)), replace=False)
    gap = np.abs(forest.scores(numeric[sample], hashed[sample]) - model.decision_function(table[sample])).max()
    if gap > TOLERANCE:
        raise ArithmeticError(f"the copied trees differ from scikit-learn's by {gap}")
    return forest


def copied(model: HistGradientBoostingClassifier, known: np.ndarray) -> Forest:
    """Copy the nodes of a fitted model into one table."""
    columns: dict[str, list[np.ndarray]] = {n: [] for n in ("feature", "threshold", "left", "right", "leaf", "value")}
    missing, subsets, members, roots, at, sets = [], [], [], [], 0, 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        roots.append(at)
        columns["feature"].append(nodes["feature_idx"])
        columns["threshold"].append(nodes["num_threshold"])
        columns["left"].append(nodes["left"].astype(np.int64) + at)
        columns["right"].append(nodes["right"].astype(np.int64) + at)
        columns["leaf"].append(nodes["is_leaf"].astype(bool))
        columns["value"].append(nodes["value"])
        missing.append(nodes["missing_go_to_left"].astype(bool))
        is_set = nodes["is_categorical"].astype(bool)
        subsets.append(np.where(is_set, nodes["bitset_idx"].astype(np.int64) + sets, -1))
        bits = np.unpackbits(predictor.raw_left_cat_bitsets.view(np.uint8), axis=1, bitorder="little")
        members.append(bits[:, :CATEGORIES].astype(bool))
        sets += len(bits)
        at += len(nodes)
    return Forest(
        roots=np.array(roots, dtype=np.int32),
        feature=np.concatenate(columns["feature"]).astype(np.int16),
        threshold=np.concatenate(columns["threshold"]).astype(np.float64),
        left=np.concatenate(columns["left"]).astype(np.int32),
        right=np.concatenate(columns["right"]).astype(np.int32),
        leaf=np.concatenate(columns["leaf"]),
        value=np.concatenate(columns["value"]).astype(np.float32),
        missing_left=np.concatenate(missing),
        subset=np.concatenate(subsets).astype(np.int32),
        members=np.concatenate(members),
        known=known,
        baseline=float(np.ravel(model._baseline_prediction)[0]),
    )
