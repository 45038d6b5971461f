"""The nouns of Ko-QAS: documents, chunks, scored chunks, evidence, results and the one error users see.

Nothing here reads files, loads models or knows Korean. Every other module passes these objects along.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any


class KoQasError(ValueError):
    """A problem the caller can fix: names the field and the remedy in Korean, with an English hint.

    Args:
        field (`str`): Name of the offending argument, file or column.
        message (`str`): What is wrong, in Korean.
        hint (`str`): How to fix it, in English.
    """

    def __init__(self, field: str, message: str, hint: str) -> None:
        self.field = field
        self.hint = hint
        super().__init__(f"[{field}] {message} ({hint})")


def sha256_of(text: str) -> str:
    """Return the hex SHA-256 of a text; lone surrogates are kept, so any Python string has one."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Span:
    """A half-open range of characters `[start, end)` in some text."""

    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """One text of the caller, untouched. Offsets in results count its characters."""

    id: str
    text: str
    title: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """A run of whole sentences of one document.

    `text` is the readable view (NFC, no invisible characters); `start` and `end` are offsets into
    `Document.text`. `sentences` are spans of the view with their offsets into `Document.text`.
    """

    document: str
    number: int
    start: int
    end: int
    text: str
    title: str
    sentences: tuple["Sentence", ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence: its readable text and where it stands in `Document.text`."""

    text: str
    start: int
    end: int


@dataclass
class ScoredChunk:
    """A retrieved chunk with every score it received on its way through the stages.

    `lexical` is the BM25 score, `dense` the cosine similarity, `fused` the weighted reciprocal rank sum,
    `first_pass` and `usefulness` are probabilities (None where the stage did not run).
    """

    chunk: Chunk
    lexical: float
    dense: float | None
    fused: float
    round: int
    first_pass: float | None = None
    usefulness: float | None = None
    kept: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the public row of this chunk."""
        return {
            "id": self.chunk.document,
            "chunk": self.chunk.number,
            "start": self.chunk.start,
            "end": self.chunk.end,
            "lexical": self.lexical,
            "dense": self.dense,
            "fused": self.fused,
            "first_pass": self.first_pass,
            "usefulness": self.usefulness,
            "kept": self.kept,
            "round": self.round,
        }


@dataclass(frozen=True)
class Evidence:
    """A literal quote: `documents[document].text[start:end] == quote`, with the hash of that text."""

    document: str
    start: int
    end: int
    quote: str
    sha256: str


@dataclass(frozen=True)
class Composition:
    """What the generation stage made of the kept chunks, before it is checked against the documents."""

    summary: str
    answer: str
    confidence: float
    evidence: tuple[Evidence, ...]


@dataclass
class Result:
    """Everything the pipeline returns for one question."""

    question: str
    summary: str
    answer: str
    answered: bool
    confidence: float
    evidence: list[Evidence]
    documents: list[ScoredChunk]
    timings: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {
            "question": self.question,
            "summary": self.summary,
            "answer": self.answer,
            "answered": self.answered,
            "confidence": self.confidence,
            "evidence": [asdict(e) for e in self.evidence],
            "documents": [d.to_dict() for d in self.documents],
            "timings": self.timings,
        }
