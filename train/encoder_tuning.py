"""Fine-tune the pretrained encoder to find answers: first on rule-made questions, then on written ones.

    python train/encoder_tuning.py --questions runs/encoder_data/questions.npz --start runs/encoder/model.safetensors

Every question is asked of its passage and, now and then, of a passage that does not answer it; all spans and "not
answered here" share one softmax, and a question with several right spans is right with any of them (marginal
likelihood, as in Clark and Gardner 2018). The kept weights are a running average of the last steps'. Written
development questions say how well it reads; the record is `tuning.json`.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_encoder import PAD, SpanEncoder, encoder_config, joined_ids, save_encoder

MADE, WRITTEN, DEVELOPMENT = 0, 1, 2
READ_FROM = 400  # an answer that ends later than this token has the beginning of its passage left out


@dataclass
class TuningArguments:
    """What `train/encoder_tuning.py` needs to know.

    Args:
        questions (`str`): questions.npz written by train/encoder_data.py.
        start (`str`): Weights written by train/encoder.py.
        out (`str`): Folder for encoder.safetensors and tuning.json.
        made_epochs, epochs (`int`): Passes over rule-made and over written questions.
        made_rate, rate (`float`): Peak learning rates.
        batch (`int`): Questions in a step.
        unanswered (`float`): Share of questions asked of a passage that does not answer them.
        dropout (`float`): Dropout.
        average (`float`): Decay of the running average of weights.
        most (`int`): Rule-made questions used at most (0: all).
        seed (`int`): Seed of order, negatives and dropout.
    """

    questions: str = field(metadata={"help": "questions.npz written by train/encoder_data.py"})
    start: str = "runs/encoder/model.safetensors"
    out: str = "runs/encoder"
    made_epochs: int = 1
    epochs: int = 5
    made_rate: float = 4e-4
    rate: float = 2e-4
    batch: int = 64
    unanswered: float = 0.3
    dropout: float = 0.1
    average: float = 0.998
    most: int = 0
    seed: int = 0


class AskedQuestions:
    """The arrays of questions.npz by question.

    Args:
        path (`Path`): The file.
    """

    def __init__(self, path: Path) -> None:
        self.arrays = dict(np.load(path))
        self.kind, self.passage, self.negatives = (self.arrays[n] for n in ("kind", "passage", "negatives"))

    def row(self, name: str, number: int) -> list[int]:
        """Return one row of an array of rows (`texts`, `titles`, `questions`, `golds`)."""
        begins = self.arrays[f"{name}.begins"]
        return self.arrays[f"{name}.values"][begins[number] : begins[number + 1]].tolist()  # type: ignore[no-any-return]

    def example(self, number: int, passage: int) -> tuple[list[int], int, list[list[int]]]:
        """Return ids, the place of the passage's first token, and the right spans if it is the question's own."""
        text = self.row("texts", passage)
        golds = self.row("golds", number) if passage == self.passage[number] else []
        # A passage that is cut before its answer would teach that it has none: it is read from a later token on.
        skipped = max(0, min(golds[1::2]) - READ_FROM) if golds else 0
        ids, first = joined_ids(self.row("questions", number), self.row("titles", passage), text[skipped:])
        pairs = np.array(golds, dtype=int).reshape(-1, 2) + first - skipped
        return ids, first, [[int(i), int(j)] for i, j in pairs if first <= i and j < len(ids) - 1]


@dataclass(frozen=True)
class Batch:
    """Padded ids `(batch, length)`, first passage tokens `(batch,)`, right spans `(spans, 3)`: row, first, last."""

    ids: torch.Tensor
    first: torch.Tensor
    golds: torch.Tensor


def batch_of(questions: AskedQuestions, chosen: list[tuple[int, int]], device: str) -> Batch:
    """Pad some (question, passage) pairs to a multiple of 64 tokens."""
    rows = [questions.example(*pair) for pair in chosen]
    longest = (max(len(ids) for ids, _, _ in rows) + 63) // 64 * 64
    padded = torch.tensor([ids + [PAD] * (longest - len(ids)) for ids, _, _ in rows])
    golds = [[n, *g] for n, (_, _, spans) in enumerate(rows) for g in spans]
    return Batch(
        padded.to(device),
        torch.tensor([first for _, first, _ in rows]).to(device),
        torch.tensor(golds, dtype=torch.long).reshape(-1, 3).to(device),
    )


def span_loss(scores: torch.Tensor, golds: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-likelihood of the right spans, or of "not answered here" where there are none.

    Args:
        scores (`torch.Tensor`): `(batch, length, length)`, see `SpanEncoder.forward`.
        golds (`torch.Tensor`): `(spans, 3)`: row, first and last token.
    """
    total = torch.logaddexp(torch.logsumexp(scores.flatten(1), 1), scores.new_zeros(()))
    right = torch.full_like(scores, -torch.inf)
    row, first, last = golds.unbind(1)
    right[row, first, last] = scores[row, first, last]
    best = torch.logsumexp(right.flatten(1), 1)
    return (total - torch.where(best.isinf(), 0.0, best)).mean()


