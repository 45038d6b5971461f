"""Find the chunks of the user's documents that may hold the answer: BM25 and dense vectors, fused by rank.

Comes in: documents. Goes out: chunks with lexical, dense and fused scores. A saved index is a folder of plain formats
(JSON, NumPy arrays, FAISS). This module knows nothing about language models.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import bm25s
import faiss
import numpy as np
from tqdm.auto import tqdm

from .koqas_chunks import TokenizedChunk, TokenTable, cut_document
from .koqas_documents import read_documents, write_documents
from .koqas_normalization import Expansion, expansion_of
from .koqas_storage import replace_folder, standing
from .koqas_text import keywords, search_tokens, sentences_of, view_of
from .koqas_types import Chunk, Document, KoQasError, ScoredChunk, Sentence, sha256_of
from .koqas_variants import Variants

INDEX_FILE = "koqas_index.json"
FORMAT = 2  # of a saved index; 1 had no table of tokens
TOKENS = 2  # version of the search tokens; 1 had no normalized ones
RRF_CONSTANT = 2.0  # 60 is usual for rankings of like worth; here one is far better, and its first places must count


class DenseEncoder(Protocol):
    """Anything that turns texts into rows of a float matrix, e.g. model2vec or sentence-transformers models."""

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Return an array of shape `(len(sentences), dimension)`."""


