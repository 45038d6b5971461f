"""Calibrate what is judged and read, and choose the thresholds.

    python train/calibrate.py --data DIR --repository .

Everything is fitted on the written questions of the development split, never on a benchmark. Judgements: the model's
logit, the lexical coverage of the question and (usefulness only) the ranker's support go through a logistic regression
(Platt scaling). Readings: ranker score and verdict are weighted so that the right candidates win against the others and
against "not answered here". Thresholds let at most `false_refusals` of the answerable questions go. Reported figures
are cross-fitted: each half of the passages is scored with parameters of the other half. Writes config.json and
results/calibration.json.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_answers import ReadingSettings, ReadingWeights
from koqas.koqas_docquest import Passage
from koqas.koqas_inquiry import Inquiry
from koqas.koqas_options import AskOptions
from koqas.koqas_pipeline import KoQasPipeline, load
from koqas.koqas_retrieval import Index
from koqas.koqas_types import Document, ScoredChunk
from koqas.train.corpora import WrittenQuestion, written_passages
from koqas.train.provenance import record_of
from koqas.train.trees import choice_loss

SIGNS = ("logit", "coverage", "support")
FIRST_PASS = SIGNS[:2]  # the ranker reads only what the first pass leaves


@dataclass
class CalibrateArguments:
    """What `train/calibrate.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        repository (`str`): Repository folder whose config.json is rewritten.
        passages (`int`): Development passages used.
        false_refusals (`float`): Largest share of answerable questions that each threshold may refuse.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    repository: str = "."
    passages: int = 174
    false_refusals: float = 0.025


@dataclass
class Judgements:
    """Signs and truths of one judgement; `own` marks pairs of a question and its own passage, `group` its fold."""

    names: tuple[str, ...] = SIGNS
    signs: list[tuple[float, ...]] = field(default_factory=list)
    truth: list[bool] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    group: list[int] = field(default_factory=list)

    def add(self, logit: float, passage: Passage, truth: bool, own: bool, group: int) -> None:
        """Record one pair."""
        known = {"logit": logit, "coverage": passage.coverage, "support": passage.support}
        self.signs.append(tuple(known[n] for n in self.names))
        self.truth.append(truth)
        self.own.append(own)
        self.group.append(group)

    def fit(self) -> dict[str, float]:
        """Return Platt parameters over all pairs."""
        model = self._model(np.ones(len(self.truth), dtype=bool))
        values = {n: round(float(w), 5) for n, w in zip(self.names, model.coef_[0], strict=True)}
        return values | {"bias": round(float(model.intercept_[0]), 5)}

    def crossed(self) -> np.ndarray:
        """Return probabilities, each fold scored with the parameters of the others."""
        signs, group = np.asarray(self.signs), np.asarray(self.group) % 2
        chances = np.zeros(len(self.truth))
        for fold in (0, 1):
            chances[group == fold] = self._model(group != fold).predict_proba(signs[group == fold])[:, 1]
        return chances

    def _model(self, rows: np.ndarray) -> LogisticRegression:
        signs, truth = np.asarray(self.signs)[rows], np.asarray(self.truth)[rows]
        return LogisticRegression(C=100.0, max_iter=2000).fit(signs, truth)


@dataclass
class Readings:
    """Candidates of own passages: ranker score, verdict, whether right; one entry a question."""

    ranked: list[torch.Tensor] = field(default_factory=list)
    verdicts: list[torch.Tensor] = field(default_factory=list)
    right: list[torch.Tensor] = field(default_factory=list)
    answerable: list[bool] = field(default_factory=list)
    group: list[int] = field(default_factory=list)

    def fit(self, rows: list[int], *, ranker: bool, verdict: bool) -> ReadingWeights:
        """Minimize the choice loss over the weights of the signs in use."""
        usable = [i for i in rows if self.right[i].any() or not self.answerable[i]]
        owner = torch.repeat_interleave(torch.arange(len(usable)), torch.tensor([len(self.right[i]) for i in usable]))
        ranked, verdicts, right = (
            torch.cat([getattr(self, n)[i] for i in usable]) for n in ("ranked", "verdicts", "right")
        )
        weights = torch.tensor([float(ranker), 0.5 * verdict, 0.0], dtype=torch.float64, requires_grad=True)
        used = torch.tensor([ranker, verdict, True])
        optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            w = weights * used
            loss = choice_loss((w[0] * ranked + w[1] * verdicts + w[2]).float(), owner, right)
            loss.backward()
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        r, v, b = (round(float(x), 5) for x in weights.detach() * used)
        return ReadingWeights(r, v, b)

    def measure(self, *, ranker: bool, verdict: bool) -> dict[str, float]:
        """Return cross-fitted exact match and the AUROC of answerability."""
        hits, odds = [], np.zeros(len(self.right))
        for fold in (0, 1):
            weights = self.fit([i for i, g in enumerate(self.group) if g % 2 != fold], ranker=ranker, verdict=verdict)
            for i in (i for i, g in enumerate(self.group) if g % 2 == fold):
                scores = self.odds(i, weights)
                odds[i] = float(torch.logsumexp(scores, 0))
                if self.answerable[i]:
                    hits.append(bool(self.right[i][int(scores.argmax())]))
        refused = odds < np.quantile(odds[np.asarray(self.answerable)], 0.05)
        return {
            "n": len(hits),
            "em": round(float(np.mean(hits)), 4),
            "answerability_auroc": round(float(roc_auc_score(self.answerable, odds)), 4),
            "unanswerable_recall_at_5_percent_false_refusals": round(
                float(refused[~np.asarray(self.answerable)].mean()), 4
            ),
        }

    def odds(self, row: int, weights: ReadingWeights) -> torch.Tensor:
        """Return the log-odds of a question's candidates."""
        return weights.ranker * self.ranked[row] + weights.verdict * self.verdicts[row] + weights.bias


@dataclass
class Observations:
    """Everything seen on the development questions."""

    relevance: Judgements = field(default_factory=lambda: Judgements(FIRST_PASS))
    usefulness: Judgements = field(default_factory=Judgements)
    readings: Readings = field(default_factory=Readings)


def observe(qa: KoQasPipeline, folder: Path, limit: int) -> Observations:
    """Judge every question against its own passage and its BM25 neighbours, and read its own passage."""
    passages = written_passages(folder, "development")[:limit]
    settings = qa.index_settings
    index = Index.build([Document(p.id, p.text, p.title) for p in passages], None, settings)
    own = {c.document: c for c in index.chunks if c.number == 0}
    found = Observations()
    for group, passage in enumerate(tqdm(passages, desc="calibrate")):
        for q in passage.questions:
            inquiry = Inquiry(q.question, index, AskOptions(), qa.ranker)
            hits = index.search(inquiry.query, 5)
            rows = [inquiry.passage(h.chunk) for h in hits]
            relevance, usefulness = qa.docquest.logits(inquiry.text, rows, ["relevance", "usefulness"])
            for hit, row, r, u in zip(hits, rows, relevance, usefulness, strict=True):
                mine = hit.chunk.document == passage.id
                holds = mine and bool(q.answer) and q.answer in row.text
                found.relevance.add(r, row, mine, mine, group)
                found.usefulness.add(u, row, holds, mine, group)
            if passage.id in own and qa.extractive.answers is not None and inquiry.asked is not None:
                scored = ScoredChunk(own[passage.id], 0.0, None, 0.0, 1)
                read = qa.extractive.answers.read(inquiry.asked, scored)
                if read.candidates and (not q.answer or q.answer in scored.chunk.text):
                    _record(found.readings, read, q, group)
    return found


def _record(readings: Readings, read: Any, q: WrittenQuestion, group: int) -> None:  # noqa: ANN401
    texts = [read.sentences[c.owner].analyzed.text for c in read.candidates]
    said = [t[c.span.start : c.span.end] for t, c in zip(texts, read.candidates, strict=True)]
    exact = torch.tensor([bool(q.answer) and s == q.answer for s in said])
    cited = torch.tensor([t in q.evidence or q.evidence in t for t in texts])
    readings.right.append(exact & cited if (exact & cited).any() else exact)
    readings.ranked.append(torch.tensor([c.ranked for c in read.candidates]))
    readings.verdicts.append(torch.tensor([c.verdict for c in read.candidates]))
    readings.answerable.append(bool(q.answer))
    readings.group.append(group)


def judgement_report(seen: Judgements) -> dict[str, float]:
    """Return cross-fitted AUROCs, all signs together and each alone, and the expected calibration error."""
    truth, chances, own = np.asarray(seen.truth), seen.crossed(), np.asarray(seen.own)
    report = {"n": len(truth), "positives": int(truth.sum()), "auroc": round(float(roc_auc_score(truth, chances)), 4)}
    for number, name in enumerate(seen.names):
        report[f"auroc_{name}_alone"] = round(float(roc_auc_score(truth, np.asarray(seen.signs)[:, number])), 4)
    if truth[own].any() and not truth[own].all():
        report["own_passage_auroc"] = round(float(roc_auc_score(truth[own], chances[own])), 4)
    report["expected_calibration_error"] = round(calibration_error(chances, truth), 4)
    return report


def calibration_error(chances: np.ndarray, truth: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error over equal-width bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    place = np.minimum((chances * bins).astype(int), bins - 1)
    gaps = [
        abs(chances[place == b].mean() - truth[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def reading_settings(readings: Readings, false_refusals: float) -> ReadingSettings:
    """Fit all weights and the threshold below which a reading refuses."""
    rows = list(range(len(readings.right)))
    both = readings.fit(rows, ranker=True, verdict=True)
    odds = [float(torch.logsumexp(readings.odds(i, both), 0)) for i in rows if readings.answerable[i]]
    threshold = 1 / (1 + np.exp(-np.quantile(odds, false_refusals)))
    return ReadingSettings(
        both,
        readings.fit(rows, ranker=True, verdict=False),
        readings.fit(rows, ranker=False, verdict=True),
        threshold=round(float(threshold), 4),
    )


def main(args: CalibrateArguments) -> None:
    """Observe, fit, choose thresholds, write config.json and the record."""
    folder = Path(args.repository)
    found = observe(load(str(folder)), Path(args.data), args.passages)
    truth = np.asarray(found.usefulness.truth)
    threshold = round(float(np.quantile(found.usefulness.crossed()[truth], args.false_refusals)), 4)
    low = round(float(np.quantile(found.relevance.crossed()[truth], 0.005)), 4)
    block = {
        "calibration": {"relevance": found.relevance.fit(), "usefulness": found.usefulness.fit()},
        "threshold": threshold,
        "first_pass_threshold": low,
        "reading": asdict(reading_settings(found.readings, args.false_refusals)),
    }
    parts = {"both": (True, True), "ranker_alone": (True, False), "model_alone": (False, True)}
    report: dict[str, Any] = {
        "relevance": judgement_report(found.relevance),
        "usefulness": judgement_report(found.usefulness),
        "reading": {n: found.readings.measure(ranker=r, verdict=v) for n, (r, v) in parts.items()},
    }
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["koqas"] |= block
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", "utf-8")
    record = record_of(args) | {"settings": block, "report": report}
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / "calibration.json").write_text(
        json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(HfArgumentParser(CalibrateArguments).parse_args_into_dataclasses()[0])
