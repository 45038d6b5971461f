"""A small pretrained bidirectional transformer that reads a question with a passage and scores answer spans.

ModernBERT (Warner et al. 2024, https://arxiv.org/abs/2412.13663) at 14.5 M weights, pretrained by train/encoder.py and
fine-tuned by train/encoder_tuning.py. A span is scored by its first and its last token together (a biaffine form, as
in Dozat and Manning 2017), and every span of the passage competes with "not answered here" in one softmax, so that a
score is the log-odds of the span against that. Weights are kept as int8 with a scale for each row.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import ModernBertConfig, ModernBertModel

LONGEST, LONGEST_QUESTION, LONGEST_TITLE = 512, 64, 24  # tokens read: in all, of the question, of the title
WIDEST_SPAN = 40  # tokens of the longest answer
PAD, START, END, MASK = 0, 1, 5, 3  # ids of the embedded tokenizer: <|pad|>, <|begin_of_text|>, <|eot_id|>, <|unk|>
FAR = -1e4  # a score that loses every softmax
UNREAD = -30.0  # score of a span that the encoder did not see


def encoder_config(vocabulary: int, dropout: float = 0.0) -> ModernBertConfig:
    """Return the encoder's shape; every layer attends to everything, since inputs are short."""
    return ModernBertConfig(
        vocab_size=vocabulary,
        hidden_size=320,
        intermediate_size=640,
        num_hidden_layers=8,
        num_attention_heads=5,
        max_position_embeddings=512,
        layer_types=["full_attention"] * 8,
        attention_dropout=dropout,
        mlp_dropout=dropout,
        embedding_dropout=dropout,
        pad_token_id=PAD,
        bos_token_id=START,
        cls_token_id=START,
        eos_token_id=END,
        sep_token_id=END,
        attn_implementation="sdpa",  # type: ignore[call-arg]
    )


@dataclass(frozen=True)
class EncodedPassage:
    """A question and a passage as the encoder reads them.

    Args:
        ids (`list[int]`): Token ids, at most `LONGEST`.
        first (`int`): Place of the passage's first token.
        places (`list[tuple[int, int]]`): Characters of the passage that each of its tokens covers.
    """

    ids: list[int]
    first: int
    places: list[tuple[int, int]]

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and last token that overlap some characters of the passage (None: not read)."""
        inside = [n for n, (begin, stop) in enumerate(self.places) if begin < end and stop > start]
        return (self.first + inside[0], self.first + inside[-1]) if inside else None


def joined_ids(question: Sequence[int], title: Sequence[int], passage: Sequence[int]) -> tuple[list[int], int]:
    """Return the encoder's input and the place of the passage's first token; the passage's end is cut if need be."""
    head = [START, *question[:LONGEST_QUESTION], END, *title[:LONGEST_TITLE], END]
    return [*head, *passage[: LONGEST - len(head) - 1], END], len(head)