@dataclass(frozen=True)
class IndexSettings:
    """How documents are cut, tokenized and fused; part of an index's fingerprint.

    Args:
        max_chars (`int`): Largest chunk in characters.
        lexical_weight (`float`): Weight of the BM25 ranking in the fusion.
        dense_weight (`float`): Weight of the dense ranking (0 or no encoder: BM25 alone).
        encoder (`str`): Fingerprint of the dense encoder, empty without one.
    """

    max_chars: int = 600
    lexical_weight: float = 1.0
    dense_weight: float = 0.15
    encoder: str = ""

    def fingerprint(self) -> str:
        """Return a hash of all settings and of the text code's version."""
        return sha256_of(json.dumps(asdict(self) | {"tokens": TOKENS}, sort_keys=True))[:16]


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
        tokenized: list[TokenizedChunk] = []
        for document in tqdm(documents, desc="문서 색인", unit="문서", disable=not progress):
            tokenized += cut_document(document, settings.max_chars)
        if not tokenized:
            raise KoQasError("documents", "문장을 하나도 찾지 못했습니다.", "pass documents with readable text")
        chunks = [t.chunk for t in tokenized]
        lexical = bm25s.BM25(k1=1.2, b=0.75)
        lexical.index([t.tokens() or [""] for t in tokenized], show_progress=False)
        tokens = TokenTable.build(tokenized, lexical.vocab_dict)
        dense = None
        if encoder is not None and settings.dense_weight > 0:
            vectors = _encode(encoder, [f"{c.title} {c.text}".strip() for c in chunks])
            dense = faiss.IndexFlatIP(vectors.shape[1])
            dense.add(vectors)
        return cls(documents, chunks, tokens, lexical, dense, settings, encoder)

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
        cosine = np.zeros(count, dtype=np.float32)
        use_dense = False
        if dense and self.dense is not None and self.encoder is not None:
            use_dense = True
            scores, rows = self.dense.search(_encode(self.encoder, [query.text]), count)
            cosine[rows[0]] = scores[0]
        fused = np.zeros(count)
        if lexical:
            fused += self.settings.lexical_weight / (RRF_CONSTANT + _ranks(bm25))
        if use_dense:
            fused += (self.settings.dense_weight if lexical else 1.0) / (RRF_CONSTANT + _ranks(cosine))
        best = np.argsort(-fused, kind="stable")[:top_k]
        return [
            ScoredChunk(self.chunks[i], float(bm25[i]), float(cosine[i]) if use_dense else None, float(fused[i]), 1)
            for i in best
        ]

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
        target = Path(folder)
        if target.exists() and not is_index(target) and not (target.is_dir() and not any(target.iterdir())):
            raise KoQasError("index", f"색인이 아닌 것이 이미 있습니다: {target}", "choose another folder")
        replace_folder(target, self._write)

    def _write(self, folder: Path) -> None:
        write_documents(list(self.documents.values()), folder / "documents.jsonl")
        with (folder / "chunks.jsonl").open("w", encoding="utf-8") as lines:
            for chunk in self.chunks:
                lines.write(json.dumps(asdict(chunk), ensure_ascii=True) + "\n")
        self.tokens.save(folder / "tokens.npz")
        self.lexical.save(str(folder / "lexical"), show_progress=False)
        if self.dense is not None:
            faiss.write_index(self.dense, str(folder / "dense.faiss"))
        head = {
            "format": FORMAT,
            "fingerprint": self.settings.fingerprint(),
            "settings": asdict(self.settings),
            "chunks": len(self.chunks),
        }
        (folder / INDEX_FILE).write_text(json.dumps(head, ensure_ascii=False, indent=2), "utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str], encoder: DenseEncoder | None, settings: IndexSettings) -> "Index":
        """Read an index written by `save`.

        Raises:
            KoQasError: No index there, damaged, of an older format, or made with other settings or another encoder.
        """
        path = standing(Path(folder))
        try:
            head = json.loads((path / INDEX_FILE).read_text("utf-8"))
            _check_head(head, settings, path)
            documents = read_documents(path / "documents.jsonl")
            chunks = list(_read_chunks(path / "chunks.jsonl"))
            tokens = TokenTable.load(path / "tokens.npz", chunks)
            lexical = bm25s.BM25.load(str(path / "lexical"), show_progress=False)
            dense = faiss.read_index(str(path / "dense.faiss")) if (path / "dense.faiss").is_file() else None
            if len(chunks) != head["chunks"] or (dense is not None and dense.ntotal != len(chunks)):
                raise ValueError("chunk counts differ")
        except KoQasError:
            raise
        except Exception as error:
            raise KoQasError("index", f"색인을 읽을 수 없습니다: {path} ({error})", "rebuild the index") from error
        return cls(documents, chunks, tokens, lexical, dense, settings, encoder)


def _check_head(head: dict[str, Any], settings: IndexSettings, path: Path) -> None:
    if (found := head.get("format", 1)) != FORMAT:
        raise KoQasError(
            "index",
            f"색인 형식이 다릅니다: {path} (형식 {found}, 필요한 형식 {FORMAT})",
            "made by another version of Ko-QAS: rebuild it from the documents",
        )
    if head["fingerprint"] != settings.fingerprint():
        raise KoQasError(
            "index",
            f"다른 검색기로 만든 색인입니다: {path}",
            "rebuild it with this pipeline, or load the pipeline it was made with",
        )


def is_index(source: Any) -> bool:  # noqa: ANN401
    """Tell whether a value names a folder written by `Index.save`."""
    if not isinstance(source, (str, os.PathLike)) or len(os.fspath(source)) > 4096 or "\0" in os.fspath(source):
        return False
    return os.path.isfile(standing(Path(source)) / INDEX_FILE)  # unlike Path.is_file, False for a long text


def encoder_fingerprint(folder: Path) -> str:
    """Return a hash of an encoder folder's weights and tokenizer."""
    names = ("model.safetensors", "tokenizer.json")
    return sha256_of("".join(sha256_of((folder / n).read_bytes().hex()) for n in names if (folder / n).is_file()))[:16]


def _read_chunks(path: Path) -> Iterator[Chunk]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Chunk(**row | {"sentences": tuple(Sentence(**s) for s in row["sentences"])})


def _encode(encoder: DenseEncoder, texts: Sequence[str]) -> np.ndarray:
    vectors = np.ascontiguousarray(encoder.encode(list(texts)), dtype=np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return 1-based competition ranks: equal scores share the best rank, so ties are not decided by position."""
    ordered = np.sort(scores)[::-1]
    return 1.0 + np.searchsorted(-ordered, -scores, side="left")
