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
from koqas.koqas_types import Span

IGNORED = -100


@dataclass(frozen=True)
class TreeQuestion:
    """A question about the tree's passage. None means: this section is not trained here.

    `shared` are the words of the question that the passage holds too.
    """

    question: str
    relevant: bool | None = None
    useful: bool | None = None
    summary: str | None = None
    answer: str | None = None
    shared: tuple[Span, ...] = ()


@dataclass
class PromptTree:
    """A tokenized tree, column by column.

    For each token its id, position, target (the token to predict next), loss weight, branch, choice (-1: none) and
    whether it is a right one; `parents[b]` is the branch that branch `b` grows from (-1 at the root), `lengths[b]` the
    position after its last token. A choice is a set of tokens whose yes-over-no logits compete with each other and
    with a constant zero, which stands for "none of them".
    """

    input_ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def grow(self, parent: int, ids: Sequence[int], start: int | None = None) -> int:
        """Add a branch of tokens without a loss and return its number.

        `start` is the position of its first token; by default the branch goes on where its parent ends.
        """
        if start is None:
            start = self.lengths[parent] if parent >= 0 else 0
        branch = len(self.parents)
        self.parents.append(parent)
        self.lengths.append(start + len(ids))
        self.input_ids += ids
        self.positions += range(start, start + len(ids))
        self.branches += [branch] * len(ids)
        self.targets += [IGNORED] * len(ids)
        self.weights += [0.0] * len(ids)
        self.choices += [-1] * len(ids)
        self.right += [False] * len(ids)
        return branch

    def plant(self, other: "PromptTree") -> None:
        """Append another tree beside this one; the two do not see each other."""
        shift, choices = len(self.parents), max(self.choices, default=-1) + 1
        self.choices += [c + choices if c >= 0 else -1 for c in other.choices]
        self.parents += [p + shift if p >= 0 else -1 for p in other.parents]
        self.branches += [b + shift for b in other.branches]
        for name in ("input_ids", "positions", "targets", "weights", "right", "lengths"):
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
        asked = tree.grow(root, chat.question(q.question, q.shared))
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
        `input_ids`, `position_ids`, `targets`, `weights`, `choices` (numbered through the batch), `right` of shape
        `(batch, length)` and a boolean `attention_mask` (True: sees) of shape `(batch, 1, length, length)`.
    """
    length = max(len(t.input_ids) for t in trees)
    names = ("input_ids", "position_ids", "targets", "weights", "choices", "right", "attention_mask")
    batch: dict[str, Any] = {k: [] for k in names}
    counted = 0
    for tree in trees:
        gap = length - len(tree.input_ids)
        batch["input_ids"].append(tree.input_ids + [pad] * gap)
        batch["position_ids"].append(tree.positions + [0] * gap)
        batch["targets"].append(tree.targets + [IGNORED] * gap)
        batch["weights"].append(tree.weights + [0.0] * gap)
        batch["choices"].append([c + counted if c >= 0 else -1 for c in tree.choices] + [-1] * gap)
        batch["right"].append(tree.right + [False] * gap)
        counted += max(tree.choices, default=-1) + 1
        batch["attention_mask"].append(_mask(tree, length))
    stacked = {k: torch.tensor(v) for k, v in batch.items() if k != "attention_mask"}
    return stacked | {"attention_mask": torch.stack(batch["attention_mask"])}


def needs_logits(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return where a batch needs logits: a boolean mask of shape `(batch, length)`."""
    return (batch["targets"] >= 0) | (batch["choices"] >= 0)


@dataclass(frozen=True)
class TreeTotals:
    """What the loss of a batch is divided by: the weights of its targets and the number of its choices."""

    weights: torch.Tensor
    choices: torch.Tensor


def tree_totals(batch: dict[str, torch.Tensor]) -> TreeTotals:
    """Return the totals of a batch."""
    return TreeTotals((batch["weights"] * (batch["targets"] >= 0)).sum(), batch["choices"].max() + 1)


def tree_loss(
    logits: torch.Tensor,
    labels: tuple[int, int],
    batch: dict[str, torch.Tensor],
    totals: TreeTotals | None = None,
) -> torch.Tensor:
    """Return the loss of a batch: weighted cross-entropy of targets plus the mean cross-entropy of choices.

    Args:
        logits (`torch.Tensor`): Logits where `needs_logits` is True, in order, shape `(needed, vocabulary)`.
        labels (`tuple[int, int]`): Ids of the yes label and of the no label.
        batch (`dict[str, torch.Tensor]`): See `collate`.
        totals (`TreeTotals`, *optional*): Totals to divide by, where the batch is a part of a larger one.
    """
    totals = totals or tree_totals(batch)
    needed = needs_logits(batch)
    targets, weights, choices, right = (batch[n][needed] for n in ("targets", "weights", "choices", "right"))
    loss = logits[:, :1].float().sum() * 0.0  # keeps its gradient where a process has nothing to learn in this batch
    at = targets >= 0
    if at.any():
        losses = torch.nn.functional.cross_entropy(logits[at].float(), targets[at], reduction="none")
        loss = loss + (losses * weights[at]).sum() / totals.weights
    at = choices >= 0
    if at.any():
        scores = logits[at][:, labels[0]].float() - logits[at][:, labels[1]].float()
        share = (int(choices[at].max()) + 1) / totals.choices
        loss = loss + choice_loss(scores, choices[at], right[at]) * share
    return loss


def choice_loss(scores: torch.Tensor, choices: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-probability of the right candidates of each choice, or of "none".

    Args:
        scores (`torch.Tensor`): Yes-over-no logits, shape `(candidates,)`.
        choices (`torch.Tensor`): The choice each belongs to, 0-based without gaps.
        right (`torch.Tensor`): Whether it is right; a choice without a right one is answered by "none".
    """
    count = int(choices.max()) + 1
    zeros = scores.new_zeros(count)
    ceiling = zeros.scatter_reduce(0, choices, scores.detach(), "amax")  # keeps the exponentials finite
    powers = (scores - ceiling[choices]).exp()
    none = (-ceiling).exp()
    every = zeros.index_add(0, choices, powers) + none
    gold = zeros.index_add(0, choices, powers * right)
    unanswerable = torch.ones_like(zeros).index_fill(0, choices[right], 0.0)
    return (every.log() - (gold + none * unanswerable).clamp(min=1e-30).log()).mean()


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
