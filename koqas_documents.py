"""Turn whatever the caller passes as `documents` into `Document` objects, with one clear error for bad input.

Accepted: one string, a list of strings, paths or dicts `{id, title, text, …}`, a `datasets.Dataset`, a file, a folder.
Which files: koqas_files.py. Knows nothing about sentences or models.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from .koqas_files import SUFFIXES, check_text, read_file
from .koqas_types import Document, KoQasError, Place

SHOWN_REFUSALS = 5


class Reading:
    """What came of reading files: the documents, and for each file that could not be read why.

    Args:
        documents (`list[Document]`): In the order of the files.
        refused (`list[KoQasError]`): `field` is the file's id.
    """

    def __init__(self, documents: list[Document], refused: list[KoQasError]) -> None:
        self.documents, self.refused = documents, refused

    def all_or_error(self) -> list[Document]:
        """Return the documents.

        Raises:
            KoQasError: A file could not be read; with several, one error lists them.
        """
        if len(self.refused) == 1:
            raise self.refused[0]
        if self.refused:
            lines = "; ".join(str(e) for e in self.refused[:SHOWN_REFUSALS])
            more = f" 외 {len(self.refused) - SHOWN_REFUSALS}개" if len(self.refused) > SHOWN_REFUSALS else ""
            raise KoQasError(
                "documents",
                f"파일 {len(self.refused)}개를 읽지 못했습니다: {lines}{more}",
                "mend or remove them, or read what can be read with read_folder(...).documents",
            )
        return self.documents


def load_documents(source: Any, *, progress: bool = False) -> list[Document]:  # noqa: ANN401  (checked here)
    """Read documents from any accepted source.

    Args:
        source: See the module docstring. A `str` that names an existing file or folder is read from disk; any
            other `str` is one document's text.
        progress (`bool`): Show a progress bar over files.

    Returns:
        `list[Document]`: In the caller's order, ids unique, at least one.

    Raises:
        KoQasError: Nothing to read, wrong types, empty or doubled documents; the message names the element.
    """
    if source is None:
        raise KoQasError("documents", "문서가 없습니다.", "pass documents=[...] or a folder")
    if isinstance(source, (str, os.PathLike)):
        documents = _from_string(source, progress)
    elif isinstance(source, Document):
        documents = [source]
    elif isinstance(source, Mapping):
        documents = [_from_item(source, 0)]
    elif isinstance(source, Iterable):
        documents = []
        for number, item in enumerate(source):
            documents += _from_string(item, progress) if isinstance(item, os.PathLike) else [_from_item(item, number)]
    else:
        raise KoQasError(
            "documents", f"읽을 수 없는 형식입니다: {type(source).__name__}", "pass strings, dicts or a folder"
        )
    if not documents:
        raise KoQasError("documents", "문서가 하나도 없습니다.", "pass at least one document with text")
    _refuse_doubles(documents)
    return documents


def _from_string(source: str | os.PathLike[str], progress: bool) -> list[Document]:
    text = os.fspath(source)
    is_path_like = isinstance(source, os.PathLike) or (len(text) < 4096 and "\n" not in text and "\0" not in text)
    if is_path_like and os.path.isdir(text):
        return read_folder(Path(text), progress=progress).all_or_error()
    if is_path_like and os.path.isfile(text):
        return read_file(Path(text), Path(text).name)
    if isinstance(source, os.PathLike) or re.fullmatch(r"(/|\./|\.\./|~)\S*", text):
        raise KoQasError("documents", f"파일이나 폴더가 없습니다: {text}", "check the path")
    return [_from_item(text, 0)]


def _from_item(item: Any, number: int) -> Document:  # noqa: ANN401
    where = f"documents[{number}]"
    if isinstance(item, Document):
        return item
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, Mapping):
        raise KoQasError(
            where, f"문자열이나 dict여야 하는데 {type(item).__name__}입니다.", "pass str or {id, title, text}"
        )
    text, title, key = item.get("text"), item.get("title"), item.get("id")
    if not isinstance(text, str):
        raise KoQasError(
            f"{where}.text", f"문자열이어야 하는데 {type(text).__name__}입니다.", "every document needs a str 'text'"
        )
    if title is not None and not isinstance(title, str):
        raise KoQasError(
            f"{where}.title",
            f"문자열이어야 하는데 {type(title).__name__}입니다.",
            "make 'title' a str or leave it out",
        )
    if key is not None and not isinstance(key, (str, int)):
        raise KoQasError(
            f"{where}.id", f"문자열이나 정수여야 하는데 {type(key).__name__}입니다.", "make 'id' a str or an int"
        )
    check_text(text, f"{where}.text")
    rest = {k: v for k, v in item.items() if k not in ("id", "title", "text")}
    return Document(str(number) if key is None else str(key), text, title or "", rest)


def _refuse_doubles(documents: list[Document]) -> None:
    seen: dict[str, int] = {}
    for number, document in enumerate(documents):
        if document.id in seen:
            raise KoQasError(
                f"documents[{number}].id",
                f"같은 id가 두 번 나옵니다: {document.id!r} (documents[{seen[document.id]}])",
                "give every document its own id",
            )
        seen[document.id] = number


def read_folder(folder: Path, *, progress: bool = False) -> Reading:
    """Read every file below a folder that has a known suffix; ids are paths relative to it.

    Hidden files and the lock files of office programs (`~$…`) are passed over.

    Raises:
        KoQasError: No file with a known suffix.
    """
    paths = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(("~$", ".")) and p.is_file()
    )
    if not paths:
        raise KoQasError("documents", f"폴더에 문서가 없습니다: {folder}", f"put {', '.join(SUFFIXES)} files there")
    return read_files({p.relative_to(folder).as_posix(): p for p in paths}, progress=progress)


def read_files(paths: Mapping[str, Path], *, progress: bool = False) -> Reading:
    """Read files, going on past those that cannot be read.

    Args:
        paths (`Mapping[str, Path]`): Files by the id that their documents get.
        progress (`bool`): Show a progress bar.
    """
    documents: list[Document] = []
    refused: list[KoQasError] = []
    for key, path in tqdm(paths.items(), desc="문서 읽기", unit="파일", disable=not progress):
        try:
            documents += read_file(path, key)
        except KoQasError as error:
            refused.append(error)
    return Reading(documents, refused)


def write_documents(documents: list[Document], path: Path) -> None:
    """Write documents as JSON lines."""
    with path.open("w", encoding="utf-8", errors="surrogatepass") as lines:
        for d in documents:
            row: dict[str, Any] = {"id": d.id, "title": d.title, "text": d.text, "meta": d.meta}
            if d.places:
                row["places"] = [[p.start, p.end, p.page, p.paragraph, p.table, p.cell] for p in d.places]
            lines.write(json.dumps(row, ensure_ascii=True, default=str) + "\n")


def read_documents(path: Path) -> list[Document]:
    """Read what `write_documents` wrote."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Document(r["id"], r["text"], r["title"], r["meta"], tuple(Place(*p) for p in r.get("places", ())))
        for r in rows
    ]
