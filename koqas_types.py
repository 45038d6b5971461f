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
class Place:
    """Where the characters `[start, end)` of a document's text stood in the file they were read from.

    Args:
        page (`int`, *optional*): Page, counted from 1.
        paragraph (`int`, *optional*): Paragraph of the body, counted from 1, tables and empty ones not counted.
        table (`int`, *optional*): Table of the document, counted from 1.
        cell (`str`): Cell as spreadsheets name it, `B3`: second column, third row.
    """

    start: int
    end: int
    page: int | None = None
    paragraph: int | None = None
    table: int | None = None
    cell: str = ""


@dataclass(frozen=True)
class Document:
    """One text of the caller, untouched. Offsets in results count its characters.

    `places`, in order of `start`, tell where the text stood in its file; a text given as a string has none.
    """

    id: str
    text: str
    title: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Location:
    """Where a quote stands, as a reader of the document would look it up.

    Args:
        label (`str`): In words: `제3조 2항, 2쪽`.
        headings (`tuple[str, ...]`): Headings above it, outermost first.
        clause (`str`): Paragraph and item within an article: `2항 1호`.
        page, paragraph, table (`int`, *optional*), cell (`str`): See `Place`; a quote over several cells: `A3:C3`.
    """

    label: str = ""
    headings: tuple[str, ...] = ()
    clause: str = ""
    page: int | None = None
    paragraph: int | None = None
    table: int | None = None
    cell: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a dict that JSON gives back as it is."""
        return asdict(self) | {"headings": list(self.headings)}


@dataclass(frozen=True)
class Chunk:
    """A run of whole sentences of one document.

    `text` is the readable view (NFC, no invisible characters); `start` and `end` are offsets into
    `Document.text`. `sentences` are spans of the view with their offsets into `Document.text`. `headings` are those
    the chunk stands under, outermost first: a chunk never crosses from one to the next.
    """

    document: str
    number: int
    start: int
    end: int
    text: str
    title: str
    sentences: tuple["Sentence", ...]
    headings: tuple[str, ...] = ()


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
            "headings": list(self.chunk.headings),
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
    """A literal quote: `documents[document].text[start:end] == quote`, with the hash of that text and its location."""

    document: str
    start: int
    end: int
    quote: str
    sha256: str
    location: Location = Location()

    def to_dict(self) -> dict[str, Any]:
        """Return the public row of this quote."""
        return asdict(self) | {"location": self.location.to_dict()}


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
            "evidence": [e.to_dict() for e in self.evidence],
            "documents": [d.to_dict() for d in self.documents],
            "timings": self.timings,
        }
