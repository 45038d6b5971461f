"""Pretrain the embedded base from scratch: language modelling and rule-made questions in prompt trees.

    python train/base.py --data DIR --tokenizer runs/tokenizer --out runs/base --minutes 45

Every sequence is a passage (next-token loss on its text) with rule-made questions: their labels, the evidence
sentence as summary and the span as answer. The corpus is read once, in an order given by the seed; a killed run
resumes from its newest checkpoint with `--resume`. Token embeddings start from a truncated SVD of the positive
pointwise mutual information of the corpus (Levy and Goldberg 2014), which costs seconds and saves thousands of
steps. Runs on the CPU in float32 and on one GPU in bfloat16 without edits.
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
from sklearn.utils.extmath import randomized_svd
from torch.utils.data import DataLoader, IterableDataset
from transformers import AutoTokenizer, HfArgumentParser, LlamaConfig, LlamaForCausalLM

from koqas.koqas_prompts import ChatFormat, chat_format
from koqas.koqas_text import AnalyzedSentence, analyze
from koqas.train.corpora import articles, paragraphs
from koqas.train.questions import MadeQuestion, questions_of
from koqas.train.trees import LossWeights, PromptTree, TreeQuestion, collate, prompt_tree


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
        learning_rate (`float`): Peak learning rate of AdamW.
        seed (`int`): Seed of weights, order and questions.
        resume (`bool`): Continue from the checkpoint in `out`.
        max_steps (`int`): Stop after that many steps (0: by time only).
    """

    data: str = field(metadata={"help": "folder of the training corpora"})
    tokenizer: str = "runs/tokenizer"
    out: str = "runs/base"
    minutes: float = 45.0
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 704
    longest: int = 900
    batch_tokens: int = 3600
    learning_rate: float = 2e-3
    seed: int = 0
    resume: bool = False
    max_steps: int = 0


WEIGHTS = LossWeights(passage=0.3, label=2.0, summary=0.3, answer=3.0)


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
        earlier: list[MadeQuestion] = []
        for title, texts in pages:
            chosen = rng.sample(texts, min(3, len(texts)))
            analyzed = list(analyze(chosen))
            made = [questions_of(s, title, 5, rng) for s in analyzed]
            for i, (sentences, own) in enumerate(zip(analyzed, made)):
                others = [q for j, qs in enumerate(made) if j != i for q in qs]
                yield from self._trees(sentences, title, own, others, earlier, rng)
            earlier = (earlier + [q for qs in made for q in qs])[-200:]

    def _trees(
        self,
        sentences: list[AnalyzedSentence],
        title: str,
        own: list[MadeQuestion],
        others: list[MadeQuestion],
        earlier: list[MadeQuestion],
        rng: random.Random,
    ) -> Iterator[PromptTree]:
        """Yield the whole passage with its questions, and one of its sentences as a passage of its own."""
        if not own:
            return
        distractors = [TreeQuestion(q.question, True, False) for q in rng.sample(others, min(2, len(others)))]
        distractors += [TreeQuestion(q.question, False, False) for q in rng.sample(earlier, min(2, len(earlier)))]
        # The question of a sentence that was taken out: the right passage for its subject, without the answer.
        hidden = own[-1].sentence if len(own) > 2 and rng.random() < 0.5 else None
        questions = [
            TreeQuestion(q.question, True, False)
            if q.sentence == hidden
            else TreeQuestion(q.question, True, True, q.sentence, q.answer)
            for q in own
        ]
        text = " ".join(s.text for s in sentences if s.text != hidden)
        yield from self._tree(text, title if rng.random() < 0.7 else "", [*questions, *distractors])
        asked = rng.choice(own)
        rest = [TreeQuestion(q.question, None, False) for q in own if q.sentence != asked.sentence]
        single = [TreeQuestion(asked.question, None, True, asked.sentence, asked.answer), *rest[:2], *distractors[-1:]]
        yield from self._tree(asked.sentence, title if rng.random() < 0.7 else "", single)

    def _tree(self, text: str, title: str, questions: list[TreeQuestion]) -> Iterator[PromptTree]:
        tree = prompt_tree(self.chat, [text], title, questions, WEIGHTS, self.args.longest)
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


