"""Turn whatever the caller passes as `documents` into `Document` objects, with one clear error for bad input.

Accepted: one string, a list of strings, a list of dicts `{id, title, text, …}`, a `datasets.Dataset`, a file or a
folder of .txt, .md and .html files. Knows files and encodings; knows nothing about sentences or models.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from .koqas_types import Document, KoQasError

SUFFIXES = (".txt", ".md", ".html", ".htm")
LONGEST_DOCUMENT = 20_000_000  # characters; beyond this a document is almost surely a mistake
BLOCKS = frozenset("p div br li tr h1 h2 h3 h4 h5 h6 table ul ol section article header footer td th dt dd".split())
SILENT = frozenset({"script", "style", "head", "noscript", "template"})


class _VisibleText(HTMLParser):
    """Collect the visible text of an HTML page, block elements on lines of their own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title = ""
        self._silent = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, a silent element or the title."""
        self._silent += tag in SILENT
        self._in_title |= tag == "title"
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Close what `handle_starttag` opened."""
        if tag in SILENT:
            self._silent = max(self._silent - 1, 0)
        if tag == "title":
            self._in_title = False
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep text unless it is inside a silent element."""
        if self._in_title:
            self.title += data
        elif not self._silent:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        """The visible text so far, without empty lines."""
        return re.sub(r"[ \t]*\n\s*", "\n", "".join(self.pieces)).strip()


def visible_text(page: str) -> str:
    """Return what an HTML page shows, block elements on lines of their own."""
    parser = _VisibleText()
    parser.feed(page)
    return parser.text


def load_documents(source: Any) -> list[Document]:  # noqa: ANN401  (strings, dicts, datasets, paths: checked here)
    """Read documents from any accepted source.

    Args:
        source: See the module docstring. A `str` that names an existing file or folder is read from disk; any
            other `str` is one document's text.

    Returns:
        `list[Document]`: In the caller's order, ids unique, at least one.

    Raises:
        KoQasError: Nothing to read, wrong types, empty or doubled documents; the message names the element.
    """
    if source is None:
        raise KoQasError("documents", "문서가 없습니다.", "pass documents=[...] or a folder")
    if isinstance(source, (str, os.PathLike)):
        documents = _from_string(source)
    elif isinstance(source, Document):
        documents = [source]
    elif isinstance(source, Mapping):
        documents = [_from_item(source, 0)]
    elif isinstance(source, Iterable):
        documents = [_from_item(item, number) for number, item in enumerate(source)]
    else:
        raise KoQasError(
            "documents", f"읽을 수 없는 형식입니다: {type(source).__name__}", "pass strings, dicts or a folder"
        )
    if not documents:
        raise KoQasError("documents", "문서가 하나도 없습니다.", "pass at least one document with text")
    _refuse_doubles(documents)
    return documents


def _from_string(source: str | os.PathLike[str]) -> list[Document]:
    text = os.fspath(source)
    is_path_like = isinstance(source, os.PathLike) or (len(text) < 4096 and "\n" not in text and "\0" not in text)
    if is_path_like and os.path.isdir(text):
        return read_folder(Path(text))
    if is_path_like and os.path.isfile(text):
        return [read_file(Path(text), Path(text).name)]
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
    _check_text(text, f"{where}.text")
    rest = {k: v for k, v in item.items() if k not in ("id", "title", "text")}
    return Document(str(number) if key is None else str(key), text, title or "", rest)


def _check_text(text: str, where: str) -> None:
    if not text.strip():
        raise KoQasError(where, "문서가 비어 있습니다.", "remove the empty document or give it text")
    if len(text) > LONGEST_DOCUMENT:
        raise KoQasError(
            where, f"문서가 너무 깁니다({len(text):,}자).", f"split it: at most {LONGEST_DOCUMENT:,} characters"
        )
    if "\0" in text:
        raise KoQasError(where, "텍스트가 아닌 바이너리 내용입니다.", "convert the file to text first")


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


def read_folder(folder: Path) -> list[Document]:
    """Read every .txt, .md and .html file below a folder; ids are paths relative to it.

    Raises:
        KoQasError: No readable file, or one that is empty, binary or in an unknown encoding.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise KoQasError("documents", f"폴더에 문서가 없습니다: {folder}", f"put {', '.join(SUFFIXES)} files there")
    return [read_file(p, p.relative_to(folder).as_posix()) for p in paths]


def read_file(path: Path, key: str) -> Document:
    """Read one text, Markdown or HTML file (UTF-8, UTF-16 with BOM or CP949).

    Offsets of HTML documents count the visible text, which is what `Document.text` holds.

    Raises:
        KoQasError: Empty, binary or undecodable; names the file.
    """
    text = decode(path.read_bytes(), key)
    title = path.stem
    if path.suffix.lower() in (".html", ".htm"):
        parser = _VisibleText()
        parser.feed(text)
        text = parser.text
        title = " ".join(parser.title.split()) or title
    elif heading := re.match(r"#\s+(.+)", text):
        title = heading.group(1).strip()
    _check_text(text, key)
    return Document(key, text, title, {"path": str(path)})


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


def write_documents(documents: list[Document], path: Path) -> None:
    """Write documents as JSON lines."""
    with path.open("w", encoding="utf-8", errors="surrogatepass") as lines:
        for d in documents:
            row = {"id": d.id, "title": d.title, "text": d.text, "meta": d.meta}
            lines.write(json.dumps(row, ensure_ascii=True, default=str) + "\n")


def read_documents(path: Path) -> list[Document]:
    """Read what `write_documents` wrote."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Document(r["id"], r["text"], r["title"], r["meta"]) for r in rows]
