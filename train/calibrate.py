"""Calibrate DocQuest, the first-pass filter and sentence ratings, and choose the usefulness threshold.

    python train/calibrate.py --data DIR --repository .

Platt scaling on the written questions of the development split (never on a benchmark): the model's logit and the
lexical coverage of the question go through a logistic regression. The threshold lets at most `false_refusals` of the
answerable questions lose their own passage. Writes config.json and results/calibration.json.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_docquest import Passage
from koqas.koqas_pipeline import AskOptions, Inquiry, KoQasPipeline, load
from koqas.koqas_retrieval import Index
from koqas.koqas_types import Document
from koqas.train.corpora import written_passages
from koqas.train.provenance import record_of


@dataclass
class CalibrateArguments:
    """What `train/calibrate.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        repository (`str`): Repository folder whose config.json is rewritten.
        passages (`int`): Development passages used.
        false_refusals (`float`): Largest share of answerable questions whose own passage may fall below the threshold.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    repository: str = "."
    passages: int = 40
    false_refusals: float = 0.05


@dataclass
class Observations:
    """Logits, coverages and truths of one judgement; `own` marks pairs of a question and its own passage."""

    logit: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    truth: list[bool] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)

    def add(self, logit: float, coverage: float, truth: bool, own: bool = False) -> None:
        """Record one pair."""
        self.logit.append(logit)
        self.coverage.append(coverage)
        self.truth.append(truth)
        self.own.append(own)

    def fit(self) -> tuple[dict[str, float], np.ndarray]:
        """Return Platt parameters and the fitted probabilities."""
        features = np.column_stack([self.logit, self.coverage])
        model = LogisticRegression(C=100.0, max_iter=1000).fit(features, self.truth)
        (logit, coverage), bias = model.coef_[0], model.intercept_[0]
        parameters = {
            "logit": round(float(logit), 5),
            "coverage": round(float(coverage), 5),
            "bias": round(float(bias), 5),
        }
        return parameters, model.predict_proba(features)[:, 1]


def observe(qa: KoQasPipeline, folder: Path, limit: int) -> dict[str, Observations]:
    """Judge every development question against its own passage, its four BM25 neighbours and single sentences."""
    passages = written_passages(folder, "development")[:limit]
    documents = [Document(p.id, p.text, p.title) for p in passages]
    index = Index.build(documents, None, qa.index_settings)
    found = {n: Observations() for n in ("relevance", "usefulness", "sentence")}
    for passage in tqdm(passages, desc="calibrate"):
        for q in passage.questions:
            inquiry = Inquiry(q.question, index, AskOptions())
            hits = index.search(inquiry.query, 5)
            rows = [Passage(h.chunk.text, h.chunk.title, inquiry.coverage(h.chunk.text, h.chunk.title)) for h in hits]
            relevance, usefulness = qa.docquest.logits(q.question, rows, ["relevance", "usefulness"])
            for hit, row, r, u in zip(hits, rows, relevance, usefulness):
                own = hit.chunk.document == passage.id
                found["relevance"].add(r, row.coverage, own)
                found["usefulness"].add(u, row.coverage, own and bool(q.answer) and q.answer in row.text, own)
            if q.answer:
                sentences = [s for c in index.chunks if c.document == passage.id for s in c.sentences]
                parts = [Passage(s.text, passage.title, inquiry.coverage(s.text, "")) for s in sentences]
                (logits,) = qa.docquest.logits(q.question, parts, ["usefulness"])
                for s, part, logit in zip(sentences, parts, logits):
                    found["sentence"].add(logit, part.coverage, q.answer in s.text and s.text in q.evidence)
    return found


def main(args: CalibrateArguments) -> None:
    """Fit, choose the threshold, write config.json and the record."""
    folder = Path(args.repository)
    qa = load(str(folder))
    found = observe(qa, Path(args.data), args.passages)
    calibration, report = {}, {}
    for name, seen in found.items():
        calibration[name], chances = seen.fit()
        truth = np.asarray(seen.truth)
        report[name] = {
            "n": len(truth),
            "positives": int(truth.sum()),
            "auroc": round(float(roc_auc_score(truth, chances)), 4),
            "auroc_model_alone": round(float(roc_auc_score(truth, seen.logit)), 4),
            "auroc_coverage_alone": round(float(roc_auc_score(truth, seen.coverage)), 4),
        }
        if name == "usefulness":
            threshold = round(float(np.quantile(chances[truth], args.false_refusals)), 4)
            own = np.asarray(seen.own)
            report["own_passage_auroc"] = round(float(roc_auc_score(truth[own], chances[own])), 4)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["koqas"] |= {"calibration": calibration, "threshold": threshold}
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", "utf-8")
    record = record_of(args) | {"calibration": calibration, "threshold": threshold, "report": report}
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "calibration.json").write_text(
        json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    print(json.dumps(record["report"], indent=1))


if __name__ == "__main__":
    main(HfArgumentParser(CalibrateArguments).parse_args_into_dataclasses()[0])
