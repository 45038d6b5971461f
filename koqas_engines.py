"""The two engines under an index: BM25 over token ids (bm25s) and inner products of vectors (FAISS).

Comes in: tables of tokens, chunks. Goes out: engines. Knows nothing about documents, questions or files.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import bm25s
import faiss
import numpy as np
from bm25s.tokenization import Tokenized

from .koqas_chunks import TokenTable
from .koqas_types import Chunk


class DenseEncoder(Protocol):
    """Anything that turns texts into rows of a float matrix, e.g. model2vec or sentence-transformers models."""

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Return an array of shape `(len(sentences), dimension)`."""


class _Countable:
    """A table whose chunks without any token count as one empty token, since BM25 must see every chunk."""

    def __init__(self, tokens: TokenTable, empty: int) -> None:
        self.tokens, self.empty = tokens, empty

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[list[int]]:
        return (ids or [self.empty] for ids in self.tokens)


def bm25_of(tokens: TokenTable, vocabulary: dict[str, int]) -> bm25s.BM25:
    """Return BM25 over a table; the vocabulary gains an empty token where it has none."""
    lexical = bm25s.BM25(k1=1.2, b=0.75)
    empty = vocabulary.setdefault("", len(vocabulary))
    lexical.index(Tokenized(ids=_Countable(tokens, empty), vocab=vocabulary), show_progress=False)
    return lexical


def vectors_of(chunks: Sequence[Chunk], encoder: DenseEncoder) -> np.ndarray:
    """Return unit vectors of chunks with their titles, float32 of shape `(chunks, dimension)`."""
    return encode(encoder, [f"{c.title} {c.text}".strip() for c in chunks])


def flat_index(vectors: np.ndarray | None) -> faiss.Index | None:
    """Return an exact FAISS index of vectors, or None without any."""
    if vectors is None:
        return None
    dense = faiss.IndexFlatIP(vectors.shape[1])
    dense.add(np.ascontiguousarray(vectors))
    return dense


def encode(encoder: DenseEncoder, texts: Sequence[str]) -> np.ndarray:
    """Return unit vectors of texts, float32 of shape `(texts, dimension)`."""
    vectors = np.ascontiguousarray(encoder.encode(list(texts)), dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
