"""Pretrain the embedded base from scratch on rule-made questions, with some language modelling.

    python train/base.py --data DIR --tokenizer runs/tokenizer --out runs/base --minutes 30

Two kinds of sequences: readings (a question, a few sentences, candidate spans of which one or none is the answer;
see readings.py) and judgements (a passage with questions it answers or not; see judgements.py), every tenth of
which also has a next-token loss on its passage. The corpus is read in an order given by the seed; a killed run
resumes from its newest checkpoint with `--resume`. Token embeddings start from a truncated SVD of the positive
pointwise mutual information of the corpus (Levy and Goldberg 2014), which costs a minute and saves thousands of
steps; hidden matrices are trained with Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon), the
rest with AdamW. Runs on the CPU and on one GPU without edits, in bfloat16 autocast.
"""

import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, IterableDataset
from transformers import AutoTokenizer, HfArgumentParser, LlamaConfig, LlamaForCausalLM

from koqas.koqas_prompts import ChatFormat, chat_format
from koqas.koqas_text import AnalyzedSentence, analyze, sentences_of
from koqas.train.corpora import articles, paragraphs
from koqas.train.judgements import Judged, judgement_tree
from koqas.train.questions import MadeQuestion, questions_of
from koqas.train.readings import reading_tree
from koqas.train.trees import LossWeights, PromptTree, collate, needs_logits, tree_loss
from koqas.train.word_vectors import pmi_vectors


@dataclass
class BaseArguments:
    """What `train/base.py` needs to know.

    Args:
        data (`str`): Folder of the training corpora.
        tokenizer (`str`): Folder of the trained tokenizer.
        out (`str`): Folder for the base model, the loss curve and checkpoints.
        minutes (`float`): Wall-clock training budget; the learning rate decays to its end.
        hidden_size, layers, heads, intermediate_size (`int`): Shape of the Llama.
        longest (`int`): Longest tree in tokens.
        batch_tokens (`int`): Tokens in one step, padding included.
        learning_rate (`float`): Peak learning rate.
        seed (`int`): Seed of weights, order and questions.
        resume (`bool`): Continue from the checkpoint in `out`.
        max_steps (`int`): Stop after that many steps (0: by time only).
    """

    data: str = field(metadata={"help": "folder of the training corpora"})
    tokenizer: str = "runs/tokenizer"
    out: str = "runs/base"
    minutes: float = 30.0
    hidden_size: int = 192
    layers: int = 4
    heads: int = 6
    intermediate_size: int = 512
    longest: int = 700
    batch_tokens: int = 6000
    learning_rate: float = 2e-3
    seed: int = 0
    resume: bool = False
    max_steps: int = 0


CANDIDATES = 14  # spans shown in a reading
LABELS = LossWeights(label=1.0)
LABELS_AND_TEXT = LossWeights(passage=0.05, label=1.0)


@dataclass(frozen=True)
class AskedPassage:
    """An analyzed paragraph with rule-made questions, each with its analysis."""

    title: str
    sentences: list[AnalyzedSentence]
    made: list[MadeQuestion]
    analyzed: list[tuple[AnalyzedSentence, ...]]


