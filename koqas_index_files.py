"""The files of a saved index: a folder of plain formats (JSON, NumPy arrays, FAISS), written and read whole.

Comes in: the parts of an index. Goes out: a folder, and the parts again, checked against each other. Knows nothing
about questions and ranking.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bm25s
import faiss

from .koqas_chunks import TokenTable
from .koqas_documents import read_documents, write_documents
from .koqas_storage import kept, replace_folder, standing
from .koqas_types import Chunk, Document, KoQasError, Sentence, sha256_of

INDEX_FILE = "koqas_index.json"
# Of a saved index; 1 had no table of tokens, 2 only which tokens a sentence holds, not how often, 3 no headings, 4 no
# checksums.
FORMAT = 5
READINGS = 3  # of an index that a writer replaces while it is read; after them the writer has to wait
TOKENS = 2  # version of the search tokens; 1 had no normalized ones


@dataclass(frozen=True)
class IndexSettings:
    """How documents are cut, tokenized and fused; part of an index's fingerprint.

    Args:
        max_chars (`int`): Largest chunk in characters.
        lexical_weight (`float`): Weight of the BM25 ranking in the fusion.
        dense_weight (`float`): Weight of the dense ranking (0 or no encoder: BM25 alone).
        encoder (`str`): Fingerprint of the dense encoder, empty without one.
    """

    max_chars: int = 600
    lexical_weight: float = 1.0
    dense_weight: float = 0.15
    encoder: str = ""

    def fingerprint(self) -> str:
        """Return a hash of all settings and of the text code's version."""
        return sha256_of(json.dumps(asdict(self) | {"tokens": TOKENS}, sort_keys=True))[:16]


@dataclass(frozen=True)
class IndexParts:
    """What a saved index consists of.

    Args:
        documents (`Sequence[Document]`): Everything the caller passed.
        chunks (`Sequence[Chunk]`): Their chunks, in the order of the documents.
        tokens (`TokenTable`): The tokens of the chunks.
        lexical (`bm25s.BM25`): BM25 over the chunks.
        dense (`faiss.Index`, *optional*): Their vectors.
    """

    documents: Sequence[Document]
    chunks: Sequence[Chunk]
    tokens: TokenTable
    lexical: bm25s.BM25
    dense: faiss.Index | None


def write_index(parts: IndexParts, settings: IndexSettings, folder: str | os.PathLike[str]) -> None:
    """Write an index to a folder, whole or not at all; an index that is there already is replaced.

    Raises:
        KoQasError: Something else stands there.
    """
    target = Path(folder)
    with kept(target) as place:  # another writer may be between its two renames
        empty = place.is_dir() and not any(place.iterdir())
        if place.exists() and not empty and not (place / INDEX_FILE).is_file():
            raise KoQasError("index", f"색인이 아닌 것이 이미 있습니다: {target}", "choose another folder")
    replace_folder(target, lambda building: _write(parts, settings, building))


def _write(parts: IndexParts, settings: IndexSettings, folder: Path) -> None:
    write_documents(list(parts.documents), folder / "documents.jsonl")
    with (folder / "chunks.jsonl").open("w", encoding="utf-8") as lines:
        for chunk in parts.chunks:
            lines.write(json.dumps(asdict(chunk), ensure_ascii=True) + "\n")
    parts.tokens.save(folder / "tokens.npz")
    parts.lexical.save(str(folder / "lexical"), show_progress=False)
    if parts.dense is not None:
        faiss.write_index(parts.dense, str(folder / "dense.faiss"))
    head = {
        "format": FORMAT,
        "fingerprint": settings.fingerprint(),
        "settings": asdict(settings),
        "chunks": len(parts.chunks),
        "files": {name: _sha256(folder / name) for name in _names(folder)},
    }
    (folder / INDEX_FILE).write_text(json.dumps(head, ensure_ascii=False, indent=2), "utf-8")


