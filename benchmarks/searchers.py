"""Ways to search documents under one interface: plain BM25 with two tokenizers, and this project's index.

A searcher is given documents once and then returns document ids for questions. It never sees which document is right.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import bm25s
import numpy as np

from koqas.koqas_repository import retriever_of
from koqas.koqas_retrieval import Index, IndexSettings, query_of
from koqas.koqas_types import Document


class Searcher(Protocol):
    """Something that finds documents."""

    def index(self, documents: Sequence[Document]) -> None:
        """Take documents in; each is one chunk."""

    def search(self, question: str, top_k: int) -> list[str]:
        """Return the ids of the best documents, best first; none that match nothing."""


def whitespace_tokens(text: str) -> list[str]:
    """Cut a text at white space."""
    return text.lower().split()


def bigram_tokens(text: str) -> list[str]:
    """Cut each word of a text into overlapping pairs of characters."""
    words = re.findall(r"\w+", text.lower())
    return [word[i : i + 2] for word in words for i in range(max(len(word) - 1, 1))]


class PlainBm25:
    """BM25 (k1 1.2, b 0.75, as in Lucene) over tokens of one kind.

    Args:
        tokens (`Callable[[str], list[str]]`): Cuts a text into tokens.
    """

    def __init__(self, tokens: Callable[[str], list[str]]) -> None:
        self.tokens = tokens
        self.bm25 = bm25s.BM25(k1=1.2, b=0.75)
        self.ids: list[str] = []

    def index(self, documents: Sequence[Document]) -> None:
        """See `Searcher`."""
        self.ids = [d.id for d in documents]
        texts = [f"{d.title} {d.text}".strip() for d in documents]
        self.bm25.index([self.tokens(t) or [""] for t in texts], show_progress=False)

    def search(self, question: str, top_k: int) -> list[str]:
        """See `Searcher`."""
        known = [t for t in self.tokens(question) if t in self.bm25.vocab_dict]
        if not known:
            return []
        scores = self.bm25.get_scores(known)
        return [self.ids[i] for i in np.argsort(-scores, kind="stable")[:top_k] if scores[i] > 0]

    def save(self, folder: Path) -> None:
        """Write the index."""
        self.bm25.save(str(folder), corpus=self.ids, show_progress=False)


class KoQas:
    """This project's index.

    Args:
        repository (`str`): Folder whose `retriever/` gives the vectors.
        normalized (`bool`): Search for normalized tokens and variants as well; False shows what they are worth.
    """

    def __init__(self, repository: str, normalized: bool = True) -> None:
        self.encoder, name = retriever_of(str(Path(repository).resolve()))
        self.settings = IndexSettings(max_chars=100_000, encoder=name)  # a document is one chunk
        self.normalized = normalized
        self._index: Index | None = None

    def index(self, documents: Sequence[Document]) -> None:
        """See `Searcher`."""
        self._index = Index.build(list(documents), self.encoder, self.settings)

    def search(self, question: str, top_k: int) -> list[str]:
        """See `Searcher`."""
        assert self._index is not None  # index() comes first
        query = query_of(question)
        if not self.normalized:
            query = query.plain()
        return list(dict.fromkeys(s.chunk.document for s in self._index.search(query, top_k)))

    def save(self, folder: Path) -> None:
        """Write the index."""
        assert self._index is not None  # index() comes first
        self._index.save(folder / "index")