def embedding_start(chat: ChatFormat, args: BaseArguments, vocab: int, window: int = 4) -> torch.Tensor:
    """Return token vectors `(vocab, hidden)` from the truncated SVD of the corpus' positive PMI."""
    rng = random.Random(args.seed)
    texts = [p for _, text in articles(Path(args.data)) for p in paragraphs(text)]
    texts = rng.sample(texts, min(15000, len(texts)))
    counts = np.zeros((vocab, vocab), dtype=np.float32)
    for start in range(0, len(texts), 500):
        for ids in chat.tokenizer(texts[start : start + 500], add_special_tokens=False)["input_ids"]:
            row = np.asarray(ids)
            for step in range(1, window + 1):
                np.add.at(counts, (row[:-step], row[step:]), 1.0 / step)
    counts += counts.T
    total, marginal = counts.sum(), counts.sum(1)
    smoothed = marginal**0.75 / (marginal**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(counts / (marginal[:, None] * smoothed[None, :]))
    pmi = np.nan_to_num(np.maximum(pmi, 0), posinf=0)
    u, s, _ = randomized_svd(pmi, args.hidden_size, n_iter=2, random_state=args.seed)
    vectors = u * np.sqrt(s)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
    noise = np.random.default_rng(args.seed).normal(size=vectors.shape) / math.sqrt(args.hidden_size)
    vectors = np.where(marginal[:, None] > 0, vectors + 0.3 * noise, noise)
    print(f"embedding start: {int(total)} co-occurrences")
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


def loss_of(model: LlamaForCausalLM, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the weighted cross-entropy; logits are computed only where there is something to predict."""
    hidden = model.model(
        input_ids=batch["input_ids"],
        position_ids=batch["position_ids"],
        attention_mask=batch["attention_mask"],
        use_cache=False,
    ).last_hidden_state
    at = batch["targets"] >= 0
    weights = batch["weights"][at]
    losses = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[at]).float(), batch["targets"][at], reduction="none"
    )
    return (losses * weights).sum() / weights.sum()


def save(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, folder: Path, state: dict[str, float]) -> None:
    """Write model, optimizer moments and progress, the newest complete checkpoint last."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    moments = {
        f"{i}.{k}": v for i, s in optimizer.state_dict()["state"].items() for k, v in s.items() if torch.is_tensor(v)
    }
    save_file(moments, folder / "optimizer.safetensors")
    (folder / "progress.json").write_text(json.dumps(state))


def restore(optimizer: torch.optim.Optimizer, folder: Path) -> dict[str, float]:
    """Load optimizer moments and progress written by `save`."""
    from safetensors.torch import load_file

    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return json.loads((folder / "progress.json").read_text())


def main(args: BaseArguments) -> None:
    """Train until the budget is spent, writing `loss.jsonl` as it goes."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = Path(args.out)
    chat = chat_format(AutoTokenizer.from_pretrained(args.tokenizer), "roles")
    resumed = args.resume and (out / "progress.json").is_file()
    model = LlamaForCausalLM.from_pretrained(out) if resumed else new_model(args, chat)
    model = model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    done = restore(optimizer, out) if resumed else {"step": 0, "seconds": 0.0, "tokens": 0}
    loader = DataLoader(
        MadeTrees(args, chat, skip=int(done["step"])),
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
        collate_fn=PadTrees(chat.tokenizer.pad_token_id),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "arguments.json").write_text(json.dumps(asdict(args), indent=2))
    budget, begun, step, tokens = (
        args.minutes * 60,
        time.time() - done["seconds"],
        int(done["step"]),
        int(done["tokens"]),
    )
    average = None
    with (out / "loss.jsonl").open("a") as curve:
        for batch in loader:
            spent = (time.time() - begun) / budget
            spent = max(spent, step / args.max_steps) if args.max_steps else spent
            if spent >= 1:
                break
            rate = args.learning_rate * min(1.0, (step + 1) / 100) * min(1.0, (1 - spent) / 0.35)
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = {k: v.to(device) for k, v in batch.items()}
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
                loss = loss_of(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            tokens += int((batch["input_ids"] != chat.tokenizer.pad_token_id).sum())
            average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
            if step % 20 == 0:
                row = {
                    "step": step,
                    "loss": round(average, 4),
                    "tokens": tokens,
                    "seconds": round(time.time() - begun, 1),
                }
                curve.write(json.dumps(row) + "\n")
                curve.flush()
            if step % 200 == 0:
                save(model, optimizer, out, {"step": step, "seconds": time.time() - begun, "tokens": tokens})
    save(model, optimizer, out, {"step": step, "seconds": time.time() - begun, "tokens": tokens})
    chat.tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main(HfArgumentParser(BaseArguments).parse_args_into_dataclasses()[0])