def read_index(folder: str | os.PathLike[str], settings: IndexSettings) -> IndexParts:
    """Read an index written by `write_index`; one that is replaced meanwhile is read again.

    Raises:
        KoQasError: No index there, damaged, of an older format, or made with other settings or another encoder.
    """
    for _ in range(READINGS):
        before = _place(folder)
        try:
            parts = _read(folder, settings)
        except KoQasError:
            if _place(folder) == before:
                raise
        else:
            if _place(folder) == before:
                return parts
    with kept(Path(folder)):
        return _read(folder, settings)


def _read(folder: str | os.PathLike[str], settings: IndexSettings) -> IndexParts:
    path = standing(Path(folder))
    try:
        head = json.loads((path / INDEX_FILE).read_text("utf-8"))
        _check_head(head, settings, path)
        _check_files(head["files"], path)
        documents = read_documents(path / "documents.jsonl")
        chunks = list(_read_chunks(path / "chunks.jsonl"))
        tokens = TokenTable.load(path / "tokens.npz", chunks)
        lexical = bm25s.BM25.load(str(path / "lexical"), show_progress=False)
        dense = faiss.read_index(str(path / "dense.faiss")) if (path / "dense.faiss").is_file() else None
        if len(chunks) != head["chunks"] or (dense is not None and dense.ntotal != len(chunks)):
            raise ValueError("chunk counts differ")
    except KoQasError:
        raise
    except Exception as error:
        raise KoQasError("index", f"색인을 읽을 수 없습니다: {path} ({error})", "rebuild the index") from error
    return IndexParts(documents, chunks, tokens, lexical, dense)


def _place(folder: str | os.PathLike[str]) -> tuple[Path, int, int]:
    """Return where an index stands and which file its head is (zeros without one): they change with every `save`.

    The number of a file alone would not do: a new file often gets the number of one just deleted.
    """
    path = standing(Path(folder))
    try:
        head = os.stat(path / INDEX_FILE)
        return path, head.st_ino, head.st_mtime_ns
    except OSError:
        return path, 0, 0


def _check_head(head: dict[str, Any], settings: IndexSettings, path: Path) -> None:
    if (found := head.get("format", 1)) != FORMAT:
        raise KoQasError(
            "index",
            f"색인 형식이 다릅니다: {path} (형식 {found}, 필요한 형식 {FORMAT})",
            "made by another version of Ko-QAS: rebuild it from the documents",
        )
    if head["fingerprint"] != settings.fingerprint():
        raise KoQasError(
            "index",
            f"다른 검색기로 만든 색인입니다: {path}",
            "rebuild it with this pipeline, or load the pipeline it was made with",
        )


def _names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def _check_files(files: dict[str, str], path: Path) -> None:
    """Refuse a damaged file by name: libraries would fail on it later, or answer wrongly."""
    for name, digest in files.items():
        if not (path / name).is_file():
            raise KoQasError("index", f"색인의 파일이 없습니다: {path / name}", "copy the index again, or rebuild it")
        if _sha256(path / name) != digest:
            raise KoQasError(
                "index", f"색인의 파일이 손상되었습니다: {path / name}", "copy the index again, or rebuild it"
            )


def is_index(source: Any) -> bool:  # noqa: ANN401
    """Tell whether a value names a folder written by `Index.save`."""
    if not isinstance(source, (str, os.PathLike)) or len(os.fspath(source)) > 4096 or "\0" in os.fspath(source):
        return False
    # A writer may move the folder between the two looks, so look again. Unlike Path.is_file, False for a long text.
    return any(os.path.isfile(standing(Path(source)) / INDEX_FILE) for _ in range(3))


def encoder_fingerprint(folder: Path) -> str:
    """Return a hash of an encoder folder's weights and tokenizer."""
    names = ("model.safetensors", "tokenizer.json")
    return sha256_of("".join(sha256_of((folder / n).read_bytes().hex()) for n in names if (folder / n).is_file()))[:16]


def _read_chunks(path: Path) -> Iterator[Chunk]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            sentences = tuple(Sentence(**s) for s in row["sentences"])
            yield Chunk(**row | {"sentences": sentences, "headings": tuple(row["headings"])})
