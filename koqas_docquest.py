"""Judge how useful a passage is for a question: the first-pass filter and the DocQuest score.

Both are one forward pass of the language model over the passage, the question and a section header, read from the
logits of two label tokens. The two headers share the key-value cache of the passage and the question. A calibration
(Platt scaling, fitted on written questions) may combine the model's logit with the lexical coverage of the question.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .koqas_prompts import ChatFormat
from .koqas_types import Span


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of several signs: probability = sigmoid(their weighted sum + `bias`).

    Args:
        logit (`float`): Weight of the model's logit.
        coverage (`float`): Weight of the lexical coverage of the question.
        support (`float`): Weight of the ranker's log-odds that the passage holds an answer.
        bias (`float`): Constant.
    """

    logit: float = 1.0
    coverage: float = 0.0
    support: float = 0.0
    bias: float = 0.0

    def probability(self, logit: float, passage: "Passage") -> float:
        """Return the calibrated probability."""
        z = self.logit * logit + self.coverage * passage.coverage + self.support * passage.support + self.bias
        return 1.0 / (1.0 + math.exp(-max(min(z, 50.0), -50.0)))


@dataclass(frozen=True)
class Calibrations:
    """The calibration of each judgement: first pass, usefulness of a passage, usefulness of one sentence."""

    relevance: Calibration = field(default_factory=Calibration)
    usefulness: Calibration = field(default_factory=Calibration)
    sentence: Calibration = field(default_factory=Calibration)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Calibrations":
        """Read the `calibration` block of config.json; missing parts stay uncalibrated."""
        return cls(**{k: Calibration(**row[k]) for k in ("relevance", "usefulness", "sentence") if k in row})


@dataclass(frozen=True)
class Passage:
    """A text to judge, with what is known about it before the model reads it.

    Args:
        text (`str`): The passage.
        title (`str`): Its title, or "".
        coverage (`float`): How much of the question's weight its words cover (0..1).
        support (`float`): The ranker's log-odds that it holds an answer; 0 without a ranker.
        shared (`Sequence[Span]`): Words of the question that it holds too, as spans of the question.
    """

    text: str
    title: str
    coverage: float
    support: float = 0.0
    shared: Sequence[Span] = ()


class DocQuest:
    """Scores passages for a question with any causal language model.

    Args:
        model: A transformers causal LM (or PEFT model).
        chat (`ChatFormat`): Prompt format of its tokenizer.
        batch_size (`int`): Passages in one forward pass.
        longest (`int`): Most tokens of a passage; the rest is cut.
    """

    def __init__(self, model: Any, chat: ChatFormat, batch_size: int, longest: int) -> None:  # noqa: ANN401
        self.model, self.chat = model, chat
        self.batch_size, self.longest = batch_size, longest
        self.yes, self.no = chat.label_ids()

    def logits(self, question: str, passages: Sequence[Passage], sections: Sequence[str]) -> list[list[float]]:
        """Return `logit(yes) - logit(no)` for each section (outer) and passage (inner)."""
        prefixes = [
            self.chat.context([p.text], [p.title])[: self.longest] + self.chat.question(question, p.shared)
            for p in passages
        ]
        found = [[0.0] * len(passages) for _ in sections]
        order = sorted(range(len(passages)), key=lambda i: len(prefixes[i]))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            for section, scores in enumerate(self._batch([prefixes[i] for i in rows], sections)):
                for row, score in zip(rows, scores, strict=True):
                    found[section][row] = score
        return found

    @torch.inference_mode()
    def _batch(self, prefixes: list[list[int]], sections: Sequence[str]) -> list[list[float]]:
        """Run left-padded prefixes once, then each header on a copy-free cropped cache."""
        device = self.model.device
        width = max(map(len, prefixes))
        pad = self.chat.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prefixes], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prefixes], device=device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1
        ).past_key_values
        scores = []
        for section in sections:
            header = torch.tensor([self.chat.sections[section]] * len(prefixes), device=device)
            steps = torch.arange(1, header.shape[1] + 1, device=device)
            logits = (
                self.model(
                    input_ids=header,
                    attention_mask=torch.cat([mask, torch.ones_like(header)], dim=1),
                    position_ids=positions[:, -1:] + steps,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                .logits[:, -1]
                .float()
            )
            scores.append((logits[:, self.yes] - logits[:, self.no]).tolist())
            cache.crop(-header.shape[1])
        return scores