class SpanEncoder(nn.Module):
    """The transformer with its span head.

    Args:
        config (`ModernBertConfig`): Its shape, see `encoder_config`.
    """

    def __init__(self, config: ModernBertConfig) -> None:
        super().__init__()
        self.model = ModernBertModel(config)
        size = config.hidden_size
        self.first, self.last = nn.Linear(size, size), nn.Linear(size, size)
        self.linear = nn.Linear(size, 2)
        self.nothing = nn.Linear(size, 1)

    def forward(self, ids: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Score all spans.

        Args:
            ids (`torch.Tensor`): Int64 `(batch, length)`, padded with `PAD`.
            first (`torch.Tensor`): Int64 `(batch,)`: place of each passage's first token.

        Returns:
            `torch.Tensor`: `(batch, length, length)`: score of the span from token i to token j against "not answered
            here"; `FAR` where that is no span of the passage.
        """
        mask = ids != PAD
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        begin, end = self.linear(states).unbind(-1)
        scale = states.shape[-1] ** -0.5
        scores = torch.einsum("bih,bjh->bij", self.first(states) * scale, self.last(states))
        scores = scores + begin[:, :, None] + end[:, None, :] - self.nothing(states[:, 0])[:, :, None]
        return scores.masked_fill(~possible_spans(ids, first), FAR)


def possible_spans(ids: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """Tell which pairs of tokens are spans of the passage, `(batch, length, length)`."""
    place = torch.arange(ids.shape[1], device=ids.device)
    ends = (ids != PAD).sum(1) - 1  # the closing token is no part of the passage
    inside = (place >= first[:, None]) & (place < ends[:, None])
    wide = place[None, :] - place[:, None]
    return inside[:, :, None] & inside[:, None, :] & ((wide >= 0) & (wide < WIDEST_SPAN))[None]


class PassageEncoder:
    """A trained encoder with the tokenizer that it reads by.

    Args:
        network (`SpanEncoder`): Its weights.
        tokenizer (`Tokenizer`): The tokenizer that it was trained with, which need not be that of the language model.
    """

    def __init__(self, network: SpanEncoder, tokenizer: Tokenizer) -> None:
        self.network, self.tokenizer = network.eval(), tokenizer

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor]) -> "PassageEncoder":
        """Read what `tensors` returns."""
        tokenizer = zlib.decompress(bytes(tensors["tokenizer"].numpy())).decode("utf-8")
        shape = json.loads(bytes(tensors["config"].numpy()))
        weights = {k: v for k, v in tensors.items() if k not in ("tokenizer", "config")}
        return cls(network_of(weights, shape), Tokenizer.from_str(tokenizer))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return weights (see `quantized`), shape and tokenizer as named tensors."""
        tokenizer = zlib.compress(self.tokenizer.to_str().encode("utf-8"), 9)
        shape = json.dumps(self.network.model.config.to_diff_dict()).encode()
        texts = {"tokenizer": tokenizer, "config": shape}
        return quantized(self.network) | {k: torch.tensor(list(v), dtype=torch.uint8) for k, v in texts.items()}

    def encode(self, question: str, title: str, passage: str) -> EncodedPassage:
        """Turn texts into the encoder's input."""
        parts = [self.tokenizer.encode(t, add_special_tokens=False) for t in (question, title, passage)]
        ids, first = joined_ids(parts[0].ids, parts[1].ids, parts[2].ids)
        return EncodedPassage(ids, first, parts[2].offsets[: len(ids) - first - 1])

    @torch.inference_mode()
    def span_scores(self, question: str, title: str, passage: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """Score spans of a passage.

        Args:
            question (`str`): What is asked.
            title (`str`): Title of the passage, or nothing.
            passage (`str`): The passage.
            spans (`Sequence[tuple[int, int]]`): Characters of the passage, the end exclusive.

        Returns:
            `np.ndarray`: Float32 `(spans,)`: log-odds of each span against "not answered here"; `UNREAD` beyond what
            was read and for spans of more than `WIDEST_SPAN` tokens.
        """
        read = self.encode(question, title, passage)
        scores = self.network(torch.tensor([read.ids]), torch.tensor([read.first]))[0].numpy()
        pairs = [read.tokens_of(*span) for span in spans]
        found = [scores[pair] if pair else UNREAD for pair in pairs]
        return np.maximum(np.array(found, dtype=np.float32), np.float32(UNREAD))


def quantized(network: SpanEncoder) -> dict[str, torch.Tensor]:
    """Return the weights: matrices as int8 with a float32 scale for each row, everything else in float32."""
    kept: dict[str, torch.Tensor] = {}
    for name, value in network.state_dict().items():
        if value.ndim == 2:
            kept[f"{name}.scale"] = value.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
            kept[name] = (value / kept[f"{name}.scale"]).round().to(torch.int8)
        else:
            kept[name] = value
    return {k: v.contiguous().cpu() for k, v in kept.items()}


def network_of(tensors: dict[str, torch.Tensor], shape: dict[str, Any]) -> SpanEncoder:
    """Build a network from its configuration and what `quantized` returned."""
    network = SpanEncoder(ModernBertConfig(**shape, attn_implementation="sdpa"))  # type: ignore[call-arg]
    scaled = {k: v.float() * tensors[f"{k}.scale"] for k, v in tensors.items() if f"{k}.scale" in tensors}
    plain = {k: v for k, v in tensors.items() if k not in scaled and not k.endswith(".scale")}
    network.load_state_dict(plain | scaled)
    return network.eval()


def save_encoder(network: SpanEncoder, path: Path) -> None:
    """Write the weights as `quantized` gives them, with the configuration in the file's metadata."""
    save_file(quantized(network), path, metadata={"config": json.dumps(network.model.config.to_diff_dict())})


def load_encoder(path: Path) -> SpanEncoder:
    """Read what `save_encoder` wrote."""
    with safe_open(path, "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118  (a safetensors handle is no mapping)
        return network_of(tensors, json.loads(file.metadata()["config"]))
