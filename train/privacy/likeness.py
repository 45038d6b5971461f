"""How much a word looks like a person's name, from its letters alone: `오바마` and `표은재` do, `부산항` does not.

Comes in: words. Goes out: probabilities. A logistic model over hashed character n-grams; `likeness_training` makes it
from titles of encyclopedia articles. Knows nothing of the sentence around a word.
"""

import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from koqas.koqas_types import KoQasError

PARAMETERS = Path(__file__).with_name("likeness.safetensors")
BUCKETS = 1 << 14


def buckets_of(word: str) -> list[int]:
    """Return the hashed n-grams of a word, its ends and its length marked."""
    marked = f"^{word}$"
    grams = [marked[i : i + n] for n in (1, 2, 3) for i in range(len(marked) - n + 1)]
    first_and_length = [f"{word[:1]}{len(word)}", f"len{len(word)}", f"{word[-1:]}{len(word)}$"]
    return sorted({zlib.crc32(g.encode("utf-8", "surrogatepass")) % BUCKETS for g in (*grams, *first_and_length)})


class NameLikeness:
    """The trained model.

    Args:
        path (`Path`): Parameters in safetensors: `weights` of shape `(BUCKETS,)` and `bias` of shape `(1,)`.

    Raises:
        KoQasError: The file is missing.
    """

    def __init__(self, path: Path = PARAMETERS) -> None:
        if not path.is_file():
            raise KoQasError(
                "names", f"이름 모델이 없습니다: {path.name}", "run python -m koqas.train.privacy.likeness_training"
            )
        tensors = load_file(str(path))
        self._weights = tensors["weights"].astype(np.float32)
        self._bias = float(tensors["bias"][0])

    def of(self, words: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return for each word the probability, 0..1, that it names a person."""
        logits = [self._bias + float(self._weights[buckets_of(w)].sum()) for w in words]
        return (1 / (1 + np.exp(-np.asarray(logits, dtype=np.float32)))).astype(np.float32)


@lru_cache(maxsize=1)
def likeness() -> NameLikeness:
    """Return the model of this folder, loaded once."""
    return NameLikeness()
