"""Train the paraphrase network: `python -m koqas.train.dedup.paraphrase_training --data DIR`, about three minutes.

Comes in: the training corpora. Goes out: `paraphrase.safetensors` and `results/paraphrase.json` with its quality on the
pairs kept for development, source by source.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from sklearn.metrics import f1_score, roc_auc_score
from tqdm.auto import tqdm
from transformers import HfArgumentParser

from koqas.train.dedup.paraphrase import FEATURES, PARAMETERS, ParaphraseNetwork, Question, features_of, question_of
from koqas.train.dedup.paraphrase_pairs import LabelledPair, labelled_pairs
from koqas.train.provenance import record_of


@dataclass
class ParaphraseArguments:
    """What to train on and how."""

    data: str
    out: str = str(PARAMETERS)
    results: str = "results/paraphrase.json"
    hidden: int = 32
    epochs: int = 60
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    seed: int = 7


def matrix_of(pairs: list[LabelledPair]) -> npt.NDArray[np.float32]:
    """Return features of shape `(pairs, FEATURES)`."""
    read: dict[str, Question] = {}
    for text in tqdm(sorted({t for p in pairs for t in (p.a, p.b)}), "질문 읽기", disable=None):
        read[text] = question_of(text)
    return np.stack([features_of(read[p.a], read[p.b]) for p in pairs])


def fit(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.float32], arguments: ParaphraseArguments
) -> dict[str, torch.Tensor]:
    """Return the parameters; both classes weigh the same."""
    torch.manual_seed(arguments.seed)
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    x, y = torch.from_numpy((features - mean) / deviation), torch.from_numpy(labels)
    network = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, arguments.hidden), torch.nn.ReLU(), torch.nn.Linear(arguments.hidden, 1)
    )
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - labels.mean()) / labels.mean()))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=arguments.learning_rate, weight_decay=arguments.weight_decay
    )
    for _ in range(arguments.epochs):
        for batch in torch.randperm(len(x)).split(512):
            optimizer.zero_grad()
            loss_of(network(x[batch])[:, 0], y[batch]).backward()
            optimizer.step()
    state = {k: v.detach().contiguous() for k, v in network.state_dict().items()}
    return {
        "mean": torch.from_numpy(mean),
        "deviation": torch.from_numpy(deviation),
        "first": state["0.weight"],
        "first_bias": state["0.bias"],
        "second": state["2.weight"],
        "second_bias": state["2.bias"],
    }


def best_threshold(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> float:
    """Return the threshold with the highest F1 on training pairs."""
    tried = np.arange(0.3, 0.95, 0.025)
    return float(max(tried, key=lambda t: f1_score(labels, probabilities >= t)))


def main(arguments: ParaphraseArguments) -> None:
    """Train, save and measure."""
    pairs = labelled_pairs(Path(arguments.data))
    features = matrix_of(pairs)
    labels = np.array([p.same for p in pairs], dtype=np.float32)
    aside = np.array([p.development for p in pairs])
    parameters = fit(features[~aside], labels[~aside], arguments)
    save_file(parameters, arguments.out, {"threshold": "0.5"})
    threshold = best_threshold(ParaphraseNetwork(Path(arguments.out)).score(features[~aside]), labels[~aside])
    save_file(parameters, arguments.out, {"threshold": f"{threshold:.3f}"})
    scores = ParaphraseNetwork(Path(arguments.out)).score(features[aside])
    sources = np.array([p.source for p in pairs])[aside]
    report = {"all": _quality(scores, labels[aside], threshold)}
    for source in sorted(set(sources)):
        report[str(source)] = _quality(scores[sources == source], labels[aside][sources == source], threshold)
    record = record_of(arguments) | {"trained_on": int((~aside).sum()), "threshold": threshold, "development": report}
    Path(arguments.results).write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, ensure_ascii=False, indent=2))


def _quality(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.float32], threshold: float
) -> dict[str, float | int]:
    decided = scores >= threshold
    quality: dict[str, float | int] = {"n": len(labels), "accuracy": float((decided == (labels > 0)).mean())}
    if 0 < labels.mean() < 1:
        quality |= {"f1": float(f1_score(labels, decided)), "auroc": float(roc_auc_score(labels, scores))}
    return quality


if __name__ == "__main__":
    main(HfArgumentParser(ParaphraseArguments).parse_args_into_dataclasses()[0])
