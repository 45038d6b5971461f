"""How well documents are ranked: nDCG@10, Hit@k and reciprocal rank.

Comes in: ranked document ids and graded judgements, in the terms of TREC. Goes out: numbers for one query. Gains are
linear, as in trec_eval and BEIR.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEPTH = 10


@dataclass(frozen=True)
class RankScore:
    """How one query's ranking did; all 0..1.

    Args:
        ndcg (`float`): Normalized discounted cumulative gain of the first ten documents.
        hit1, hit5, hit10 (`float`): 1 where a relevant document is among the first 1, 5, 10.
        mrr (`float`): Reciprocal rank of the first relevant document among the first ten, else 0.
    """

    ndcg: float
    hit1: float
    hit5: float
    hit10: float
    mrr: float

    def to_dict(self) -> dict[str, float]:
        """Return the numbers under their usual names."""
        return {
            "ndcg@10": self.ndcg, "hit@1": self.hit1, "hit@5": self.hit5, "hit@10": self.hit10, "mrr@10": self.mrr
        }  # fmt: skip


def rank_score(ranked: Sequence[str], relevant: Mapping[str, float]) -> RankScore:
    """Score a ranking.

    Args:
        ranked (`Sequence[str]`): Document ids, best first, each once.
        relevant (`Mapping[str, float]`): Grades of the judged documents; those left out count 0.

    Raises:
        ValueError: No document has a grade above 0: such a query measures nothing.
    """
    ideal = _gain(sorted(relevant.values(), reverse=True)[:DEPTH])
    if not ideal:
        raise ValueError("a query without a relevant document")
    grades = [relevant.get(d, 0.0) for d in ranked[:DEPTH]]
    first = next((place for place, grade in enumerate(grades, start=1) if grade > 0), 0)
    hit1, hit5, hit10 = (float(0 < first <= k) for k in (1, 5, 10))
    return RankScore(_gain(grades) / ideal, hit1, hit5, hit10, 1 / first if first else 0.0)


def _gain(grades: Sequence[float]) -> float:
    return sum(grade / math.log2(place + 1) for place, grade in enumerate(grades, start=1))
