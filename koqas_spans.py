"""A small bidirectional network that reads a question and sentences and scores candidate answers.

Follows the document reader of Chen et al. (2017, DrQA): fixed word vectors, the question's words softly aligned to
each word of the sentence, bidirectional LSTMs over both, a question vector by self-attention. It differs in that whole
candidate spans are scored (first state, last state, mean) together with the numeric features of koqas_features.py, and
that the scores compete with "not answered here" (see trees.choice_loss in training). About 400,000 weights.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .koqas_features import CONTENT, NUMERIC, Weights
from .koqas_text import AnalyzedSentence, Morpheme
from .koqas_types import Span
from .koqas_words import WordVectors

TAGS, SYLLABLES, VALUES = 64, 1024, 4  # hash buckets of tags and syllables; numbers that accompany a token
LONGEST_QUESTION, LONGEST_SENTENCE = 48, 110  # tokens read
FAR = -1e4  # a logit that loses every softmax


@dataclass(frozen=True)
class TokenRows:
    """Tokens as the network reads them.

    Args:
        forms (`tuple[str, ...]`): Morphemes.
        hashed (`np.ndarray`): Int64 `(tokens, 3)`: buckets of the tag, the last and the first syllable.
        values (`np.ndarray`): Float32 `(tokens, VALUES)`: weight among the question's words (0 if not one of them),
            whether the word stands in the title, corpus weight, length.
    """

    forms: tuple[str, ...]
    hashed: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class SpanInputs:
    """A question, sentences, and the candidates in them.

    Args:
        question (`TokenRows`): The question.
        sentences (`tuple[TokenRows, ...]`): The sentences.
        spans (`np.ndarray`): Int64 `(candidates, 3)`: sentence, first and last token.
        numeric (`np.ndarray`): Float32 `(candidates, len(NUMERIC))`, standardized.
    """

    question: TokenRows
    sentences: tuple[TokenRows, ...]
    spans: np.ndarray
    numeric: np.ndarray


@dataclass(frozen=True)
class PaddedTokens:
    """Token rows of one kind in a batch: vectors `(rows, longest, dimensions)` and so on, and lengths `(rows,)`."""

    words: torch.Tensor
    hashed: torch.Tensor
    values: torch.Tensor
    lengths: torch.Tensor


@dataclass(frozen=True)
class SpanBatch:
    """Several inputs together.

    Args:
        questions, sentences (`PaddedTokens`): Their tokens.
        asked (`torch.Tensor`): Int64 `(sentences,)`: the question of each sentence.
        spans (`torch.Tensor`): Int64 `(candidates, 3)`: sentence in the batch, first and last token.
        owner (`torch.Tensor`): Int64 `(candidates,)`: the question of each candidate.
        numeric (`torch.Tensor`): Float32 `(candidates, len(NUMERIC))`.
    """

    questions: PaddedTokens
    sentences: PaddedTokens
    asked: torch.Tensor
    spans: torch.Tensor
    owner: torch.Tensor
    numeric: torch.Tensor


def span_inputs(
    question: Sequence[AnalyzedSentence],
    sentences: Sequence[AnalyzedSentence],
    title: str,
    places: Sequence[tuple[int, Span]],
    numeric: np.ndarray,
    weight: Weights,
) -> SpanInputs:
    """Describe a question, sentences and candidates for the network.

    Args:
        question (`Sequence[AnalyzedSentence]`): The question, analyzed.
        sentences (`Sequence[AnalyzedSentence]`): The sentences.
        title (`str`): Title of the passage.
        places (`Sequence[tuple[int, Span]]`): Sentence number and span of each candidate.
        numeric (`np.ndarray`): Their standardized features.
        weight (`Weights`): Corpus weights of words.
    """
    asked = [t for s in question for t in s.tokens][:LONGEST_QUESTION]
    held = {t.form: weight[t.form] for t in asked if t.tag in CONTENT}

    def rows(tokens: Sequence[Morpheme]) -> TokenRows:
        return _rows(tokens, held, title, weight)

    spans = np.zeros((len(places), 3), dtype=np.int64)
    for row, (number, span) in enumerate(places):
        tokens = sentences[number].tokens[:LONGEST_SENTENCE]
        inside = [i for i, t in enumerate(tokens) if span.start <= t.start and t.end <= span.end and t.end > t.start]
        spans[row] = (number, inside[0], inside[-1]) if inside else (number, len(tokens) - 1, len(tokens) - 1)
    shown = tuple(rows(s.tokens[:LONGEST_SENTENCE]) for s in sentences)
    return SpanInputs(rows(asked), shown, spans, numeric)


def _rows(tokens: Sequence[Morpheme], held: dict[str, float], title: str, weight: Weights) -> TokenRows:
    hashed = [
        [zlib.crc32(t.tag.encode()) % TAGS, _syllable(t.form[-1:], "last"), _syllable(t.form[:1], "first")]
        for t in tokens
    ]
    values = [
        [held.get(t.form, 0.0) / 8, float(t.tag in CONTENT and t.form in title), weight[t.form] / 8, len(t.form) / 4]
        for t in tokens
    ]
    return TokenRows(
        tuple(t.form for t in tokens),
        np.array(hashed, dtype=np.int64).reshape(-1, 3),
        np.array(values, dtype=np.float32).reshape(-1, VALUES),
    )


def _syllable(form: str, place: str) -> int:
    return zlib.crc32(f"{place}={form}".encode()) % SYLLABLES


def collate(inputs: Sequence[SpanInputs], words: WordVectors) -> SpanBatch:
    """Pad several inputs into one batch."""
    counts = [len(i.sentences) for i in inputs]
    first = np.cumsum([0, *counts])
    spans = np.concatenate([i.spans + np.array([first[n], 0, 0]) for n, i in enumerate(inputs)])
    owner = np.repeat(np.arange(len(inputs)), [len(i.spans) for i in inputs])
    return SpanBatch(
        _padded([i.question for i in inputs], words),
        _padded([s for i in inputs for s in i.sentences], words),
        torch.from_numpy(np.repeat(np.arange(len(inputs)), counts)),
        torch.from_numpy(spans),
        torch.from_numpy(owner),
        torch.from_numpy(np.concatenate([i.numeric for i in inputs])),
    )


def _padded(rows: Sequence[TokenRows], words: WordVectors) -> PaddedTokens:
    longest = max(1, *(len(r.forms) for r in rows))
    vectors = np.zeros((len(rows), longest, words.dimensions), dtype=np.float32)
    hashed = np.zeros((len(rows), longest, 3), dtype=np.int64)
    values = np.zeros((len(rows), longest, VALUES), dtype=np.float32)
    for number, row in enumerate(rows):
        count = len(row.forms)
        if count:
            vectors[number, :count] = np.stack([words.vector(f) for f in row.forms])
            hashed[number, :count], values[number, :count] = row.hashed, row.values
    lengths = torch.tensor([max(1, len(r.forms)) for r in rows])
    return PaddedTokens(torch.from_numpy(vectors), torch.from_numpy(hashed), torch.from_numpy(values), lengths)


class SpanNetwork(nn.Module):
    """Scores candidate spans.

    Args:
        dimensions (`int`): Size of the word vectors.
        hidden (`int`): Width of each direction of the LSTMs.
        size (`int`): Width of the reduced word vectors.
        dropout (`float`): Dropout while training.
    """

    def __init__(self, dimensions: int = 96, hidden: int = 64, size: int = 64, dropout: float = 0.35) -> None:
        super().__init__()
        self.tag, self.last = nn.Embedding(TAGS, 12), nn.Embedding(SYLLABLES, 16)
        self.first = nn.Embedding(SYLLABLES, 12)
        self.reduce, self.align = nn.Linear(dimensions, size), nn.Linear(dimensions, size, bias=False)
        width = size + 12 + 16 + 12 + VALUES
        self.question_states = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.sentence_states = nn.LSTM(width + size + 2, hidden, bidirectional=True, batch_first=True)
        self.attend = nn.Linear(2 * hidden, 1)
        self.span, self.asked = nn.Linear(6 * hidden, 2 * hidden), nn.Linear(2 * hidden, 2 * hidden)
        self.numeric = nn.Linear(len(NUMERIC), hidden)
        self.join, self.score = nn.Linear(7 * hidden, 2 * hidden), nn.Linear(2 * hidden, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, batch: SpanBatch) -> torch.Tensor:
        """Return scores of shape `(candidates,)`."""
        gelu = nn.functional.gelu
        asked = gelu(self.asked(self.drop(self._question(batch.questions))))[batch.owner]
        states = self.drop(self._sentences(batch))
        sentence, first, last = batch.spans.unbind(1)
        sums = torch.cat([torch.zeros_like(states[:, :1]), states.cumsum(1)], 1)
        mean = (sums[sentence, last + 1] - sums[sentence, first]) / (last - first + 1)[:, None]
        span = gelu(self.span(torch.cat([states[sentence, first], states[sentence, last], mean], -1)))
        span = self.drop(span)
        joined = torch.cat([span, asked, span * asked, self.drop(gelu(self.numeric(batch.numeric)))], -1)
        return self.score(self.drop(gelu(self.join(joined))))[:, 0]  # type: ignore[no-any-return]

    def _tokens(self, tokens: PaddedTokens) -> tuple[torch.Tensor, torch.Tensor]:
        words = self.drop(tokens.words)
        tag, last, first = tokens.hashed.unbind(-1)
        parts = [self.reduce(words), self.tag(tag), self.drop(self.last(last)), self.drop(self.first(first))]
        return words, torch.cat([*parts, tokens.values], -1)

    def _question(self, tokens: PaddedTokens) -> torch.Tensor:
        states = _run(self.question_states, self._tokens(tokens)[1], tokens.lengths)
        logits = self.attend(states)[..., 0].masked_fill(~_mask(tokens), FAR)
        return torch.einsum("qt,qth->qh", logits.softmax(-1), states)

    def _sentences(self, batch: SpanBatch) -> torch.Tensor:
        """Return states of the sentences' tokens `(sentences, longest, 2 * hidden)`."""
        question, asked = batch.questions, batch.asked
        question_words, _ = self._tokens(question)
        words, rows = self._tokens(batch.sentences)
        keys, queries = torch.relu(self.align(question_words)), torch.relu(self.align(words))
        logits = torch.einsum("std,sqd->stq", queries, keys[asked]).masked_fill(~_mask(question)[asked][:, None], FAR)
        aligned = torch.einsum("stq,sqd->std", logits.softmax(-1), self.reduce(question_words)[asked])
        weight = question.values[..., 0][asked]
        likeness = torch.einsum("std,sqd->stq", batch.sentences.words, question.words[asked])
        best, which = likeness.masked_fill((weight == 0)[:, None], 0.0).max(-1)
        met = torch.stack([best, best * weight.gather(1, which)], -1)
        return _run(self.sentence_states, self.drop(torch.cat([rows, aligned, met], -1)), batch.sentences.lengths)


def _mask(tokens: PaddedTokens) -> torch.Tensor:
    return torch.arange(tokens.words.shape[1])[None] < tokens.lengths[:, None]


def _run(
    network: Callable[..., tuple[torch.Tensor, object]], rows: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
    states, _ = network(packed)
    return pad_packed_sequence(states, batch_first=True, total_length=rows.shape[1])[0]  # type: ignore[arg-type]
