"""Rows that overlap a benchmark: its passages, its questions or the titles of its pages.

Comes in: benchmark rows, for reading only, and training rows. Goes out: the first overlap of a row. Texts are compared
in their canonical form, so spacing, punctuation and number formats hide nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from koqas.train.corpora import is_forbidden
from koqas.train.dedup.canonical import canonical
from koqas.train.dedup.fingerprints import jaccard, shingle_hashes
from koqas.train.examples import Example

# Characters of canonical form, about 13 Korean words: GPT-3 (Brown et al. 2020, appendix C) used 13-grams of words.
WINDOW = 40
PASSAGE_SHARE = 0.2  # of a document's windows; a quoted sentence alone is no overlap
QUESTION_SHARE = 0.8  # Jaccard over character 5-grams


@dataclass
class Benchmark:
    """What must not be trained on.

    Args:
        name (`str`): Name in reports.
        titles (`frozenset[str]`): SHA-1 of page titles, see `corpora.is_forbidden`.
    """

    name: str
    titles: frozenset[str] = frozenset()
    _windows: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    _questions: dict[int, list[npt.NDArray[np.uint32]]] = field(default_factory=dict)

    def add(self, passages: Iterable[str], questions: Iterable[str]) -> None:
        """Add texts of the benchmark."""
        windows = [shingle_hashes(form, WINDOW) for form in map(canonical, passages) if len(form) >= WINDOW]
        self._windows = np.unique(np.concatenate([self._windows, *windows]))
        for question in questions:
            shingles = shingle_hashes(canonical(question))
            for shingle in shingles.tolist():
                self._questions.setdefault(shingle, []).append(shingles)

    def overlap(self, row: Example) -> str:
        """Return what of a row overlaps: `passage`, `question`, `title`, or nothing."""
        if self.titles and any(is_forbidden(d.title, self.titles) for d in row.documents if d.title):
            return "title"
        if any(self.share_of(d.text) >= PASSAGE_SHARE for d in row.documents):
            return "passage"
        return "question" if row.question and self.asks(row.question) else ""

    def share_of(self, text: str) -> float:
        """Return the share of a text's windows that the benchmark's passages hold, 0..1."""
        form = canonical(text)
        if len(form) < WINDOW or not len(self._windows):
            return 0.0
        windows = shingle_hashes(form, WINDOW)
        places = np.searchsorted(self._windows, windows)
        places[places == len(self._windows)] = 0
        return float((self._windows[places] == windows).mean())

    def asks(self, question: str) -> bool:
        """Tell whether the benchmark holds this question or one that is written nearly the same."""
        shingles = shingle_hashes(canonical(question))
        seen: set[int] = set()
        for shingle in shingles.tolist():
            for other in self._questions.get(shingle, ()):
                if id(other) not in seen:
                    seen.add(id(other))
                    if jaccard(shingles, other) >= QUESTION_SHARE:
                        return True
        return False
