"""What every reader shares: where a set comes from, the options of a reading, and making a row.

Comes in: the parts a reader has found. Goes out: an `Example` with its id, licence and place in the file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan, Example, stable_id
from koqas.train.rejections import Rejection
from koqas.train.sources.locating import has_markup, locate
from koqas.train.sources.names import split_of
from koqas.train.sources.opening import SourceFile
from koqas.train.sources.records import Record

Outcome: TypeAlias = Example | Rejection


@dataclass(frozen=True)
class Origin:
    """Name, licence and subject of a set, as every row of it carries them."""

    name: str
    license: str
    domain: str


@dataclass(frozen=True)
class ReadOptions:
    """What a user may choose for a reading.

    Args:
        since (`date`): Articles published before this day are rejected.
        mapping (`dict[str, str]`): Key paths for the generic mapper; see mapping.py. Empty: the set's own reader.
        columns (`dict[str, str]`): For articles in JSON lines, our key → key in the file.
        history (`int`): Turns of a conversation put before a question.
    """

    since: date = date(2024, 1, 1)
    mapping: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    history: int = 2


@dataclass(frozen=True)
class Reader:
    """How the files of a set are read: records from a file, then rows from each record.

    Args:
        suffixes (`frozenset[str]`): Suffixes of data files, lower case with the dot.
        records (`Callable`): Streams a file as records.
        rows (`Callable`): Turns one record into examples and rejections.
    """

    suffixes: frozenset[str]
    records: Callable[[SourceFile], Iterator[Record | Rejection]]
    rows: Callable[[Record, Origin, ReadOptions], Iterator[Outcome]]


def example_of(
    origin: Origin,
    record: Record,
    documents: Sequence[Document] = (),
    *,
    question: str = "",
    useful: Sequence[bool] | None = None,
    summary: str = "",
    answer: str = "",
    evidence: Iterable[EvidenceSpan] = (),
    native_id: str = "",
    domain: str = "",
    **meta: Any,  # noqa: ANN401 - JSON values
) -> Example:
    """Make a row; it is answerable when it has a question and an answer.

    The id depends on the set, its own id, the question and the passages only, so the same row in another file
    is a duplicate. Empty values of `meta` are left out; HTML passages set `markup`.
    """
    if any(has_markup(d.text) for d in documents):
        meta["markup"] = "html"
    meta = {"file": record.file, "row": record.place, "native_id": native_id, "split": split_of(record.file), **meta}
    return Example(
        id=stable_id(origin.name, native_id, question, *(d.id for d in documents)),
        source=origin.name,
        license=origin.license,
        domain=domain or origin.domain,
        question=question,
        documents=tuple(documents),
        useful=tuple(useful) if useful is not None else (True,) * len(documents),
        summary=summary,
        answer=answer,
        evidence=tuple(evidence),
        answerable=bool(question and answer),
        meta={k: v for k, v in meta.items() if v not in (None, "", [], {})},
    )


def document_of(origin: Origin, text: str, title: str = "") -> Document:
    """Make a document whose id is its content, so the same passage has one id in every row of a set."""
    return Document(stable_id(origin.name, title, text), text, title)


def found_in(documents: Sequence[Document], answers: Iterable[str]) -> list[EvidenceSpan]:
    """Return for each answer its first place in the documents; answers that stand nowhere are left out."""
    spans = []
    for answer in answers:
        for document in documents:
            if place := locate(document.text, answer):
                spans.append(EvidenceSpan(document.id, place.start, place.end))
                break
    return list(dict.fromkeys(spans))


def guarded(record: Record, rows: Iterator[Outcome]) -> Iterator[Outcome]:
    """Pass rows on; a record of a shape the reader did not expect becomes a rejection that names its keys."""
    try:
        yield from rows
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        keys = ", ".join(map(str, record.value)) if isinstance(record.value, dict) else type(record.value).__name__
        yield record.rejected("unexpected_shape", f"{type(error).__name__}: {error}; keys: {keys}")
