"""The key file: what stood under each mask, so that the owner of the data can restore rows. Local, never published.

One JSON object a line: `{"id": row, "places": {place: [[start, end, original], …]}}`, where a place is `question`,
`summary`, `answer`, `title <document>` or `text <document>`. The file is readable by its owner alone.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example
from koqas.train.privacy.masking import MaskedPiece, restored


@dataclass(frozen=True)
class RowKey:
    """The pieces that were masked in one row, by place. `evidence` are the original offsets."""

    id: str
    places: dict[str, tuple[MaskedPiece, ...]]
    evidence: tuple[tuple[int, int], ...]


def write_keys(path: Path, keys: Iterable[RowKey]) -> int:
    """Write a key file, replacing it; returns the number of rows.

    Raises:
        KoQasError: The folder is missing.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except FileNotFoundError as error:
        raise KoQasError("key_file", f"폴더가 없습니다: {path.parent}", "create the folder first") from error
    os.fchmod(descriptor, 0o600)
    count = 0
    with os.fdopen(descriptor, "w", encoding="utf-8") as lines:
        for key in keys:
            places = {n: [[p.start, p.end, p.original] for p in pieces] for n, pieces in key.places.items() if pieces}
            row = {"id": key.id, "places": places, "evidence": key.evidence}
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_keys(path: Path) -> Iterator[RowKey]:
    """Yield the rows of a key file.

    Raises:
        KoQasError: The file is missing or a line is broken.
    """
    if not path.is_file():
        raise KoQasError("key_file", f"열쇠 파일이 없습니다: {path}", "pass the file that masking wrote")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                places = {n: tuple(MaskedPiece(*p) for p in pieces) for n, pieces in row["places"].items()}
                yield RowKey(row["id"], places, tuple((s, e) for s, e in row["evidence"]))
            except (KeyError, TypeError, ValueError) as error:
                raise KoQasError(f"{path.name} line {number}", "열쇠를 읽을 수 없습니다.", str(error)) from error


def restored_row(row: Example, key: RowKey) -> Example:
    """Undo the masking of a row that has not been edited since.

    Raises:
        KoQasError: The key belongs to another row.
    """
    if row.id != key.id:
        raise KoQasError("key_file", f"다른 행의 열쇠입니다: {key.id}", f"the row is {row.id}")

    def undone(place: str, text: str) -> str:
        return restored(text, key.places.get(place, ()))

    documents = tuple(
        replace(d, title=undone(f"title {d.id}", d.title), text=undone(f"text {d.id}", d.text)) for d in row.documents
    )
    evidence = tuple(replace(e, start=s, end=t) for e, (s, t) in zip(row.evidence, key.evidence))
    return replace(
        row,
        question=undone("question", row.question),
        documents=documents,
        summary=undone("summary", row.summary),
        answer=undone("answer", row.answer),
        evidence=evidence,
    )
