"""Pretrain the encoder on masked words.

    python train/encoder.py --stream runs/encoder_data/stream.npy --out runs/encoder --minutes 6

Windows at random places of a token stream; whole words (morphemes up to the next space) are masked, a quarter of them,
and nothing but the mask stands in their place (more than BERT, and without its 80/10/10 rule: Wettig et al. 2023,
https://arxiv.org/abs/2202.08005). Hidden matrices are trained with Muon (Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon), the rest with AdamW, in bfloat16 autocast on a GPU. The rate falls
linearly over the time budget's last two thirds. `--resume` goes on from the newest checkpoint.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm
from transformers import HfArgumentParser, ModernBertForMaskedLM

from koqas.koqas_encoder import LONGEST, MASK, encoder_config


@dataclass
class EncoderArguments:
    """What `train/encoder.py` needs to know.

    Args:
        stream (`str`): Token ids written by train/encoder_data.py.
        tokenizer (`str`): tokenizer.json of the encoder: its pieces tell where words begin.
        out (`str`): Folder for weights, loss curve and checkpoints.
        minutes (`float`): Wall-clock budget after the first step.
        sequences (`int`): Windows in a step.
        masked (`float`): Share of words masked.
        learning_rate (`float`): Peak learning rate.
        checkpoint_seconds (`float`): Time between checkpoints.
        max_steps (`int`): Stop after that many steps (0: by time only).
        seed (`int`): Seed of weights, windows and masks.
        resume (`bool`): Go on from the checkpoint in `out`.
        compile (`bool`): Compile the layers, which a GPU gains from.
    """

    stream: str = field(metadata={"help": "token ids written by train/encoder_data.py"})
    tokenizer: str = "tokenizer.json"
    out: str = "runs/encoder"
    minutes: float = 6.0
    sequences: int = 256
    masked: float = 0.25
    learning_rate: float = 2e-3
    checkpoint_seconds: float = 60.0
    max_steps: int = 0
    seed: int = 0
    resume: bool = False
    compile: bool = True


def word_starts(tokenizer: Path) -> torch.Tensor:
    """Tell for each id whether a word begins there, bool `(vocabulary rounded up to 64,)`; special tokens do too."""
    model = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    starts = torch.ones((len(model) + 63) // 64 * 64, dtype=torch.bool)
    starts[: len(model)] = torch.tensor([p.startswith(("▁", "<|")) or not p.isalnum() for p, _ in model])
    return starts


def masked_words(ids: torch.Tensor, starts: torch.Tensor, share: float) -> torch.Tensor:
    """Choose whole words at random, bool of the shape of `ids` `(sequences, length)`."""
    word = starts[ids].cumsum(1)
    chance = torch.rand(ids.shape[0], ids.shape[1] + 1, device=ids.device)
    return (chance.gather(1, word) < share) & (ids >= 8)  # the eight special tokens are never masked


def new_model(vocabulary: int, seed: int) -> ModernBertForMaskedLM:
    """Build the encoder with random weights."""
    torch.manual_seed(seed)
    return ModernBertForMaskedLM(encoder_config(vocabulary))


def optimizers_of(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the layers' matrices and AdamW for embeddings, norms and the head."""
    named = list(model.named_parameters())
    hidden = [p for n, p in named if p.ndim == 2 and "layers." in n]
    rest = [p for n, p in named if not (p.ndim == 2 and "layers." in n)]
    return [
        torch.optim.Muon(hidden, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def masked_loss(model: ModernBertForMaskedLM, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of the masked tokens; the vocabulary is scored at those alone."""
    states = model.model(input_ids=ids.masked_fill(mask, MASK)).last_hidden_state
    logits = model.decoder(model.head(states[mask]))
    return nn.functional.cross_entropy(logits.float(), ids[mask])


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def save(model: ModernBertForMaskedLM, optimizers: list[torch.optim.Optimizer], out: Path, progress: Progress) -> None:
    """Write weights, optimizer moments and progress, each under its name only when complete."""
    moments = {
        f"{k}.{i}.{n}": v
        for k, optimizer in enumerate(optimizers)
        for i, state in optimizer.state_dict()["state"].items()
        for n, v in state.items()
        if torch.is_tensor(v)
    }
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if k != "decoder.weight"}  # tied
    for name, tensors in {"optimizer": moments, "model": weights}.items():
        save_file(tensors, out / f"{name}.part", metadata={"format": "pt"})
        (out / f"{name}.part").replace(out / f"{name}.safetensors")
    (out / "progress.json").write_text(json.dumps(asdict(progress)))


def restore(model: ModernBertForMaskedLM, optimizers: list[torch.optim.Optimizer], out: Path) -> Progress:
    """Load what `save` wrote."""
    model.load_state_dict(load_file(out / "model.safetensors"), strict=False)
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for key, value in load_file(out / "optimizer.safetensors").items():
        number, index, name = key.split(".")
        states[int(number)].setdefault(int(index), {})[name] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**json.loads((out / "progress.json").read_text()))


def train(
    model: ModernBertForMaskedLM, optimizers: list[torch.optim.Optimizer], args: EncoderArguments, progress: Progress
) -> None:
    """Train until the budget is spent."""
    device, out = next(model.parameters()).device, Path(args.out)
    stream = torch.from_numpy(np.load(args.stream).astype(np.int32)).to(device)
    starts, window = word_starts(Path(args.tokenizer)).to(device), torch.arange(LONGEST, device=device)
    torch.manual_seed(args.seed + progress.step)
    begun, saved = None, time.monotonic()
    with (out / "loss.jsonl").open("a") as curve, tqdm(initial=progress.step, desc="steps", mininterval=5) as bar:
        while True:
            spent = progress.seconds / (60 * args.minutes)
            spent = max(spent, progress.step / args.max_steps) if args.max_steps else spent
            if spent >= 1:
                break
            rate = args.learning_rate * min(1.0, (progress.step + 1) / 200) * min(1.0, 1.5 * (1 - spent) + 0.01)
            at = torch.randint(len(stream) - LONGEST, (args.sequences, 1), device=device)
            ids = stream[at + window].long()
            with torch.autocast(device.type, dtype=torch.bfloat16):
                loss = masked_loss(model, ids, masked_words(ids, starts, args.masked))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            progress.step += 1
            progress.tokens += ids.numel()
            if progress.step % 20 == 0 or args.max_steps:
                value = loss.item()  # waits for the device, so the clock below is honest
                curve.write(json.dumps(asdict(progress) | {"loss": round(value, 4)}) + "\n")
                curve.flush()
                bar.set_postfix(loss=f"{value:.3f}", refresh=False)
            begun = begun or time.monotonic() - progress.seconds
            progress.seconds = time.monotonic() - begun
            bar.update()
            if time.monotonic() - saved > args.checkpoint_seconds:
                save(model, optimizers, out, progress)
                saved = time.monotonic()
    save(model, optimizers, out, progress)


def main(args: EncoderArguments) -> None:
    """Build or restore the model, then train it."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "arguments.json").write_text(json.dumps(asdict(args), indent=2))
    torch.set_float32_matmul_precision("high")
    model = new_model(len(word_starts(Path(args.tokenizer))), args.seed)
    model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    model.train()
    optimizers = optimizers_of(model, args.learning_rate)
    resumed = args.resume and (out / "progress.json").is_file()
    progress = restore(model, optimizers, out) if resumed else Progress()
    if args.compile:
        for layer in model.model.layers:
            layer.compile(dynamic=False)
    train(model, optimizers, args, progress)


if __name__ == "__main__":
    main(HfArgumentParser(EncoderArguments).parse_args_into_dataclasses()[0])
