"""Train the span networks of the ranker (koqas_spans.py) on written questions."""

import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from koqas.koqas_features import CandidateView
from koqas.koqas_ranker import AnalyzedQuestion, Ranker
from koqas.koqas_spans import SpanInputs, SpanNetwork, collate
from koqas.koqas_words import WordVectors
from koqas.train.trees import choice_loss

BATCH = 32
LEARNING_RATE = 2e-3


class Row(Protocol):
    """A question with its candidates; see `ranker.RankedQuestion`."""

    @property
    def question(self) -> AnalyzedQuestion:
        """Return the question."""

    @property
    def view(self) -> CandidateView:
        """Return the candidates' features."""

    @property
    def right(self) -> np.ndarray:
        """Return which candidates are right."""

    @property
    def answerable(self) -> bool:
        """Tell whether the passage answers the question."""


def train_span_network(ranker: Ranker, rows: Sequence[Row], seed: int, epochs: int) -> SpanNetwork:
    """Train one network; questions whose answer is no candidate teach nothing and are left out.

    Args:
        ranker (`Ranker`): Gives standardization, corpus weights and word vectors.
        rows (`Sequence[Row]`): Training questions.
        seed (`int`): Seed of initialization, dropout and order.
        epochs (`int`): Passes over the questions.
    """
    assert ranker.words is not None  # set before training
    torch.manual_seed(seed)
    rng = random.Random(seed)
    usable = [r for r in rows if r.right.any() or not r.answerable]
    inputs = [ranker.span_inputs(r.question, r.view) for r in tqdm(usable, desc="span inputs")]
    network = SpanNetwork(ranker.words.dimensions)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    steps = epochs * (len(usable) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1, anneal_strategy="linear"
    )
    order = list(range(len(usable)))
    with tqdm(total=steps, desc=f"span network {seed}") as bar:
        for _ in range(epochs):
            rng.shuffle(order)
            for start in range(0, len(order) - BATCH + 1, BATCH):
                chosen = order[start : start + BATCH]
                loss = batch_loss(
                    network, ranker.words, [inputs[i] for i in chosen], [usable[i].right for i in chosen]
                )
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
                bar.update()
    return network.eval()


def batch_loss(
    network: SpanNetwork, words: WordVectors, inputs: Sequence[SpanInputs], right: Sequence[np.ndarray]
) -> torch.Tensor:
    """Return the choice loss of some questions."""
    batch = collate(inputs, words)
    return choice_loss(network(batch), batch.owner, torch.from_numpy(np.concatenate(right)))
