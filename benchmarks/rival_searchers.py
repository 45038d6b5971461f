"""Haystack, LlamaIndex and txtai as searchers: as they come, and with the settings that suit Korean best.

Nothing is fetched: lexical search everywhere, and where vectors are asked for, this project's static embedding serves
all. Settings are arguments that each library documents; no library is patched. Needs `pip install "koqas[benchmarks]"`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from koqas.koqas_repository import retriever_of
from koqas.koqas_text import search_tokens, sentences_of
from koqas.koqas_types import Document

PAIRS = r"(?=(\w\w))"  # every pair of neighbouring characters inside a word, as a regular expression


def text_of(document: Document) -> str:
    """Return what every searcher reads of a document."""
    return f"{document.title} {document.text}".strip()


class Vectors:
    """The static embedding of a repository, scaled to length one."""

    def __init__(self, repository: str) -> None:
        self.encoder, _ = retriever_of(str(Path(repository).resolve()))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 `(len(texts), dimensions)`."""
        assert self.encoder is not None  # the embedded repository has one
        rows = np.asarray(self.encoder.encode(list(texts)), dtype=np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class Haystack:
    """Haystack's in-memory store: BM25, and with vectors both rankings joined by reciprocal rank.

    Args:
        vectors (`Vectors`, *optional*): Adds the embedding retriever.
        **settings: Arguments of `InMemoryDocumentStore`.
    """

    def __init__(self, vectors: Vectors | None = None, **settings: Any) -> None:  # noqa: ANN401
        from haystack.components.joiners import DocumentJoiner
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        self.store, self.vectors = InMemoryDocumentStore(shared=False, **settings), vectors
        self.joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion")

    def index(self, documents: Sequence[Document]) -> None:
        """See `Searcher`."""
        from haystack import Document as HaystackDocument

        texts = [text_of(d) for d in documents]
        rows = self.vectors(texts).tolist() if self.vectors else [None] * len(texts)
        self.store.write_documents(
            [HaystackDocument(id=d.id, content=t, embedding=r) for d, t, r in zip(documents, texts, rows)]
        )

    def search(self, question: str, top_k: int) -> list[str]:
        """See `Searcher`."""
        found = self.store.bm25_retrieval(question, top_k=top_k)
        if self.vectors:
            near = self.store.embedding_retrieval(self.vectors([question])[0].tolist(), top_k=top_k)
            found = self.joiner.run([found, near], top_k=top_k)["documents"]
        return [d.id for d in found]

    def save(self, folder: Path) -> None:
        """Write the index."""
        self.store.save_to_disk(str(folder / "store.json"))


class LlamaIndex:
    """LlamaIndex's BM25 retriever.

    Args:
        morphemes (`bool`): Give it Kiwi's content morphemes instead of the text, as Korean guides do.
        **settings: Arguments of `BM25Retriever`.
    """

    def __init__(self, morphemes: bool = False, **settings: Any) -> None:  # noqa: ANN401
        self.morphemes, self.settings = morphemes, settings
        self.retriever: Any = None

    def _given(self, text: str) -> str:
        if not self.morphemes:
            return text
        return " ".join(t for s in sentences_of(text) for t in search_tokens(s.tokens, s.text, bigrams=False))

    def index(self, documents: Sequence[Document]) -> None:
        """See `Searcher`."""
        from llama_index.core.schema import TextNode
        from llama_index.retrievers.bm25 import BM25Retriever

        nodes = [TextNode(id_=d.id, text=self._given(text_of(d))) for d in documents]
        self.retriever = BM25Retriever(nodes=nodes, similarity_top_k=min(10, len(nodes)), **self.settings)

    def search(self, question: str, top_k: int) -> list[str]:
        """See `Searcher`."""
        found = self.retriever.retrieve(self._given(question))
        return [n.node.node_id for n in found if n.score and n.score > 0][:top_k]

    def save(self, folder: Path) -> None:
        """Write the index."""
        self.retriever.persist(str(folder))


class Txtai:
    """txtai's embeddings database with contents stored.

    Args:
        vectors (`Vectors`, *optional*): Makes the index hybrid.
        tokenizer (`dict`, *optional*): Settings of its BM25 tokenizer; None: as `keyword=True` gives.
    """

    def __init__(self, vectors: Vectors | None = None, tokenizer: dict[str, Any] | None = None) -> None:
        from txtai import Embeddings

        settings: dict[str, Any] = {"content": True}
        if tokenizer is not None:
            settings["scoring"] = {"method": "bm25", "terms": True, "normalize": True, "tokenizer": tokenizer}
        if vectors is None:
            settings["keyword"] = True  # without it a dense model would be fetched
        else:  # a plain function: any other object would be called to make one
            settings |= {"method": "external", "transform": lambda texts: vectors(texts), "hybrid": True}
        self.embeddings = Embeddings(settings)

    def index(self, documents: Sequence[Document]) -> None:
        """See `Searcher`."""
        self.embeddings.index((d.id, text_of(d), None) for d in documents)

    def search(self, question: str, top_k: int) -> list[str]:
        """See `Searcher`."""
        return [str(row["id"]) for row in self.embeddings.search(question, top_k)]

    def save(self, folder: Path) -> None:
        """Write the index."""
        self.embeddings.config.pop("transform", None)  # a function cannot be written
        self.embeddings.save(str(folder))
