"""A small trained ranker of candidate answers that stands beside the language model.

Two networks score the candidates of a passage's best sentences: one that reads words by fixed vectors and knows the
numeric features of koqas_features.py (koqas_spans.py), and a pretrained transformer that reads question and passage
together (koqas_encoder.py). Their scores are added with fitted weights and compete in a softmax with a constant zero
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

from .koqas_encoder import PassageEncoder
from .koqas_features import CandidateView, QuestionView, candidate_view, question_view
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


@dataclass(frozen=True)
class ScoreMix:
    """How the parts of the ranker are added.

    Args:
        spans, encoder (`float`): Weights of the two parts.
        constant (`float`): Added to the sum: the log-odds against "not answered here" are calibrated by it.
    """

    spans: float = 1.0
    encoder: float = 0.0
    constant: float = 0.0

    def tensor(self) -> torch.Tensor:
        """Return the weights in the order of the fields."""
        return torch.tensor([self.spans, self.encoder, self.constant], dtype=torch.float64)


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
        mean, scale (`torch.Tensor`): Standardization of the numeric features.
        weights (`TokenWeights`): Inverse document frequencies of the training corpus.
        words (`WordVectors`, *optional*): What the span networks read words by.
        span_networks (`Sequence[SpanNetwork]`): Trained span networks.
        encoder (`PassageEncoder`, *optional*): The pretrained encoder.
        mix (`ScoreMix`): Weights of the parts.
    """

    def __init__(
        self,
        mean: torch.Tensor,
        scale: torch.Tensor,
        weights: TokenWeights,
        words: WordVectors | None = None,
        span_networks: Sequence[SpanNetwork] = (),
        encoder: PassageEncoder | None = None,
        mix: ScoreMix | None = None,
    ) -> None:
        self.mean, self.scale, self.weights = mean, scale, weights
        self.words, self.span_networks, self.encoder = words, list(span_networks), encoder
        self.mix = mix or ScoreMix()
        for network in self.span_networks:
            network.eval()

    @classmethod
    def from_file(cls, path: Path) -> "Ranker":
        """Read a file written by train/ranker.py."""
        tensors = load_file(path)
        span_networks = []
        for own in _numbered(tensors, "spans"):
            size, dimensions = own["reduce.weight"].shape
            span_networks.append(SpanNetwork(dimensions, own["numeric.bias"].shape[0], size))
            span_networks[-1].load_state_dict(own)
        pieces = bytes(tensors["pieces"].numpy()).decode("utf-8").split("\n")
        vectors = tensors["piece_vectors"].float() * tensors["piece_scales"]
        words = WordVectors(pieces, vectors.numpy())
        table = TokenWeights(tensors["token_weights"].float().numpy())
        own = {k.removeprefix("encoder."): v for k, v in tensors.items() if k.startswith("encoder.")}
        mean, scale = tensors["mean"].float(), tensors["scale"].float()
        encoder = PassageEncoder.from_tensors(own)
        return cls(mean, scale, table, words, span_networks, encoder, ScoreMix(*tensors["mix"].tolist()))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything as named tensors, span networks in bfloat16, the rest in int8; `from_file` reads them."""
        assert self.encoder is not None and self.words is not None  # only a whole ranker is written
        kept = {"mean": self.mean, "scale": self.scale, "mix": self.mix.tensor()}
        for n, network in enumerate(self.span_networks):
            kept |= {f"spans.{n}.{k}": v.bfloat16() for k, v in network.state_dict().items()}
        kept |= {f"encoder.{k}": v for k, v in self.encoder.tensors().items()}
        kept["pieces"] = torch.tensor(list("\n".join(self.words.pieces).encode("utf-8")), dtype=torch.uint8)
        vectors = torch.from_numpy(self.words.vectors)
        kept["piece_scales"] = vectors.abs().amax(1, keepdim=True).clamp_min(1e-8) / 127
        kept["piece_vectors"] = (vectors / kept["piece_scales"]).round().to(torch.int8)
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
        if mix.spans:
            scores += mix.spans * self.span_scores(question, view)
        if mix.encoder:
            scores += mix.encoder * self.encoder_scores(question, view)
        return scores.tolist()  # type: ignore[no-any-return]

    def encoder_scores(self, question: AnalyzedQuestion, view: CandidateView) -> np.ndarray:
        """Return the scores of the encoder, float32 `(candidates,)`."""
        assert self.encoder is not None  # a mix that asks for an encoder has one
        starts = [0, *np.cumsum([len(s.text) + 1 for s in view.sentences]).tolist()]
        spans = [(starts[n] + s.start, starts[n] + s.end) for n, s in view.places]
        return self.encoder.span_scores(question.text, view.title, " ".join(s.text for s in view.sentences), spans)

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
