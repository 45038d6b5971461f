"""Find the chunks of the user's documents that may hold the answer: BM25 and dense vectors, fused by rank.

Comes in: documents. Goes out: chunks with lexical, dense and fused scores. This module knows nothing about language
models and nothing about the files of a saved index.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import bm25s
import faiss
import numpy as np
from tqdm.auto import tqdm

from .koqas_chunks import TokenizedChunk, TokenTable, cut_document
from .koqas_engines import DenseEncoder, bm25_of, encode, flat_index, vectors_of
from .koqas_fusion import fuse
from .koqas_index_files import IndexParts, IndexSettings, read_index, write_index
from .koqas_normalization import Expansion, expansion_of
from .koqas_text import keywords, search_tokens, sentences_of, view_of
from .koqas_types import Chunk, Document, KoQasError, ScoredChunk
from .koqas_variants import Variants


@dataclass(frozen=True)
class Query:
    """A question prepared for search: its BM25 tokens, the text for the dense encoder, and what else to search for."""

    tokens: list[str]
    text: str
    expansion: Expansion = Expansion()

    def plain(self) -> "Query":
        """Return the query without what goes beyond its own tokens, to measure what that is worth."""
        return Query(self.tokens, self.text)


def query_of(question: str, *, reformulated: bool = False) -> Query:
    """Prepare a question; `reformulated` keeps only nouns, names and numbers, for a second search."""
    text = view_of(question).text
    if reformulated:
        text = " ".join(keywords(text)) or text
    sentences = sentences_of(text)
    tokens = [t for s in sentences for t in search_tokens(s.tokens, s.text)]
    return Query(tokens, text, expansion_of(sentences))


class Index:
    """Chunks of documents with a BM25 and a dense index over them.

    Build one with `Index.build`, or read a saved one with `Index.load`.
    """

    def __init__(
        self,
        documents: list[Document],
        chunks: list[Chunk],
        tokens: TokenTable,
        lexical: bm25s.BM25,
        dense: faiss.Index | None,
        settings: IndexSettings,
        encoder: DenseEncoder | None,
    ) -> None:
        self.documents = {d.id: d for d in documents}
        self.chunks, self.tokens, self.lexical, self.dense = chunks, tokens, lexical, dense
        self.settings, self.encoder = settings, encoder
        self._first: dict[str, int] = {}  # where each document's chunks begin
        for position, chunk in enumerate(chunks):
            self._first.setdefault(chunk.document, position)

    @classmethod
    def build(
        cls,
        documents: list[Document],
        encoder: DenseEncoder | None,
        settings: IndexSettings,
        *,
        progress: bool = False,
    ) -> "Index":
        """Cut documents into chunks and index them.

        Raises:
            KoQasError: The documents hold no sentence at all.
        """
        vocabulary: dict[str, int] = {}
        tokens, chunks = TokenTable.build(_cut(documents, settings, progress), vocabulary)
        if not chunks:
            raise KoQasError("documents", "문장을 하나도 찾지 못했습니다.", "pass documents with readable text")
        vectors = vectors_of(chunks, encoder) if encoder is not None and settings.dense_weight > 0 else None
        return cls(documents, chunks, tokens, bm25_of(tokens, vocabulary), flat_index(vectors), settings, encoder)

    def changed(
        self, added: Sequence[Document] = (), deleted: Collection[str] = (), *, progress: bool = False
    ) -> "Index":
        """Return an index with documents added, replaced (an id that is there already) and deleted.

        Only the added documents are read and encoded. BM25 weights are computed again from the table of tokens, since
        one document more changes the rarity of every word: the result scores as one built from all documents would.
        This index stays as it is, so whoever is searching it can go on.

        Args:
            added (`Sequence[Document]`): New documents, and new versions of old ones.
            deleted (`Collection[str]`): Ids of documents to forget.
            progress (`bool`): Show a bar while reading.

        Raises:
            KoQasError: An id to delete is unknown, an id is added twice, or no sentence would be left.
        """
        new = {d.id: d for d in added}
        if len(new) != len(added):
            raise KoQasError("documents", "같은 id의 문서를 두 번 더할 수 없습니다.", "give every document its own id")
        if unknown := sorted(set(deleted) - self.documents.keys()):
            raise KoQasError("documents", f"색인에 없는 문서입니다: {', '.join(unknown[:5])}", "pass ids of the index")
        gone = set(deleted) | new.keys()
        kept = [p for p, chunk in enumerate(self.chunks) if chunk.document not in gone]
        vocabulary = dict(self.lexical.vocab_dict)
        read, fresh = TokenTable.build(_cut(list(new.values()), self.settings, progress), vocabulary)
        chunks = [self.chunks[p] for p in kept] + fresh
        if not chunks:
            raise KoQasError("documents", "색인에 남는 문장이 없습니다.", "keep or add a document with readable text")
        tokens, vocabulary = self.tokens.joined(kept, read, chunks).compact(vocabulary, chunks)
        documents = [d for d in self.documents.values() if d.id not in gone] + list(new.values())
        vectors = self._vectors()
        if vectors is not None and self.encoder is not None:
            vectors = np.concatenate([vectors[kept], vectors_of(fresh, self.encoder)]) if fresh else vectors[kept]
        dense = flat_index(vectors)
        return Index(documents, chunks, tokens, bm25_of(tokens, vocabulary), dense, self.settings, self.encoder)

    def search(self, query: Query, top_k: int, *, lexical: bool = True, dense: bool = True) -> list[ScoredChunk]:
        """Return the `top_k` best chunks, best first.

        Args:
            query (`Query`): See `query_of`.
            top_k (`int`): Chunks to return.
            lexical (`bool`): Use BM25.
            dense (`bool`): Use the dense vectors.
        """
        count = len(self.chunks)
        tokens = query.tokens + query.expansion.within(self.lexical.vocab_dict, lambda: self.variants)
        bm25 = self.lexical.get_scores(tokens) if tokens else np.zeros(count, dtype=np.float32)
        cosine = self._cosines(query.text) if dense else None
        weights = self.settings.lexical_weight, self.settings.dense_weight if lexical else 1.0
        rankings = [(bm25, weights[0])] if lexical else []
        rankings += [(cosine, weights[1])] if cosine is not None else []
        return [
            ScoredChunk(self.chunks[i], float(bm25[i]), None if cosine is None else float(cosine[i]), fused, 1)
            for i, fused in fuse(rankings, top_k, count)
        ]

    def _cosines(self, text: str) -> np.ndarray | None:
        """Return the cosine of a text with every chunk, or None without dense vectors."""
        vectors = self._vectors()
        if vectors is None or self.encoder is None:
            return None
        return vectors @ encode(self.encoder, [text])[0]

    def _vectors(self) -> np.ndarray | None:
        """Return the dense vectors, one row a chunk: a view of what FAISS holds, not a copy."""
        if self.dense is None:
            return None
        shape = self.dense.ntotal, self.dense.d
        held = self.dense.get_xb()  # type: ignore[attr-defined]  # it is an IndexFlat, see `flat_index`
        return faiss.rev_swig_ptr(held, shape[0] * shape[1]).reshape(shape)

    @cached_property
    def variants(self) -> Variants:
        """The words of this index by their sound."""
        return Variants(self.lexical.vocab_dict)

    def token_weights(self, tokens: Iterable[str]) -> dict[str, float]:
        """Return the inverse document frequency of tokens in this index; unknown tokens count like the rarest."""
        count = len(self.chunks)
        indptr, vocab = self.lexical.scores["indptr"], self.lexical.vocab_dict
        weights = {}
        for token in set(tokens):
            row = vocab.get(token)
            frequency = int(indptr[row + 1] - indptr[row]) if row is not None else 0
            weights[token] = float(np.log(1 + (count - frequency + 0.5) / (frequency + 0.5)))
        return weights

    def coverage(self, weights: dict[str, float], chunk: Chunk) -> tuple[float, list[float]]:
        """Tell how much of a question's token weight a chunk of this index holds, without reading its text again.

        Args:
            weights (`dict[str, float]`): See `token_weights`.
            chunk (`Chunk`): One of `chunks`.

        Returns:
            `tuple[float, list[float]]`: Shares (0..1) of the chunk with its title and of each sentence alone.
        """
        vocabulary, total = self.lexical.vocab_dict, sum(weights.values()) or 1.0
        known = {vocabulary[t]: w / total for t, w in weights.items() if t in vocabulary}
        asked, shares = np.array(list(known), dtype=np.int32), np.array(list(known.values()))
        held = [np.isin(asked, row) for row in self.tokens.rows(self._first[chunk.document] + chunk.number)]
        whole = np.logical_or.reduce(held)
        return float(shares[whole].sum()), [float(shares[h].sum()) for h in held[1:]]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the index to a folder, whole or not at all; an index that is there already is replaced.

        Raises:
            KoQasError: Something else stands there.
        """
        parts = IndexParts(list(self.documents.values()), self.chunks, self.tokens, self.lexical, self.dense)
        write_index(parts, self.settings, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], encoder: DenseEncoder | None, settings: IndexSettings) -> "Index":
        """Read an index written by `save`; one that is replaced meanwhile is read again.

        Raises:
            KoQasError: No index there, damaged, of an older format, or made with other settings or another encoder.
        """
        parts = read_index(folder, settings)
        documents, chunks = list(parts.documents), list(parts.chunks)
        return cls(documents, chunks, parts.tokens, parts.lexical, parts.dense, settings, encoder)


def _cut(documents: Sequence[Document], settings: IndexSettings, progress: bool) -> Iterator[TokenizedChunk]:
    for document in tqdm(documents, desc="문서 색인", unit="문서", disable=not progress):
        yield from cut_document(document, settings.max_chars)