class MadeTrees(IterableDataset):
    """Endless batches of rule-made trees of like length; `skip` batches are passed over when a run resumes."""

    def __init__(self, args: BaseArguments, chat: ChatFormat, skip: int = 0) -> None:
        self.args, self.chat, self.skip = args, chat, skip

    def __iter__(self) -> Iterator[list[PromptTree]]:
        """Yield batches; article order and questions follow from the seed alone."""
        held: list[PromptTree] = []
        for tree in self._endless():
            held.append(tree)
            if len(held) == 64:
                for batch in bucketed(held, self.args.batch_tokens, random.Random(len(held[0].input_ids))):
                    self.skip -= 1
                    if self.skip < 0:
                        yield batch
                held = []

    def _endless(self) -> Iterator[PromptTree]:
        rng = random.Random(self.args.seed)
        pages = [(t, p) for t, text in articles(Path(self.args.data)) if (p := paragraphs(text))]
        while True:
            rng.shuffle(pages)
            yield from self._epoch(pages, rng)

    def _epoch(self, pages: list[tuple[str, list[str]]], rng: random.Random) -> Iterator[PromptTree]:
        earlier: list[tuple[AnalyzedSentence, ...]] = []
        for title, texts in pages:
            page = []
            for sentences in analyze(rng.sample(texts, min(3, len(texts)))):
                made = questions_of(sentences, title if len(title) <= 25 else "", 3, rng)
                asked = [tuple(sentences_of(q.question)) for q in made]
                page.append(AskedPassage(title if len(title) <= 25 else "", sentences, made, asked))
            for passage in page:
                yield from self._readings(passage, rng)
                others = [q for p in page if p is not passage for q in p.analyzed]
                yield from self._judgements(passage, others, earlier, rng)
            earlier = (earlier + [q for p in page for q in p.analyzed])[-200:]

    def _readings(self, passage: AskedPassage, rng: random.Random) -> Iterator[PromptTree]:
        for made, question in zip(passage.made, passage.analyzed, strict=True):
            place = next(i for i, s in enumerate(passage.sentences) if s.text == made.sentence)
            rest = [i for i in range(len(passage.sentences)) if i != place]
            shown = rng.sample(rest, min(rng.choice([0, 1, 1, 2, 2]), len(rest)))
            answer = made.answer if rng.random() < 0.9 or not shown else ""
            shown = sorted([*shown, place] if answer else shown)
            title = passage.title if rng.random() < 0.8 else ""
            tree = reading_tree(
                self.chat, title, question, answer, [passage.sentences[i] for i in shown], CANDIDATES, rng
            )
            if tree and len(tree.input_ids) <= self.args.longest:
                yield tree

    def _judgements(
        self,
        passage: AskedPassage,
        others: list[tuple[AnalyzedSentence, ...]],
        earlier: list[tuple[AnalyzedSentence, ...]],
        rng: random.Random,
    ) -> Iterator[PromptTree]:
        if not passage.made:
            return
        # The question of a sentence that was taken out: the right passage for its subject, without the answer.
        hidden = rng.choice(passage.made).sentence if len(passage.sentences) > 2 else None
        judged = [Judged(q, True, m.sentence != hidden) for m, q in zip(passage.made, passage.analyzed, strict=True)]
        judged += [Judged(q, True, False) for q in rng.sample(others, min(1, len(others)))]
        judged += [Judged(q, False, False) for q in rng.sample(earlier, min(2, len(earlier)))]
        sentences = [s for s in passage.sentences if s.text != hidden]
        title = passage.title if rng.random() < 0.7 else ""
        weights = LABELS_AND_TEXT if rng.random() < 0.1 else LABELS
        known = [m for s in sentences_of(title) for m in s.tokens] if title else []
        tree = judgement_tree(self.chat, sentences, title, known, judged, weights, self.args.longest)
        if tree:
            yield tree


@dataclass(frozen=True)
class PadTrees:
    """The collator of the loader (a class, since worker processes need to import it)."""

    pad: int

    def __call__(self, trees: list[PromptTree]) -> dict[str, torch.Tensor]:
        """Pad a batch of trees; see `collate`."""
        return collate(trees, self.pad)


def bucketed(trees: list[PromptTree], budget: int, rng: random.Random) -> list[list[PromptTree]]:
    """Group trees of like length into batches of at most `budget` padded tokens, in random order."""
    batches: list[list[PromptTree]] = [[]]
    for tree in sorted(trees, key=lambda t: len(t.input_ids)):
        if batches[-1] and len(tree.input_ids) * (len(batches[-1]) + 1) > budget:
            batches.append([])
        batches[-1].append(tree)
    rng.shuffle(batches)
    return batches


def embedding_start(chat: ChatFormat, args: BaseArguments, vocab: int) -> torch.Tensor:
    """Return token vectors `(vocab, hidden)`: those of `pmi_vectors` with some noise."""
    texts = [p for _, text in articles(Path(args.data)) for p in paragraphs(text)]
    texts = random.Random(args.seed).sample(texts, min(15000, len(texts)))
    found, occurs = pmi_vectors(texts, chat.tokenizer.backend_tokenizer, args.hidden_size, args.seed)
    noise = np.random.default_rng(args.seed).normal(size=(vocab, args.hidden_size)) / math.sqrt(args.hidden_size)
    vectors = noise.copy()
    vectors[: len(found)][occurs] = found[occurs] + 0.3 * noise[: len(found)][occurs]
    return torch.tensor(vectors, dtype=torch.float32) * (0.02 * math.sqrt(args.hidden_size))


