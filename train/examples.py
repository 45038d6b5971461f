"""One row of training data, the object that every stage of the data factory takes and gives.

Comes in: dicts, JSON lines or Parquet. Goes out: the same. Knows nothing of where a row came from or how it is
cleaned; it only holds that offsets point at text that is there. A row takes one of three shapes:

- *reading*: a question and documents. Unanswerable when the documents do not hold the answer.
- *document*: documents and perhaps a summary, `question` empty. A later stage asks the question.
- *closed book*: a question and an answer, no documents. Nothing in the row proves the answer.
"""

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, List, Value, load_dataset

from koqas.koqas_types import Document, KoQasError

Shape = Literal["reading", "document", "closed book"]

# `meta` differs from source to source, so it is stored as JSON text: one Parquet schema fits all rows.
FEATURES = Features(
    {
        "id": Value("string"),
        "source": Value("string"),
        "license": Value("string"),
        "domain": Value("string"),
        "question": Value("string"),
        "documents": List({"id": Value("string"), "title": Value("string"), "text": Value("string")}),
        "useful": List(Value("bool")),
        "summary": Value("string"),
        "answer": Value("string"),
        "evidence": List({"document": Value("string"), "start": Value("int64"), "end": Value("int64")}),
        "answerable": Value("bool"),
        "meta": Value("string"),
    }
)
ROWS_IN_A_GROUP = 1000


@dataclass(frozen=True)
class EvidenceSpan:
    """Characters `[start, end)` of the text of the row's document called `document`."""

    document: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """One row of training data.

    Args:
        id (`str`): Stable over runs; see `stable_id`.
        source (`str`): Name of the set in the catalog.
        license (`str`): Licence of the text, an SPDX id where there is one.
        domain (`str`): Subject, in Korean.
        question (`str`): Empty in a document row.
        documents (`tuple[Document, ...]`): Passages with ids unique in the row; their `meta` is not stored.
        useful (`tuple[bool, ...]`): For each document, whether it holds the answer (document row: the content).
        summary (`str`): Explanation the answer follows from, or the summary of a document row; may be empty.
        answer (`str`): Empty when unanswerable and in a document row. An answer outside the text (yes, no, a
            choice, free form) has evidence that differs from it, or none.
        evidence (`tuple[EvidenceSpan, ...]`): Where answer and summary stand in useful documents.
        answerable (`bool`): Whether `answer` answers `question`; False in a document row.
        meta (`dict[str, Any]`): Everything else that JSON can hold, keys as in `train/sources/__init__.py`.
    """

    id: str
    source: str
    license: str
    domain: str
    question: str
    documents: tuple[Document, ...] = ()
    useful: tuple[bool, ...] = ()
    summary: str = ""
    answer: str = ""
    evidence: tuple[EvidenceSpan, ...] = ()
    answerable: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """Which of the three shapes of the module docstring this row has."""
        if not self.question:
            return "document"
        return "reading" if self.documents else "closed book"

    def quotes(self) -> tuple[str, ...]:
        """Return the text of every evidence span, in order; the row must be valid."""
        texts = {d.id: d.text for d in self.documents}
        return tuple(texts[e.document][e.start : e.end] for e in self.evidence)

    def problems(self) -> list[str]:
        """Return what is wrong with the row, in English; empty when it is valid."""
        found = [f"{name} is empty" for name in ("id", "source", "license") if not getattr(self, name).strip()]
        if not self.question.strip() and (self.question or not self.documents):
            found.append("neither a question nor documents")
        return found + self._document_problems() + self._answer_problems() + self._evidence_problems()

    def _document_problems(self) -> list[str]:
        found = []
        if len(self.useful) != len(self.documents):
            found.append(f"{len(self.useful)} usefulness labels for {len(self.documents)} documents")
        if len({d.id for d in self.documents}) != len(self.documents):
            found.append("two documents share an id")
        found += [f"document {d.id!r} is empty" for d in self.documents if not d.text.strip()]
        return found

    def _answer_problems(self) -> list[str]:
        if not self.answerable:
            if self.shape == "closed book":
                return ["no document and no answer"]
            return ["an answer in an unanswerable row"] if self.answer else []
        found = [] if self.answer.strip() else ["answerable but no answer"]
        if self.shape == "document":
            found.append("answerable without a question")
        if self.documents and not any(self.useful):
            found.append("answerable but no document is useful")
        return found

    def _evidence_problems(self) -> list[str]:
        lengths = {d.id: len(d.text) for d, useful in zip(self.documents, self.useful) if useful}
        found = []
        for span in self.evidence:
            if span.document not in lengths:
                found.append(f"evidence in {span.document!r}, which is no useful document of the row")
            elif not 0 <= span.start < span.end <= lengths[span.document]:
                found.append(f"evidence [{span.start}, {span.end}) outside {lengths[span.document]} characters")
        if self.evidence and not self.answerable and self.question:
            found.append("evidence in an unanswerable row")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the public row, as plain JSON types."""
        row = asdict(self)
        row["documents"] = [{"id": d.id, "title": d.title, "text": d.text} for d in self.documents]
        return {**row, "useful": list(self.useful), "evidence": [asdict(e) for e in self.evidence]}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Example":
        """Build and check a row.

        Raises:
            KoQasError: A column is missing or of the wrong type, or the row has `problems`.
        """
        try:
            documents = tuple(Document(d["id"], d["text"], d["title"]) for d in row["documents"])
            evidence = tuple(EvidenceSpan(e["document"], e["start"], e["end"]) for e in row["evidence"])
            columns = {**row, "documents": documents, "evidence": evidence, "useful": tuple(row["useful"])}
            example = cls(**columns)
            problems = example.problems()
        except (AttributeError, KeyError, TypeError) as error:
            raise KoQasError(
                "row",
                "학습 행의 열이 맞지 않습니다.",
                f"{type(error).__name__}: {error}; columns: {', '.join(FEATURES)}",
            ) from error
        if problems:
            raise KoQasError(f"row {example.id}", "학습 행이 올바르지 않습니다.", "; ".join(problems))
        return example


def stable_id(source: str, *parts: str) -> str:
    """Return `source-` and 16 hex digits of the parts, the same wherever the row stands in whatever file.

    Parts are compared in NFC, so a copy that passed through macOS keeps its id. 64 bits: among a million rows
    the chance of any two colliding is about 3e-8.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = unicodedata.normalize("NFC", part).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return f"{source}-{digest.hexdigest()[:16]}"