def batches(
    questions: AskedQuestions, own: np.ndarray, args: TuningArguments, seed: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield one pass over some questions, each with its passage or one that does not answer it."""
    rng = np.random.default_rng(seed)
    own = rng.permutation(own)
    for begin in range(0, len(own) - args.batch + 1, args.batch):
        chosen = own[begin : begin + args.batch]
        other = questions.negatives[chosen, rng.integers(questions.negatives.shape[1], size=len(chosen))]
        asked = np.where(rng.random(len(chosen)) < args.unanswered, other, questions.passage[chosen])
        yield list(zip(chosen.tolist(), asked.tolist(), strict=True))


def tune(
    network: SpanEncoder, questions: AskedQuestions, own: np.ndarray, epochs: int, rate: float, args: TuningArguments
) -> SpanEncoder:
    """Train on some questions and return the averaged network."""
    device = next(network.parameters()).device.type
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(args.average))
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    steps = max(1, epochs * (len(own) // args.batch))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear"
    )
    network.train()
    with tqdm(total=steps, desc="tuning", mininterval=5) as bar:
        for epoch in range(epochs):
            for chosen in batches(questions, own, args, args.seed + epoch):
                batch = batch_of(questions, chosen, device)
                with torch.autocast(device, dtype=torch.bfloat16):
                    scores = network(batch.ids, batch.first)
                loss = span_loss(scores.float(), batch.golds)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                averaged.update_parameters(network)
                bar.update()
                if bar.n % 50 == 0:
                    bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return averaged.module  # type: ignore[return-value]


@torch.inference_mode()
def reading(network: SpanEncoder, questions: AskedQuestions) -> dict[str, float]:
    """Return exact match (tokens) on answerable development questions and the AUROC of answerability."""
    from sklearn.metrics import roc_auc_score

    device, odds, answerable, hits = next(network.parameters()).device.type, [], [], []
    network.eval()
    own = np.flatnonzero(questions.kind == DEVELOPMENT)
    for begin in range(0, len(own), 64):
        chosen = own[begin : begin + 64].tolist()
        batch = batch_of(questions, [(q, int(questions.passage[q])) for q in chosen], device)
        with torch.autocast(device, dtype=torch.bfloat16):
            scores = network(batch.ids, batch.first).float().flatten(1)
        odds += torch.logsumexp(scores, 1).tolist()
        best, length = scores.argmax(1).tolist(), batch.ids.shape[1]
        for n, number in enumerate(chosen):
            golds = [(int(i), int(j)) for row, i, j in batch.golds.tolist() if row == n]
            answerable.append(bool(questions.row("golds", number)))
            if answerable[-1]:
                hits.append(divmod(best[n], length) in golds)
    auroc = float(roc_auc_score(answerable, odds))
    return {"n": len(hits), "em": round(float(np.mean(hits)), 4), "answerability_auroc": round(auroc, 4)}


def starting(path: Path, dropout: float, seed: int) -> SpanEncoder:
    """Build the network from pretrained (or already tuned) weights."""
    torch.manual_seed(seed)
    tensors = {k: v.float() for k, v in load_file(path).items()}
    network = SpanEncoder(encoder_config(len(tensors["model.embeddings.tok_embeddings.weight"]), dropout))
    kept = {k: v for k, v in tensors.items() if k in network.state_dict()}
    missing = network.load_state_dict(kept, strict=False).missing_keys
    assert all(not m.startswith("model.") for m in missing), missing  # only the span head may be new
    return network


def main(args: TuningArguments) -> None:
    """Tune, measure, write."""
    started, out = time.monotonic(), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    questions = AskedQuestions(Path(args.questions))
    network = starting(Path(args.start), args.dropout, args.seed)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    report = {}
    if args.made_epochs:
        made = np.flatnonzero(questions.kind == MADE)[: args.most or None]
        network = tune(network, questions, made, args.made_epochs, args.made_rate, args)
        report["made"] = reading(network, questions)
        # In full precision: to start from again with other settings for the written questions.
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out / "made.safetensors")
    if args.epochs:
        written = np.flatnonzero(questions.kind == WRITTEN)
        network = tune(network, questions, written, args.epochs, args.rate, args)
        report["written"] = reading(network, questions)
    save_encoder(network, out / "encoder.safetensors")
    minutes = round((time.monotonic() - started) / 60, 2)
    record = {"arguments": asdict(args), "minutes": minutes, "development": report}
    (out / "tuning.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record))


if __name__ == "__main__":
    main(HfArgumentParser(TuningArguments).parse_args_into_dataclasses()[0])
