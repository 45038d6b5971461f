"""A small trained ranker of candidate answers that stands beside the language model.

It reads the features of koqas_features.py: an embedding of what the question asks is multiplied with embeddings of the
candidate's surface and of its context, and joins the numeric features in a two-layer perceptron. The mean over a few
such networks, the score of gradient-boosted trees (koqas_forest.py) and the mean over a few networks that read the
sentences word by word (koqas_spans.py) are added with fitted weights. Scores compete in a softmax with a constant zero
for "not answered here", so that `answerability` is the log-odds that some candidate is right. Token weights come from
the training corpus, not from the user's documents: a single document has no document frequencies. Everything lies in
one safetensors file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from .koqas_features import BUCKETS, NUMERIC, CandidateView, QuestionView, candidate_view, question_view
from .koqas_forest import Forest, categorical
from .koqas_spans import SpanInputs, SpanNetwork, collate, span_inputs
from .koqas_text import AnalyzedSentence, search_tokens, sentences_of
from .koqas_weights import TokenWeights
from .koqas_words import WordVectors

RANKER_FILE = "ranker.safetensors"
SATURATION, LENGTH_SHARE, USUAL_CHARS = (
    1.2,
    0.3,
    60,
)  # BM25's k1 and b, and the sentence length in characters b is about
PREVIOUS = 0.2  # a sentence inherits this share of the score of the one before it, whose subject it may continue
SENTENCES = 5  # sentences of a passage whose candidates are looked at


class RankerNetwork(nn.Module):
    """One network of the ranker.

    Args:
        size (`int`): Width of the embeddings.
        hidden (`int`): Width of the perceptron.
        dropout (`float`): Dropout while training.
    """

    def __init__(self, size: int = 12, hidden: int = 64, dropout: float = 0.4) -> None:
        super().__init__()
        self.size = size
        self.question = nn.Embedding(BUCKETS, 2 * size)
        self.surface = nn.Embedding(BUCKETS, size)
        self.context = nn.Embedding(BUCKETS, size)
        for table in (self.question, self.surface, self.context):
            nn.init.normal_(table.weight, std=0.3)
        self.surface_bias = nn.Embedding(BUCKETS, 1)
        self.context_bias = nn.Embedding(BUCKETS, 1)
        nn.init.zeros_(self.surface_bias.weight)
        nn.init.zeros_(self.context_bias.weight)
        self.drop = nn.Dropout(dropout)
        self.first = nn.Linear(len(NUMERIC) + 2 * size, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(
        self, numeric: torch.Tensor, surface: torch.Tensor, context: torch.Tensor, question: torch.Tensor
    ) -> torch.Tensor:
        """Return scores of shape `(candidates,)`.

        Args:
            numeric (`torch.Tensor`): Standardized features `(candidates, len(NUMERIC))`.
            surface (`torch.Tensor`): Hashed indicators of the candidate `(candidates, 8)`.
            context (`torch.Tensor`): Hashed indicators of its surroundings `(candidates, 8)`.
            question (`torch.Tensor`): Hashed indicators of each candidate's question `(candidates, indicators)`.
        """
        asked = self.question(question).mean(1)
        kind = self.surface(surface).mean(1) * asked[:, : self.size]
        place = self.context(context).mean(1) * asked[:, self.size :]
        joined = torch.cat([numeric, 3 * self.drop(kind), 3 * self.drop(place)], dim=1)
        hidden = self.drop(nn.functional.gelu(self.first(joined)))
        hidden = self.drop(nn.functional.gelu(self.second(hidden)))
        bias = self.surface_bias(surface).sum((1, 2)) + self.context_bias(context).sum((1, 2))
        return self.last(hidden)[:, 0] + bias


@dataclass(frozen=True)
class ScoreMix:
    """How the parts of the ranker are added.

    Args:
        networks, trees, spans (`float`): Weights of the three parts.
        constant (`float`): Added to the sum: the log-odds against "not answered here" are calibrated by it.
    """

    networks: float = 1.0
    trees: float = 0.0
    spans: float = 0.0
    constant: float = 0.0

    def tensor(self) -> torch.Tensor:
        """Return the weights in the order of the fields."""
        return torch.tensor([self.networks, self.trees, self.spans, self.constant], dtype=torch.float64)


@dataclass(frozen=True)
class RankedPassage:
    """A passage's best sentences, the candidates in them, and each candidate's score."""

    sentences: list[AnalyzedSentence]
    view: CandidateView
    scores: list[float]

    @property
    def answerability(self) -> float:
        """Log-odds that some candidate is right."""
        return float(np.logaddexp.reduce(self.scores)) if self.scores else NOTHING


@dataclass(frozen=True)
class AnalyzedQuestion:
    """A question, analyzed once for all passages; `ranked` keeps the passages that the ranker has read for it."""

    text: str
    sentences: tuple[AnalyzedSentence, ...]
    tokens: tuple[str, ...]
    view: QuestionView
    ranked: dict[tuple[str, ...], RankedPassage] = field(default_factory=dict, repr=False, compare=False)


class Ranker:
    """Scores sentences and candidate answers.

    Args:
        networks (`Sequence[RankerNetwork]`): Trained networks.
        mean, scale (`torch.Tensor`): Standardization of the numeric features.
        weights (`TokenWeights`): Inverse document frequencies of the training corpus.
        forest (`Forest`, *optional*): Gradient-boosted trees.
        words (`WordVectors`, *optional*): What the span networks read words by.
        span_networks (`Sequence[SpanNetwork]`): Trained span networks.
        mix (`ScoreMix`): Weights of the parts.
    """

    def __init__(
        self,
        networks: Sequence[RankerNetwork],
        mean: torch.Tensor,
        scale: torch.Tensor,
        weights: TokenWeights,
        forest: Forest | None = None,
        words: WordVectors | None = None,
        span_networks: Sequence[SpanNetwork] = (),
        mix: ScoreMix | None = None,
    ) -> None:
        self.networks, self.mean, self.scale, self.weights = list(networks), mean, scale, weights
        self.forest, self.words, self.span_networks = forest, words, list(span_networks)
        self.mix = mix or ScoreMix()
        for network in (*self.networks, *self.span_networks):
            network.eval()

    @classmethod
    def from_file(cls, path: Path) -> "Ranker":
        """Read a file written by train/ranker.py."""
        tensors = load_file(path)
        networks = []
        for own in _numbered(tensors, "network"):
            networks.append(RankerNetwork(own["surface.weight"].shape[1], own["last.weight"].shape[1]))
            networks[-1].load_state_dict(own)
        span_networks = []
        for own in _numbered(tensors, "spans"):
            size, dimensions = own["reduce.weight"].shape
            span_networks.append(SpanNetwork(dimensions, own["numeric.bias"].shape[0], size))
            span_networks[-1].load_state_dict(own)
        pieces = bytes(tensors["pieces"].numpy()).decode("utf-8").split("\n")
        words = WordVectors(pieces, tensors["piece_vectors"].float().numpy())
        table = TokenWeights(tensors["token_weights"].float().numpy())
        forest = Forest.from_tensors(
            {k.removeprefix("forest."): v for k, v in tensors.items() if k.startswith("forest.")}
        )
        mean, scale = tensors["mean"].float(), tensors["scale"].float()
        return cls(networks, mean, scale, table, forest, words, span_networks, ScoreMix(*tensors["mix"].tolist()))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything as named tensors, networks in bfloat16; `from_file` reads them."""
        assert self.forest is not None and self.words is not None  # only a whole ranker is written
        kept = {"mean": self.mean, "scale": self.scale, "mix": self.mix.tensor()}
        for name, networks in (("network", self.networks), ("spans", self.span_networks)):
            for n, network in enumerate(networks):
                kept |= {f"{name}.{n}.{k}": v.bfloat16() for k, v in network.state_dict().items()}
        kept |= {f"forest.{k}": v for k, v in self.forest.tensors().items()}
        kept["pieces"] = torch.tensor(list("\n".join(self.words.pieces).encode("utf-8")), dtype=torch.uint8)
        kept["piece_vectors"] = torch.from_numpy(self.words.vectors).bfloat16()
        kept["token_weights"] = torch.from_numpy(self.weights.table).half()
        return {k: v.contiguous() for k, v in kept.items()}

    def question(self, text: str) -> AnalyzedQuestion:
        """Analyze a question."""
        return self.analyzed_question(sentences_of(text))

    def analyzed_question(self, sentences: Sequence[AnalyzedSentence]) -> AnalyzedQuestion:
        """Describe a question that is analyzed already."""
        tokens = tuple(dict.fromkeys(t for s in sentences for t in search_tokens(s.tokens, s.text)))
        view = question_view(sentences, self.weights)
        return AnalyzedQuestion(" ".join(s.text for s in sentences), tuple(sentences), tokens, view)

    def sentence_scores(self, question: AnalyzedQuestion, sentences: Sequence[AnalyzedSentence]) -> list[float]:
        """Return BM25 scores of neighbouring sentences (Robertson and Zaragoza 2009) with the corpus' weights."""
        scores: list[float] = []
        for sentence in sentences:
            held: dict[str, int] = {}
            for token in search_tokens(sentence.tokens, sentence.text):
                held[token] = held.get(token, 0) + 1
            length = 1 - LENGTH_SHARE + LENGTH_SHARE * len(sentence.text) / USUAL_CHARS
            scores.append(
                sum(
                    self.weights[t] * held[t] * (SATURATION + 1) / (held[t] + SATURATION * length)
                    for t in question.tokens
                    if t in held
                )
            )
        return [s + PREVIOUS * p for s, p in zip(scores, [0.0, *scores], strict=False)]

    def candidates(
        self, question: AnalyzedQuestion, sentences: Sequence[AnalyzedSentence], scores: Sequence[float], title: str
    ) -> CandidateView:
        """Describe the candidates of some sentences with their scores; see `candidate_view`."""
        return candidate_view(question.view, sentences, scores, title, self.weights)

    def scores(self, question: AnalyzedQuestion, view: CandidateView) -> list[float]:
        """Return the score of each candidate: its log-odds against "not answered here"."""
        if not view.places:
            return []
        mix = self.mix
        scores = np.full(len(view.places), mix.constant, dtype=np.float64)
        if mix.networks:
            scores += mix.networks * self.network_scores(question, view)
        if mix.trees:
            scores += mix.trees * self.tree_scores(question, view)
        if mix.spans:
            scores += mix.spans * self.span_scores(question, view)
        return scores.tolist()  # type: ignore[no-any-return]

    def tree_scores(self, question: AnalyzedQuestion, view: CandidateView) -> np.ndarray:
        """Return the raw scores of the trees, float `(candidates,)`."""
        assert self.forest is not None  # a mix that asks for trees has them
        return self.forest.scores(view.numeric, categorical(question.view, view))

    def span_inputs(self, question: AnalyzedQuestion, view: CandidateView) -> SpanInputs:
        """Describe candidates for the span networks."""
        numeric = self.standardized(view.numeric).numpy()
        return span_inputs(question.sentences, view.sentences, view.title, view.places, numeric, self.weights)

    @torch.inference_mode()
    def span_scores(self, question: AnalyzedQuestion, view: CandidateView) -> np.ndarray:
        """Return the mean score of the span networks, float32 `(candidates,)`."""
        assert self.words is not None  # a mix that asks for span networks has words
        batch = collate([self.span_inputs(question, view)], self.words)
        return torch.stack([n(batch) for n in self.span_networks]).mean(0).numpy()

    def standardized(self, numeric: np.ndarray) -> torch.Tensor:
        """Bring numeric features to mean 0 and deviation 1; outliers are cut."""
        return ((torch.from_numpy(numeric) - self.mean) / self.scale).clamp(-5, 5)

    @torch.inference_mode()
    def network_scores(self, question: AnalyzedQuestion, view: CandidateView) -> np.ndarray:
        """Return the mean score of the networks, float32 `(candidates,)`."""
        asked = torch.from_numpy(question.view.hashed).expand(len(view.places), -1)
        inputs = (
            self.standardized(view.numeric),
            torch.from_numpy(view.surface),
            torch.from_numpy(view.context),
            asked,
        )
        return torch.stack([n(*inputs) for n in self.networks]).mean(0).numpy()

    def read(self, question: AnalyzedQuestion, sentences: Sequence[AnalyzedSentence], title: str) -> RankedPassage:
        """Score the candidates of a passage's best sentences; a passage is read once for each question."""
        key = (title, *(s.text for s in sentences))
        if key not in question.ranked:
            shown, scores = best_sentences(self, question, sentences)
            view = self.candidates(question, shown, scores, title)
            question.ranked[key] = RankedPassage(shown, view, self.scores(question, view))
        return question.ranked[key]


NOTHING = -20.0  # log-odds of a passage without a single candidate


def best_sentences(
    ranker: Ranker, question: AnalyzedQuestion, sentences: Sequence[AnalyzedSentence], most: int = SENTENCES
) -> tuple[list[AnalyzedSentence], list[float]]:
    """Return the best-scored sentences of a passage in their order, with their scores."""
    scores = ranker.sentence_scores(question, sentences)
    chosen = sorted(sorted(range(len(scores)), key=lambda i: -scores[i])[:most])
    return [sentences[i] for i in chosen], [scores[i] for i in chosen]


def _numbered(tensors: dict[str, torch.Tensor], name: str) -> list[dict[str, torch.Tensor]]:
    """Return the weights of each of several networks of one kind."""
    count = len({k.split(".")[1] for k in tensors if k.startswith(f"{name}.")})
    prefixes = [f"{name}.{n}." for n in range(count)]
    return [{k.removeprefix(p): v.float() for k, v in tensors.items() if k.startswith(p)} for p in prefixes]
