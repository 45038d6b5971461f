"""Train the answer ranker that stands beside the language model.

    python train/ranker.py --data DIR --out ranker.safetensors

Every written training question is shown the best sentences of its own passage; the right candidates compete with all
others and with "not answered here" (the loss of the reading trees, see trees.py). Questions that the passage does not
answer teach the latter. Trains the span networks (spans.py); the encoder was trained by encoder.py and encoder_tuning.py
and joins them, weighted on the development questions.
"""

import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_encoder import PassageEncoder, load_encoder
from koqas.koqas_features import CandidateView
from koqas.koqas_ranker import AnalyzedQuestion, Ranker, ScoreMix, best_sentences
from koqas.koqas_text import analyze, search_tokens, sentences_of
from koqas.koqas_weights import TokenWeights
from koqas.train.corpora import plain_texts, written_passages
from koqas.train.provenance import record_of
from koqas.train.spans import train_span_network
from koqas.train.trees import choice_loss
from koqas.train.word_vectors import piece_vectors


@dataclass
class RankerArguments:
    """What `train/ranker.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        out (`str`): File to write; the record goes to results/ranker.json.
        encoder (`str`): Weights written by train/encoder_tuning.py.
        tokenizer (`str`): tokenizer.json of the encoder, whose pieces get word vectors too.
        dimensions (`int`): Size of the word vectors.
        span_networks (`int`): Span networks averaged.
        span_epochs (`int`): Their passes over the written questions.
        weight_texts (`int`): Paragraphs from which token weights are counted.
        seed (`int`): Seed of the first span network; the others follow.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    out: str = "ranker.safetensors"
    encoder: str = "runs/encoder/encoder.safetensors"
    tokenizer: str = "tokenizer.json"
    dimensions: int = 96
    span_networks: int = 1
    span_epochs: int = 6
    weight_texts: int = 20000
    seed: int = 0


@dataclass(frozen=True)
class RankedQuestion:
    """A question with the features of its candidates and which of them are right."""

    question: AnalyzedQuestion
    view: CandidateView
    right: np.ndarray
    answerable: bool


def token_weights(folder: Path, texts: int, seed: int) -> TokenWeights:
    """Count document frequencies of search tokens over random paragraphs of the corpora."""
    chosen = plain_texts(folder)
    random.Random(seed).shuffle(chosen)
    counted = analyze(tqdm(chosen[:texts], desc="token weights"))
    return TokenWeights.count({t for s in found for t in search_tokens(s.tokens, s.text)} for found in counted)


def ranked_questions(ranker: Ranker, folder: Path, split: str) -> list[RankedQuestion]:
    """Describe the candidates of every written question of a split in the best sentences of its passage."""
    passages = written_passages(folder, split)
    rows = []
    for passage, sentences in zip(passages, analyze(tqdm([p.text for p in passages], desc=split)), strict=True):
        for q in passage.questions:
            question = ranker.analyzed_question(sentences_of(q.question))
            shown, scores = best_sentences(ranker, question, sentences)
            view = ranker.candidates(question, shown, scores, passage.title)
            if not view.places:
                continue
            exact = [bool(q.answer) and shown[n].text[s.start : s.end] == q.answer for n, s in view.places]
            cited = [shown[n].text in q.evidence or q.evidence in shown[n].text for n, _ in view.places]
            # The same words elsewhere in the passage are not why the answer is right.
            right = np.array([e and c for e, c in zip(exact, cited, strict=True)])
            rows.append(RankedQuestion(question, view, right if right.any() else np.array(exact), bool(q.answer)))
    return rows


def development_scores(ranker: Ranker, rows: list[RankedQuestion]) -> dict[str, float]:
    """Return exact match on answerable questions and the AUROC of answerability."""
    from sklearn.metrics import roc_auc_score

    hits, odds = [], []
    for row in rows:
        scores = ranker.scores(row.question, row.view)
        odds.append(float(np.logaddexp.reduce(scores)))
        if row.answerable:
            hits.append(bool(row.right[int(np.argmax(scores))]))
    return {
        "n": len(hits),
        "em": round(float(np.mean(hits)), 4),
        "answerability_auroc": round(float(roc_auc_score([r.answerable for r in rows], odds)), 4),
    }


def mix_scores(ranker: Ranker, rows: list[RankedQuestion]) -> ScoreMix:
    """Weigh the parts by the choice loss on questions they were not trained on."""
    usable = [r for r in rows if r.right.any() or not r.answerable]
    owner = torch.repeat_interleave(torch.arange(len(usable)), torch.tensor([len(r.view.places) for r in usable]))
    parts = [
        torch.tensor(np.concatenate([part(r.question, r.view) for r in usable]), dtype=torch.float64)
        for part in (ranker.span_scores, ranker.encoder_scores)
    ]
    scores = torch.stack([*parts, torch.ones_like(parts[0])])
    right = torch.from_numpy(np.concatenate([r.right for r in usable]))
    mix = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([mix], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = choice_loss(mix @ scores, owner, right)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return ScoreMix(*mix.tolist())


def main(args: RankerArguments) -> None:
    """Count, describe, train, write."""
    started = time.monotonic()
    folder, out = Path(args.data), Path(args.out)
    weights = token_weights(folder, args.weight_texts, args.seed)
    ranker = Ranker(torch.zeros(1), torch.ones(1), weights)
    rows = ranked_questions(ranker, folder, "train")
    development = ranked_questions(ranker, folder, "development")
    numeric = torch.from_numpy(np.concatenate([r.view.numeric for r in rows]))
    ranker.mean, ranker.scale = numeric.mean(0), numeric.std(0) + 1e-3
    tokenizer = Tokenizer.from_file(args.tokenizer)
    ranker.words = piece_vectors(plain_texts(folder), tokenizer, args.dimensions, args.seed)
    ranker.encoder = PassageEncoder(load_encoder(Path(args.encoder)), tokenizer)
    seeds = range(args.seed, args.seed + args.span_networks)
    ranker.span_networks = [train_span_network(ranker, rows, seed, args.span_epochs) for seed in seeds]
    report = {}
    for name, mix in {
        "spans": ScoreMix(1.0, 0.0),
        "encoder": ScoreMix(0.0, 1.0),
        "all": mix_scores(ranker, development),
    }.items():
        ranker.mix = mix
        report[name] = development_scores(ranker, development)
    save_file(ranker.tensors(), out)
    record = record_of(args) | {
        "rows": len(rows),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "mix": asdict(ranker.mix),
        "development": report,
    }
    results = out.parent / "results"
    results.mkdir(exist_ok=True)
    (results / "ranker.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main(HfArgumentParser(RankerArguments).parse_args_into_dataclasses()[0])
