"""Cut documents into chunks of whole sentences, and remember which search tokens every sentence holds.

Comes in: documents. Goes out: chunks with their tokens by sentence, and a table of token ids. Kiwi reads a document once,
here; when a question comes, the table says what its sentences hold. Knows nothing about ranking or models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .koqas_normalization import normalized_tokens
from .koqas_text import AnalyzedSentence, TextView, analyze, search_tokens, sentences_of, view_of
from .koqas_types import Chunk, Document, Sentence


@dataclass(frozen=True)
class TokenizedChunk:
    """A chunk with the search tokens of its title and of each of its sentences, and those that only search sees."""

    chunk: Chunk
    title: list[str]
    sentences: list[list[str]]
    normalized: list[str]

    def tokens(self) -> list[str]:
        """Return all tokens of the chunk, the title's first."""
        return self.title + [t for tokens in self.sentences for t in tokens] + self.normalized


def cut_document(document: Document, max_chars: int) -> list[TokenizedChunk]:
    """Pack whole sentences of a document into chunks of at most `max_chars` characters.

    Args:
        document (`Document`): The caller's document.
        max_chars (`int`): Largest chunk in characters; a single longer sentence makes a chunk alone.

    Returns:
        `list[TokenizedChunk]`: Chunks in order, numbered from 0.
    """
    view = view_of(document.text)
    title = view_of(document.title).text
    titled = sentences_of(title) if title else []
    title_tokens = [t for s in titled for t in search_tokens(s.tokens, s.text)]
    groups: list[list[AnalyzedSentence]] = []
    for sentence in next(analyze([view.text])):
        if groups and sentence.start + len(sentence.text) - groups[-1][0].start <= max_chars:
            groups[-1].append(sentence)
        else:
            groups.append([sentence])
    return [
        TokenizedChunk(
            _chunk(document.id, number, title, view, group),
            title_tokens,
            [search_tokens(s.tokens, s.text) for s in group],
            [t for s in (*titled, *group) for t in normalized_tokens(s)],
        )
        for number, group in enumerate(groups)
    ]


def _chunk(document: str, number: int, title: str, view: TextView, group: list[AnalyzedSentence]) -> Chunk:
    sentences = []
    for s in group:
        where = view.original(s.start, s.start + len(s.text))
        sentences.append(Sentence(s.text, where.start, where.end))
    start, end = group[0].start, group[-1].start + len(group[-1].text)
    where = view.original(start, end)
    return Chunk(document, number, where.start, where.end, view.text[start:end], title, tuple(sentences))


class TokenTable:
    """The distinct token ids of every title and sentence, in two flat arrays (four bytes for a token).

    Args:
        ids (`np.ndarray`): int32, all rows one after the other.
        bounds (`np.ndarray`): int64, row `r` is `ids[bounds[r]:bounds[r + 1]]`.
        chunks (`Sequence[Chunk]`): The chunks in order; each has a row for its title, then one for each sentence.

    Raises:
        ValueError: The rows do not fit the chunks.
    """

    def __init__(self, ids: np.ndarray, bounds: np.ndarray, chunks: Sequence[Chunk]) -> None:
        self.ids, self.bounds = ids, bounds
        self._first = np.cumsum([0, *(1 + len(c.sentences) for c in chunks)])
        if len(bounds) != self._first[-1] + 1 or bounds[-1] != len(ids):
            raise ValueError("token rows and chunks differ")

    @classmethod
    def build(cls, tokenized: Iterable[TokenizedChunk], vocabulary: dict[str, int]) -> "TokenTable":
        """Collect the tokens of chunks as ids of a vocabulary that holds them all."""
        chunks, rows = [], []
        for entry in tokenized:
            chunks.append(entry.chunk)
            rows += [sorted({vocabulary[t] for t in tokens}) for tokens in (entry.title, *entry.sentences)]
        bounds = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(np.fromiter((i for row in rows for i in row), np.int32, int(bounds[-1])), bounds, chunks)

    def rows(self, position: int) -> list[np.ndarray]:
        """Return the rows of the chunk at a position: its title, then its sentences."""
        first, last = self._first[position], self._first[position + 1]
        return [self.ids[self.bounds[r] : self.bounds[r + 1]] for r in range(first, last)]

    def save(self, path: Path) -> None:
        """Write the arrays."""
        np.savez(path, ids=self.ids, bounds=self.bounds)

    @classmethod
    def load(cls, path: Path, chunks: Sequence[Chunk]) -> "TokenTable":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["ids"], arrays["bounds"], chunks)
