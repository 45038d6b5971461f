"""Cut documents into chunks of whole sentences, and remember which search tokens every sentence holds.

Comes in: documents. Goes out: chunks with their tokens by sentence, and a table of token ids. Kiwi reads a document once,
here; when a question comes, the table says what its sentences hold. Knows nothing about ranking or models.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .koqas_locations import Heading, below, outline_of
from .koqas_normalization import normalized_tokens
from .koqas_text import AnalyzedSentence, TextView, analyze, search_tokens, sentences_of, view_of
from .koqas_types import Chunk, Document, Sentence


@dataclass(frozen=True)
class TokenizedChunk:
    """A chunk with search tokens: of its title and the headings above it, of each sentence, and those only search sees."""

    chunk: Chunk
    title: list[str]
    sentences: list[list[str]]
    normalized: list[str]


def cut_document(document: Document, max_chars: int) -> list[TokenizedChunk]:
    """Pack whole sentences of a document into chunks of at most `max_chars` characters.

    A chunk ends where a heading begins, and is found by the words of the headings above it, too: the fifth paragraph
    of an article on leave need not name it.

    Args:
        document (`Document`): The caller's document.
        max_chars (`int`): Largest chunk in characters; a single longer sentence makes a chunk alone.

    Returns:
        `list[TokenizedChunk]`: Chunks in order, numbered from 0.
    """
    view = view_of(document.text)
    title = view_of(document.title).text
    tokenized = []
    for number, section in enumerate(_sections(next(analyze([view.text])), outline_of(view.text), max_chars)):
        above = [h.text for h in section.path if h.start < section.sentences[0].start and h.text != title]
        names = [s for name in (title, *above) if name for s in _analyzed(name)]
        tokenized.append(
            TokenizedChunk(
                _chunk(document.id, number, title, view, section),
                [t for s in names for t in search_tokens(s.tokens, s.text)],
                [search_tokens(s.tokens, s.text) for s in section.sentences],
                [t for s in (*names, *section.sentences) for t in normalized_tokens(s)],
            )
        )
    return tokenized


@dataclass
class _Section:
    """Sentences of one chunk, and the headings they stand under; `begun` once there is more than headings."""

    path: tuple[Heading, ...]
    sentences: list[AnalyzedSentence]
    begun: bool = False


def _sections(sentences: Iterable[AnalyzedSentence], outline: Sequence[Heading], max_chars: int) -> list[_Section]:
    sections: list[_Section] = []
    path: tuple[Heading, ...] = ()
    following = 0
    for sentence in sentences:
        end = sentence.start + len(sentence.text)
        crossed = False
        while following < len(outline) and outline[following].start < end:
            path, following, crossed = below(path, outline[following]), following + 1, True
        last = sections[-1] if sections else None
        if last and not (crossed and last.begun) and end - last.sentences[0].start <= max_chars:
            last.sentences.append(sentence)
            last.path = path
        else:
            sections.append(_Section(path, [sentence]))
        sections[-1].begun |= not path or end > path[-1].end
    return sections


@lru_cache(maxsize=1_000)
def _analyzed(name: str) -> tuple[AnalyzedSentence, ...]:
    return tuple(sentences_of(name))


def _chunk(document: str, number: int, title: str, view: TextView, section: _Section) -> Chunk:
    group, sentences = section.sentences, []
    for s in group:
        where = view.original(s.start, s.start + len(s.text))
        sentences.append(Sentence(s.text, where.start, where.end))
    start, end = group[0].start, group[-1].start + len(group[-1].text)
    where = view.original(start, end)
    headings = tuple(h.text for h in section.path)
    return Chunk(document, number, where.start, where.end, view.text[start:end], title, tuple(sentences), headings)


class TokenTable:
    """The token ids of every title and sentence, and those only search sees, in two flat arrays (four bytes a token).

    An index is changed from here: BM25 needs every token of every chunk again, but no text needs to be read again.

    Args:
        ids (`np.ndarray`): int32, all rows one after the other.
        bounds (`np.ndarray`): int64, row `r` is `ids[bounds[r]:bounds[r + 1]]`.
        chunks (`Sequence[Chunk]`): The chunks in order; each has a row for its title, one for each sentence, and one
            for its normalized tokens.

    Raises:
        ValueError: The rows do not fit the chunks.
    """

    def __init__(self, ids: np.ndarray, bounds: np.ndarray, chunks: Sequence[Chunk]) -> None:
        self.ids, self.bounds = ids, bounds
        self._first = np.cumsum([0, *(2 + len(c.sentences) for c in chunks)])
        if len(bounds) != self._first[-1] + 1 or bounds[-1] != len(ids):
            raise ValueError("token rows and chunks differ")

    @classmethod
    def build(
        cls, tokenized: Iterable[TokenizedChunk], vocabulary: dict[str, int]
    ) -> tuple["TokenTable", list[Chunk]]:
        """Collect the tokens of chunks as ids of a vocabulary, which learns those that it lacks.

        Chunks are taken one at a time: their tokens as strings would need thirty times the memory of the table.

        Returns:
            `tuple[TokenTable, list[Chunk]]`: The table and the chunks, in order.
        """
        chunks, rows = [], []
        for entry in tokenized:
            chunks.append(entry.chunk)
            for tokens in (entry.title, *entry.sentences, entry.normalized):
                rows.append(np.array([vocabulary.setdefault(t, len(vocabulary)) for t in tokens], dtype=np.int32))
        return cls(*_flat(rows), chunks), chunks

    def __len__(self) -> int:
        return len(self._first) - 1

    def __iter__(self) -> Iterator[list[int]]:
        """Yield all token ids of each chunk, as BM25 counts them; lists are made one at a time to spare memory."""
        for first, last in zip(self.bounds[self._first[:-1]], self.bounds[self._first[1:]], strict=True):
            yield self.ids[first:last].tolist()

    def rows(self, position: int) -> list[np.ndarray]:
        """Return the rows of the chunk at a position: its title, then its sentences."""
        return self._rows(position)[:-1]

    def _rows(self, position: int) -> list[np.ndarray]:
        first, last = self._first[position], self._first[position + 1]
        return [self.ids[self.bounds[r] : self.bounds[r + 1]] for r in range(first, last)]

    def joined(self, kept: Sequence[int], added: "TokenTable", chunks: Sequence[Chunk]) -> "TokenTable":
        """Return a table of the chunks at the positions `kept`, then of those of another table."""
        rows = [r for p in kept for r in self._rows(p)] + [r for p in range(len(added)) for r in added._rows(p)]
        return TokenTable(*_flat(rows), chunks)

    def compact(self, vocabulary: dict[str, int], chunks: Sequence[Chunk]) -> tuple["TokenTable", dict[str, int]]:
        """Return the table and the vocabulary without the tokens that no row holds."""
        used = np.zeros(len(vocabulary), dtype=bool)
        used[self.ids] = True
        renumbered = np.cumsum(used, dtype=np.int32) - 1
        return (
            TokenTable(renumbered[self.ids].astype(np.int32), self.bounds, chunks),
            {token: int(renumbered[i]) for token, i in vocabulary.items() if used[i]},
        )

    def save(self, path: Path) -> None:
        """Write the arrays."""
        np.savez(path, ids=self.ids, bounds=self.bounds)

    @classmethod
    def load(cls, path: Path, chunks: Sequence[Chunk]) -> "TokenTable":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["ids"], arrays["bounds"], chunks)


def _flat(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows one after the other, and where each begins and the last ends."""
    bounds = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return np.concatenate([np.empty(0, dtype=np.int32), *rows]), bounds