def new_model(args: BaseArguments, chat: ChatFormat) -> LlamaForCausalLM:
    """Build the Llama with heads that match equal tokens and pass them on.

    Half of the heads start with equal query and key maps, all with output maps that undo the value maps (after
    Trockman and Kolter 2023, mimetic initialization, https://arxiv.org/abs/2305.09828).
    """
    torch.manual_seed(args.seed)
    vocab = (len(chat.tokenizer) + 63) // 64 * 64
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=args.hidden_size,
        intermediate_size=args.intermediate_size,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=chat.tokenizer.bos_token_id,
        eos_token_id=chat.tokenizer.eos_token_id,
        pad_token_id=chat.tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    size = args.hidden_size // args.heads * (args.heads // 2)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(embedding_start(chat, args, vocab))
        for layer in model.model.layers:
            attention = layer.self_attn
            attention.q_proj.weight.mul_(3.0)
            attention.k_proj.weight.mul_(3.0)
            attention.k_proj.weight[:size] = attention.q_proj.weight[:size]
            attention.v_proj.weight.mul_(2.0)
            attention.o_proj.weight.copy_(attention.v_proj.weight.T)
    return model


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def optimizers_of(model: LlamaForCausalLM, args: BaseArguments) -> list[torch.optim.Optimizer]:
    """Return Muon for the hidden matrices and AdamW for embeddings and norms."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(hidden, lr=args.learning_rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def save(model: LlamaForCausalLM, optimizers: list[torch.optim.Optimizer], folder: Path, progress: Progress) -> None:
    """Write model, optimizer moments and progress, the newest complete checkpoint last."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    moments = {
        f"{k}.{i}.{n}": v
        for k, optimizer in enumerate(optimizers)
        for i, s in optimizer.state_dict()["state"].items()
        for n, v in s.items()
        if torch.is_tensor(v)
    }
    save_file(moments, folder / "optimizer.safetensors")
    (folder / "progress.json").write_text(json.dumps(asdict(progress)))


def restore(optimizers: list[torch.optim.Optimizer], folder: Path) -> Progress:
    """Load optimizer moments and progress written by `save`."""
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for key, value in load_file(folder / "optimizer.safetensors").items():
        number, index, name = key.split(".")
        states[int(number)].setdefault(int(index), {})[name] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**json.loads((folder / "progress.json").read_text()))


def train(
    model: LlamaForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    chat: ChatFormat,
    args: BaseArguments,
    progress: Progress,
) -> None:
    """Train until the budget is spent, writing `loss.jsonl` as it goes and a checkpoint every 200 steps."""
    device, out, labels, pad = model.device.type, Path(args.out), chat.label_ids(), chat.tokenizer.pad_token_id
    trees = MadeTrees(args, chat, skip=progress.step)
    loader = DataLoader(trees, batch_size=None, num_workers=1, prefetch_factor=8, collate_fn=PadTrees(pad))
    begun, average = time.time() - progress.seconds, None
    with (out / "loss.jsonl").open("a") as curve:
        for batch in loader:
            spent = (time.time() - begun) / (args.minutes * 60)
            spent = max(spent, progress.step / args.max_steps) if args.max_steps else spent
            if spent >= 1:
                break
            rate = args.learning_rate * min(1.0, (progress.step + 1) / 50) * max(min(1.0, (1 - spent) / 0.4), 0.02)
            batch = {k: v.to(device) for k, v in batch.items()}
            with torch.autocast(device, dtype=torch.bfloat16):
                hidden = model.model(
                    input_ids=batch["input_ids"],
                    position_ids=batch["position_ids"],
                    attention_mask=batch["attention_mask"],
                    use_cache=False,
                ).last_hidden_state
                loss = tree_loss(model.lm_head(hidden[needs_logits(batch)]), labels, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.param_groups[0]["lr"] = rate
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            progress.step += 1
            progress.tokens += int((batch["input_ids"] != pad).sum())
            progress.seconds = time.time() - begun
            average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
            if progress.step % 20 == 0:
                row = {"step": progress.step, "loss": round(average, 4), "tokens": progress.tokens}
                curve.write(json.dumps(row | {"seconds": round(progress.seconds, 1)}) + "\n")
                curve.flush()
            if progress.step % 200 == 0:
                save(model, optimizers, out, progress)
    save(model, optimizers, out, progress)


def main(args: BaseArguments) -> None:
    """Build or restore the model, then train it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = Path(args.out)
    chat = chat_format(AutoTokenizer.from_pretrained(args.tokenizer), "roles")
    resumed = args.resume and (out / "progress.json").is_file()
    model = LlamaForCausalLM.from_pretrained(out) if resumed else new_model(args, chat)
    model.to(device)  # type: ignore[arg-type]
    model.train()
    optimizers = optimizers_of(model, args)
    progress = restore(optimizers, out) if resumed else Progress()
    out.mkdir(parents=True, exist_ok=True)
    (out / "arguments.json").write_text(json.dumps(asdict(args), indent=2))
    train(model, optimizers, chat, args, progress)
    chat.tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main(HfArgumentParser(BaseArguments).parse_args_into_dataclasses()[0])
