"""Files that come inside a request: `{"file": "규정.hwpx", "data": "<base64>"}` among the documents.

Only the suffix of a name is used; the bytes lie in a folder of their own while they are read.
"""

import base64
import binascii
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from koqas.koqas_files import SUFFIXES, read_file
from koqas.koqas_types import Document, KoQasError


def documents_of(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any] | Document]:
    """Read the files among the documents of a request; the others stay as they are.

    Raises:
        KoQasError: A file that cannot be read; names its place in the request.
    """
    documents: list[dict[str, Any] | Document] = []
    for number, row in enumerate(rows):
        documents += _read(row, f"documents[{number}]") if "data" in row else [row]
    return documents


def _read(row: dict[str, Any], where: str) -> list[Document]:
    name = row.get("file")
    suffix = Path(name).suffix.lower() if isinstance(name, str) else ""
    if not isinstance(name, str) or suffix not in SUFFIXES:
        raise KoQasError(f"{where}.file", f"읽을 수 있는 파일 이름이 아닙니다: {name!r}", f"use {', '.join(SUFFIXES)}")
    try:
        data = base64.b64decode(row["data"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise KoQasError(f"{where}.data", "base64가 아닙니다.", "send the file's bytes in base64") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        try:
            documents = read_file(path, name)
        except KoQasError as error:
            raise KoQasError(f"{where}.data", str(error), error.hint) from error
    title = Path(name).stem
    return [replace(d, title=title if d.title == path.stem else d.title, meta={}) for d in documents]
