"""DocQuest's usefulness against passages of four levels, beside the BM25 score.

Comes in: questions with their documents. Goes out: AUROC and calibration error for each level of negatives: a random
passage, the best BM25 neighbour from another article, another passage of the same article, and the own passage of a
question that it does not answer. A passage is worth what its best chunk is worth, as in the pipeline: an answer may
stand in the second chunk of a long one. The BM25 score is divided by the number of query tokens.
"""

import random
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from koqas.koqas_inquiry import Inquiry
from koqas.koqas_options import AskOptions
from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_retrieval import Index
from koqas.train.calibrate import calibration_error
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.questions import Asked

LEVELS = ("random", "neighbour", "same_article")
OWN = "own_passage"
DEPTH = 30  # hits among which a neighbour is looked for


class Judge:
    """Scores a question against its own passage and against a passage of each level.

    Args:
        qa (`KoQasPipeline`): The pipeline.
        index (`Index`): All documents; every chunk of a chosen one is judged.
        asked (`Iterable[Asked]`): All questions, which tell the articles.
        seed (`int`): Seed of the draws.
    """

    def __init__(self, qa: KoQasPipeline, index: Index, asked: Iterable[Asked], seed: int) -> None:
        self.qa, self.index, self.seed = qa, index, seed
        self.places: dict[str, list[int]] = {}
        for place, chunk in enumerate(index.chunks):
            self.places.setdefault(chunk.document, []).append(place)
        self.article = {a.document.id: a.article for a in asked}

    def row(self, asked: Asked) -> Row:
        """Return chance and BM25 score of the own passage and of each level's; levels without a passage are missing."""
        inquiry = Inquiry(asked.question, self.index, AskOptions(), self.qa.ranker)
        ids = {OWN: asked.document.id} | (self._wrong(asked, inquiry) if asked.answers else {})
        places = [place for document in ids.values() for place in self.places[document]]
        passages = [inquiry.passage(self.index.chunks[place]) for place in places]
        (logits,) = self.qa.docquest.logits(inquiry.text, passages, ["usefulness"])
        calibration = self.qa.settings.calibrations.usefulness
        chances = dict(zip(places, map(calibration.probability, logits, passages), strict=True))
        bm25 = self.index.lexical.get_scores(inquiry.query.tokens)
        length = max(len(inquiry.query.tokens), 1)
        return {
            level: [max(chances[p] for p in self.places[d]), max(float(bm25[p]) for p in self.places[d]) / length]
            for level, d in ids.items()
        } | {"answerable": bool(asked.answers)}

    def _wrong(self, asked: Asked, inquiry: Inquiry) -> dict[str, str]:
        rng = random.Random(f"{self.seed} {asked.question}")
        known = [d for d in self.places if d in self.article]
        others = [d for d in known if self.article[d] != asked.article]
        same = [d for d in known if self.article[d] == asked.article and d != asked.document.id]
        ranked = (s.chunk.document for s in self.index.search(inquiry.query, DEPTH))
        near = next((d for d in ranked if d in self.article and self.article[d] != asked.article), None)
        chosen = {"random": rng.choice(others) if others else None, "neighbour": near}
        chosen["same_article"] = rng.choice(same) if same else None
        return {level: d for level, d in chosen.items() if d is not None}


def usefulness(bench: Bench, part: str, index: Index, asked: Sequence[Asked], everything: Iterable[Asked]) -> Report:
    """Measure all levels that the questions allow.

    Args:
        bench (`Bench`): The run.
        part (`str`): Name of the rows.
        index (`Index`): All documents.
        asked (`Sequence[Asked]`): Questions judged.
        everything (`Iterable[Asked]`): All questions, which tell the articles.
    """
    judge = Judge(bench.qa, index, everything, bench.evaluation.seed)
    seen = [a for a in asked if a.document.id in judge.places]
    return levels_of(bench.ledger.rows(part, seen, judge.row))


def levels_of(rows: Sequence[Row]) -> Report:
    """Return AUROC and calibration error of each level that has rows."""
    report: Report = {}
    right = [r[OWN] for r in rows if r["answerable"]]
    for level in LEVELS:
        paired = [(r[OWN], r[level]) for r in rows if level in r]
        if paired:
            report[level] = _compared([p[0] for p in paired], [p[1] for p in paired])
    if impossible := [r[OWN] for r in rows if not r["answerable"]]:
        report[OWN] = _compared(right, impossible)
    return report


def _compared(right: Sequence[Sequence[float]], wrong: Sequence[Sequence[float]]) -> Report:
    truth = np.asarray([True] * len(right) + [False] * len(wrong))
    own, lexical = np.asarray([*right, *wrong]).T
    return {
        "n": len(truth),
        "auroc": round(float(roc_auc_score(truth, own)), 4),
        "auroc_bm25": round(float(roc_auc_score(truth, lexical)), 4),
        "expected_calibration_error": round(calibration_error(own, truth), 4),
    }
