"""Tell whether two questions ask for the same thing: a small network over what their words show.

Comes in: pairs of questions. Goes out: probabilities. The network reads features that a person would look at (shared
words, exchanged nouns, numbers, the question word, denial), so that it needs few parameters and no GPU. Any
cross-encoder of the hub can stand in its place. Parameters lie in safetensors beside this file; `paraphrase_training`
makes them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from koqas.koqas_types import KoQasError
from koqas.train.dedup.fingerprints import shingle_hashes
from koqas.train.dedup.nearness import OPPOSITES, Statement, statement_of

PARAMETERS = Path(__file__).with_name("paraphrase.safetensors")
# What a question asks for, by the words that ask it; the first that occurs decides.
ASKS = (
    ("how many", ("몇", "얼마", "얼만")),
    ("who", ("누구", "누가", "누굴", "누군")),
    ("when", ("언제", "며칠")),
    ("where", ("어디", "어딜", "어딘")),
    ("why", ("왜", "이유", "까닭", "원인")),
    ("how", ("어떻게", "방법", "어찌")),
    ("which", ("어느", "어떤", "무슨")),
    ("what", ("무엇", "뭐", "무얼", "뭘", "뭔")),
)
FEATURES = 20


@dataclass(frozen=True)
class Question:
    """A question as its features see it."""

    text: str
    says: Statement
    asks: frozenset[str]


class PairScorer(Protocol):
    """Anything that scores pairs of questions."""

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return for each pair the probability, 0..1, that both ask for the same."""


def question_of(text: str) -> Question:
    """Read a question."""
    asks = frozenset(name for name, words in ASKS if any(w in text for w in words))
    return Question(text, statement_of(text), asks)


def _shared(a: Counter[str], b: Counter[str]) -> float:
    total = (a | b).total()
    return (a & b).total() / total if total else 1.0


def _grams(form: str, size: int) -> Counter[str]:
    return Counter(form[i : i + size] for i in range(max(len(form) - size + 1, 1)))


def _overlap(a: Counter[str], b: Counter[str]) -> float:
    least = min(a.total(), b.total())
    return (a & b).total() / least if least else 1.0


def features_of(a: Question, b: Question) -> npt.NDArray[np.float32]:
    """Return the `FEATURES` numbers that describe a pair; the order of the two does not matter."""
    x, y = a.says, b.says
    two = (_grams(x.form, 2), _grams(y.form, 2))
    one = (_grams(x.form, 1), _grams(y.form, 1))
    words_x, words_y = x.nouns + x.acts, y.nouns + y.acts
    gone = [w for w in x.nouns if w not in y.form]
    come = [w for w in y.nouns if w not in x.form]
    hashes = (shingle_hashes(x.form), shingle_hashes(y.form))
    common = len(np.intersect1d(*hashes, assume_unique=True))
    opposite = any(frozenset((p, q)) in OPPOSITES for p in words_x - words_y for q in words_y - words_x)
    lengths = sorted((len(x.form), len(y.form)))
    prefix = next((i for i, (p, q) in enumerate(zip(x.form, y.form)) if p != q), lengths[0])
    return np.array(
        [
            _shared(*one),
            _shared(*two),
            _overlap(*one),
            _overlap(*two),
            common / min(map(len, hashes)),
            _shared(x.nouns, y.nouns),
            _overlap(x.nouns, y.nouns),
            _shared(x.acts, y.acts),
            _shared(words_x, words_y),
            min(len(gone), len(come)) / 3,
            max(len(gone), len(come)) / 3,
            min(sum(map(len, gone)), sum(map(len, come))) / 8,
            float(x.numbers == y.numbers),
            float(bool(x.numbers - y.numbers and y.numbers - x.numbers)),
            abs(x.negations - y.negations) / 2,
            float(opposite),
            float(a.asks == b.asks),
            float(bool(a.asks and b.asks and not a.asks & b.asks)),
            lengths[0] / max(lengths[1], 1),
            prefix / max(lengths[0], 1),
        ],
        dtype=np.float32,
    )


def asks_otherwise(a: Question, b: Question) -> bool:
    """Tell whether two questions surely ask for different things, however alike they are.

    Paraphrase corpora hold few pairs such as `태어난 해` and `죽은 해`, so no model trained on them can be trusted with
    these: question words that exclude one another, exchanged numbers, or verbs of which none is shared.
    """
    verbs = (a.says.acts, b.says.acts)
    return (
        bool(a.asks and b.asks and not a.asks & b.asks)
        or bool(a.says.numbers - b.says.numbers and b.says.numbers - a.says.numbers)
        or bool(verbs[0] and verbs[1] and not verbs[0] & verbs[1])
    )


class ParaphraseNetwork:
    """Our network: two layers over the features.

    Args:
        path (`Path`): Parameters in safetensors; its metadata holds `threshold`.

    Raises:
        KoQasError: The file is missing or has other shapes.
    """

    def __init__(self, path: Path = PARAMETERS) -> None:
        if not path.is_file():
            raise KoQasError(
                "paraphrase", f"문장 비교 모델이 없습니다: {path.name}", "run koqas.train.dedup.paraphrase_training"
            )
        with safe_open(str(path), "numpy") as file:
            self._weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}
            self.threshold = float((file.metadata() or {}).get("threshold", "0.5"))
        if self._weights["mean"].shape != (FEATURES,):
            raise KoQasError("paraphrase", "문장 비교 모델의 모양이 다릅니다.", "train it again with this version")

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return probabilities of shape `(pairs,)` for features of shape `(pairs, FEATURES)`."""
        w = self._weights
        hidden = np.maximum((features - w["mean"]) / w["deviation"] @ w["first"].T + w["first_bias"], 0)
        logits = hidden @ w["second"].T + w["second_bias"]
        return (1 / (1 + np.exp(-logits[:, 0]))).astype(np.float32)

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return for each pair the probability, 0..1, that both ask for the same."""
        if not pairs:
            return np.zeros(0, dtype=np.float32)
        read = {text: question_of(text) for pair in pairs for text in pair}
        return self.score(np.stack([features_of(read[a], read[b]) for a, b in pairs]))


class CrossEncoderScorer:
    """A cross-encoder of the hub, or a local folder, with one output.

    Args:
        model (`str`): Model id or folder.
        threshold (`float`): Probability from which a pair counts as the same.
    """

    def __init__(self, model: str, threshold: float = 0.5) -> None:
        from sentence_transformers import CrossEncoder

        self._model: Any = CrossEncoder(model, num_labels=1)
        self.threshold = threshold

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """Return for each pair the probability, 0..1, that both ask for the same."""
        return np.asarray(self._model.predict(list(pairs)), dtype=np.float32).reshape(-1)