def write_examples(path: Path, rows: Iterable[Example]) -> int:
    """Write rows to `.parquet` or `.jsonl`, streaming; returns how many.

    The file appears under its name only when it is whole. The Parquet schema carries the features, so
    `datasets.load_dataset("parquet", data_files=...)` gives these columns back.

    Raises:
        KoQasError: Another suffix.
    """
    writer = {".parquet": _write_parquet, ".jsonl": _write_jsonl}.get(path.suffix)
    if writer is None:
        raise KoQasError("out", f"저장 형식을 알 수 없습니다: {path.name}", "use .parquet or .jsonl")
    unfinished = path.with_name(path.name + ".part")
    count = writer(unfinished, rows)
    os.replace(unfinished, path)
    return count


def _write_jsonl(path: Path, rows: Iterable[Example]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Iterable[Example]) -> int:
    count = 0
    left = iter(rows)
    with pq.ParquetWriter(path, FEATURES.arrow_schema) as writer:
        while group := list(islice(left, ROWS_IN_A_GROUP)):
            columns = [{**r.to_dict(), "meta": json.dumps(r.meta, ensure_ascii=False)} for r in group]
            writer.write_table(pa.Table.from_pylist(columns, schema=FEATURES.arrow_schema))
            count += len(group)
    return count


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the rows of a `.parquet` or `.jsonl` file, streaming.

    Raises:
        KoQasError: Missing file, another suffix, or a bad row (line named).
    """
    if not path.is_file() or path.suffix not in (".parquet", ".jsonl"):
        raise KoQasError(
            "rows", f"읽을 수 있는 행 파일이 아닙니다: {path}", "pass an existing .parquet or .jsonl file"
        )
    if path.suffix == ".parquet":
        for row in load_dataset("parquet", data_files=str(path), split="train", streaming=True):
            yield Example.from_dict({**row, "meta": json.loads(row["meta"])})
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield Example.from_dict(json.loads(line))
            except ValueError as error:
                raise KoQasError(f"{path.name} line {number}", "학습 행을 읽을 수 없습니다.", str(error)) from error
