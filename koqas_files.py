"""Read one file as documents: text, Markdown, HTML, CSV and JSON here, office formats in `koqas.documents`.

The formats here need no further package. PDF, DOCX, XLSX, HWPX and HWP are read by the package `koqas.documents`, which
comes with `pip install ".[documents]"` in a checkout of the repository: code loaded through `trust_remote_code` stays
small. Knows files and encodings; knows nothing about folders, sentences or models.
"""

import csv
import importlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .koqas_blocks import Block, TableBlock, markdown_places, written
from .koqas_html import read_html
from .koqas_types import Document, KoQasError, Place

OFFICE = (".pdf", ".docx", ".xlsx", ".hwpx", ".hwp")
SUFFIXES = (".txt", ".md", ".html", ".htm", ".csv", ".json", ".jsonl", *OFFICE)
LONGEST_DOCUMENT = 20_000_000  # characters; beyond this a document is almost surely a mistake
LARGEST_FILE = 500_000_000  # bytes
INSTALL = 'pip install -e ".[documents]" in a checkout of the repository'


def read_file(path: Path, key: str) -> list[Document]:
    """Read one file.

    A JSON file may hold several documents; their ids are `key#id`, or `key#number` where they have none. Offsets count
    the characters of `Document.text`: the visible text of a page, the Markdown made of an office document.

    Raises:
        KoQasError: Unknown kind, empty, damaged, locked, or in an unknown encoding; names the file.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise KoQasError(key, f"읽을 수 없는 종류의 파일입니다: {suffix or path.name}", f"use {', '.join(SUFFIXES)}")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise KoQasError(key, f"파일이 너무 큽니다({size:,}바이트).", f"split it: at most {LARGEST_FILE:,} bytes")
    if suffix in OFFICE:
        return [_office(path, key)]
    text = decode(path.read_bytes(), key)
    if suffix in (".json", ".jsonl"):
        return list(_from_json(text, path, key, lines=suffix == ".jsonl"))
    title = path.stem
    if suffix in (".html", ".htm"):
        page = read_html(text)
        return [_of_blocks(page.blocks, page.title or title, path, key)]
    if suffix == ".csv":
        return [_of_blocks((_table(text, key),), title, path, key)]
    places = markdown_places(text) if suffix == ".md" else ()
    if heading := re.match(r"#\s+(.+)", text):
        title = heading.group(1).strip()
    check_text(text, key)
    return [Document(key, text, title, {"path": str(path)}, places)]


def check_text(text: str, where: str) -> None:
    """Refuse a document that is empty, too long or not text.

    Raises:
        KoQasError: Names `where`.
    """
    if not text.strip():
        raise KoQasError(where, "문서가 비어 있습니다.", "remove the empty document or give it text")
    if len(text) > LONGEST_DOCUMENT:
        raise KoQasError(
            where, f"문서가 너무 깁니다({len(text):,}자).", f"split it: at most {LONGEST_DOCUMENT:,} characters"
        )
    if "\0" in text:
        raise KoQasError(where, "텍스트가 아닌 바이너리 내용입니다.", "convert the file to text first")


def decode(raw: bytes, name: str) -> str:
    """Decode bytes of a Korean text file.

    Raises:
        KoQasError: Binary content or an encoding that is neither UTF-8, UTF-16 with BOM nor CP949.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw:
        raise KoQasError(name, "텍스트가 아닌 바이너리 파일입니다.", "convert the file to UTF-8 text first")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise KoQasError(name, "문자 인코딩을 알 수 없습니다.", "save the file as UTF-8")


def _of_blocks(blocks: tuple[Block, ...], title: str, path: Path, key: str) -> Document:
    text = written(blocks)
    check_text(text.text, key)
    return Document(key, text.text, title, {"path": str(path)}, text.places)


def _office(path: Path, key: str) -> Document:
    try:
        found = importlib.import_module("koqas.documents").read_office(path)
    except ImportError as error:
        raise KoQasError(
            key, f"{path.suffix} 파일을 읽으려면 추가 패키지 koqas[documents]가 필요합니다({error.name} 없음).", INSTALL
        ) from error
    except ValueError as error:
        # Code that the hub loads and the installed package each have a class of errors; here the one becomes the other.
        hint = getattr(error, "hint", "open it with its program and save it again")
        raise KoQasError(key, getattr(error, "message", f"파일이 손상되었습니다: {error}"), hint) from error
    check_text(found.text, key)
    places = tuple(Place(**asdict(p)) for p in found.places)
    return Document(key, found.text, found.title or path.stem, {"path": str(path)}, places)


def _table(text: str, key: str) -> TableBlock:
    try:
        dialect = csv.Sniffer().sniff(text[:20_000], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), dialect))
    except csv.Error as error:
        raise KoQasError(key, f"CSV로 읽을 수 없습니다: {error}", "save it as CSV (UTF-8)") from error
    width = max(map(len, rows), default=0)
    return TableBlock([[*row, *[None] * (width - len(row))] for row in rows])


def _from_json(text: str, path: Path, key: str, *, lines: bool) -> Iterator[Document]:
    numbered = [(n, x) for n, x in enumerate(text.split("\n"), 1) if x.strip()] if lines else [(1, text)]
    rows: list[Any] = []
    for number, line in numbered:
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            at = number if lines else getattr(error, "lineno", 1)
            raise KoQasError(key, f"{at}번째 줄이 JSON이 아닙니다.", f"mend the file: {error}") from error
    if not lines:
        value = rows[0]
        inner = value.get("documents") if isinstance(value, dict) else value
        rows = inner if isinstance(inner, list) else [value]
    for number, row in enumerate(rows):
        row = {"text": row} if isinstance(row, str) else row
        if not isinstance(row, dict):
            row = {"text": "\n".join(_flat(row, ""))}
        content, title, name = row.get("text"), row.get("title"), row.get("id", number)
        if not isinstance(content, str):
            content = "\n".join(_flat({k: v for k, v in row.items() if k != "id"}, ""))
        check_text(content, f"{key}#{name}")
        rest = {k: v for k, v in row.items() if k not in ("id", "title", "text")} if "text" in row else {}
        only = len(rows) == 1 and "id" not in row
        shown = title if isinstance(title, str) else path.stem
        yield Document(key if only else f"{key}#{name}", content, shown, {**rest, "path": str(path)})


def _flat(value: Any, name: str) -> Iterator[str]:  # noqa: ANN401  (any JSON value)
    """Yield `name.of.key: value` lines of a JSON value without a text of its own."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from _flat(v, f"{name}.{k}" if name else str(k))
    elif isinstance(value, list):
        for n, v in enumerate(value, 1):
            yield from _flat(v, f"{name}[{n}]" if isinstance(v, (dict, list)) else name)
    elif value is not None and str(value).strip():
        yield f"{name}: {value}" if name else str(value)
