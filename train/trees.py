"""Prompt trees: one passage, its questions and their sections in one sequence that shares the passage.

A flat row repeats its passage for every question and every section. A tree writes the passage once; each
question is a branch of it and each section a branch of its question. A token attends to its ancestors only and
takes the position it would have in the flat row, so the loss is the flat rows' loss at a fraction of the tokens
(about a sixth on the written questions). Needs an attention that takes a 4-D mask (`sdpa` or `eager`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from koqas.koqas_prompts import ChatFormat

IGNORED = -100


@dataclass(frozen=True)
class TreeQuestion:
    """A question about the tree's passage. None means: this section is not trained here."""

    question: str
    relevant: bool | None = None
    useful: bool | None = None
    summary: str | None = None
    answer: str | None = None


@dataclass
class PromptTree:
    """A tokenized tree, column by column.

    For each token its id, position, target (the token to predict next), loss weight and branch; `parents[b]` is the
    branch that branch `b` grows from (-1 at the root), `lengths[b]` the position after its last token.
    """

    input_ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def grow(self, parent: int, ids: Sequence[int]) -> int:
        """Add a branch of tokens without a loss and return its number."""
        start = self.lengths[parent] if parent >= 0 else 0
        branch = len(self.parents)
        self.parents.append(parent)
        self.lengths.append(start + len(ids))
        self.input_ids += ids
        self.positions += range(start, start + len(ids))
        self.branches += [branch] * len(ids)
        self.targets += [IGNORED] * len(ids)
        self.weights += [0.0] * len(ids)
        return branch

    def plant(self, other: "PromptTree") -> None:
        """Append another tree beside this one; the two do not see each other."""
        shift = len(self.parents)
        self.parents += [p + shift if p >= 0 else -1 for p in other.parents]
        self.branches += [b + shift for b in other.branches]
        for name in ("input_ids", "positions", "targets", "weights", "lengths"):
            getattr(self, name).extend(getattr(other, name))

    def learn(self, first: int, last: int, end: int, weight: float) -> None:
        """Set the loss on predicting tokens `first..last` (indices of this branch) and then `end` after them."""
        for at in range(first, last):
            self.targets[at - 1], self.weights[at - 1] = self.input_ids[at], weight
        self.targets[last - 1], self.weights[last - 1] = end, weight


@dataclass(frozen=True)
class LossWeights:
    """What a predicted token counts for: of the passage, a label, the summary, the answer."""

    passage: float = 0.0
    label: float = 1.0
    summary: float = 1.0
    answer: float = 1.0


def prompt_tree(
    chat: ChatFormat,
    passages: Sequence[str],
    title: str,
    questions: Sequence[TreeQuestion],
    weights: LossWeights,
    longest: int,
) -> PromptTree | None:
    """Tokenize passages with their questions, or return None when they would not fit `longest` tokens."""
    tree = PromptTree()
    yes, no = chat.label_ids()
    root = tree.grow(-1, chat.context(passages, [title] * len(passages)))
    if weights.passage:
        first = len(chat.begin) + 1
        tree.learn(first, len(tree.input_ids), chat.ask[0], weights.passage)
    for q in questions:
        asked = tree.grow(root, chat.question(q.question))
        for name, flag in (("relevance", q.relevant), ("usefulness", q.useful)):
            if flag is not None:
                tree.grow(asked, chat.sections[name])
                tree.targets[-1], tree.weights[-1] = (yes if flag else no), weights.label
        if q.answer:
            ids = [*chat.sections["summary"], *chat.content(q.summary or "")]
            told = tree.grow(asked, ids)
            end = len(tree.input_ids)
            if q.summary:
                tree.learn(end - len(ids) + len(chat.sections["summary"]), end, chat.then_answer[0], weights.summary)
            ids = [*chat.then_answer, *chat.content(q.answer)]
            tree.grow(told, ids)
            end = len(tree.input_ids)
            tree.learn(end - len(ids) + len(chat.then_answer), end, chat.end[0], weights.answer)
    return tree if len(tree.input_ids) <= longest else None


def pack(trees: Sequence[PromptTree], longest: int) -> list[PromptTree]:
    """Plant trees side by side into sequences of at most `longest` tokens (first fit, in the given order)."""
    packed: list[PromptTree] = []
    for tree in trees:
        # Only the newest few are looked at: enough to fill gaps, and linear in the number of trees.
        for forest in packed[-16:]:
            if len(forest.input_ids) + len(tree.input_ids) <= longest:
                forest.plant(tree)
                break
        else:
            packed.append(PromptTree())
            packed[-1].plant(tree)
    return packed


def collate(trees: Sequence[PromptTree], pad: int) -> dict[str, torch.Tensor]:
    """Pad trees to one batch.

    Returns:
        `input_ids`, `position_ids`, `targets`, `weights` of shape `(batch, length)` and a boolean `attention_mask`
        (True: sees) of shape `(batch, 1, length, length)`.
    """
    length = max(len(t.input_ids) for t in trees)
    batch: dict[str, Any] = {k: [] for k in ("input_ids", "position_ids", "targets", "weights", "attention_mask")}
    for tree in trees:
        gap = length - len(tree.input_ids)
        batch["input_ids"].append(tree.input_ids + [pad] * gap)
        batch["position_ids"].append(tree.positions + [0] * gap)
        batch["targets"].append(tree.targets + [IGNORED] * gap)
        batch["weights"].append(tree.weights + [0.0] * gap)
        batch["attention_mask"].append(_mask(tree, length))
    stacked = {k: torch.tensor(v) for k, v in batch.items() if k != "attention_mask"}
    return stacked | {"attention_mask": torch.stack(batch["attention_mask"])}


def _mask(tree: PromptTree, length: int) -> torch.Tensor:
    """Return the mask `(1, length, length)`: a token sees earlier tokens of its own and ancestor branches."""
    count = len(tree.parents)
    sees = torch.eye(count, dtype=torch.bool)
    for branch, parent in enumerate(tree.parents):
        if parent >= 0:
            sees[branch] |= sees[parent]
    branch_of = torch.tensor(tree.branches)
    allowed = torch.eye(length, dtype=torch.bool)
    size = len(tree.branches)
    allowed[:size, :size] |= sees[branch_of][:, branch_of] & torch.ones(size, size, dtype=torch.bool).tril()
    return allowed[None]
