"""Word vectors composed of the vectors of a fixed set of pieces, so that no word is unknown.

A word is cut into the longest known pieces from the left (the greedy rule of WordPiece, Wu et al. 2016); its vector is
their mean, scaled to length one. The pieces are those of the embedded base's vocabulary, the vectors come from
train/word_vectors.py; both stand in the ranker's own file, which thereby works beside any base.
"""

from functools import lru_cache

import numpy as np

START = "▁"  # marks a piece that begins a word, as in SentencePiece


class WordVectors:
    """Gives every word a vector.

    Args:
        pieces (`list[str]`): Known pieces; those that begin a word start with `▁`.
        vectors (`np.ndarray`): Float32 `(pieces, dimensions)`.
    """

    def __init__(self, pieces: list[str], vectors: np.ndarray) -> None:
        self.pieces, self.vectors = pieces, vectors
        self._number = {p: i for i, p in enumerate(pieces)}
        self._longest = max(map(len, pieces), default=1)
        self.vector = lru_cache(maxsize=100_000)(self._composed)

    def __getstate__(self) -> tuple[list[str], np.ndarray]:
        """Leave the caches out of copies."""
        return self.pieces, self.vectors

    def __setstate__(self, state: tuple[list[str], np.ndarray]) -> None:
        """Build the caches anew."""
        self.__init__(*state)  # type: ignore[misc]

    @property
    def dimensions(self) -> int:
        """Return the size of a vector."""
        return int(self.vectors.shape[1])

    def cut(self, word: str) -> list[int]:
        """Return the numbers of a word's pieces; characters without a piece are passed over."""
        marked, at, found = START + word, 0, []
        while at < len(marked):
            for end in range(min(len(marked), at + self._longest), at, -1):
                number = self._number.get(marked[at:end])
                if number is not None:
                    found.append(number)
                    break
            else:
                end = at + 1
            at = end
        return found

    def _composed(self, word: str) -> np.ndarray:
        pieces = self.cut(word)
        if not pieces:
            return np.zeros(self.dimensions, dtype=np.float32)
        mean = self.vectors[pieces].mean(0)
        return mean / (np.linalg.norm(mean) + 1e-6)  # type: ignore[no-any-return]
