"""Readers of office documents: PDF, DOCX, XLSX, HWPX and HWP 5 as Markdown with headings, tables and places.

`read_office` picks the reader by the suffix. The readers stand on packages of the extra `koqas[documents]`; each is
imported when a file needs it.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from koqas.documents.errors import UnreadableFile
from koqas.koqas_blocks import Block, written
from koqas.koqas_types import Place

READERS = {".pdf": "pdf", ".docx": "docx", ".xlsx": "xlsx", ".hwpx": "hwpx", ".hwp": "hwp"}


@dataclass(frozen=True)
class OfficeText:
    """The text of an office document, its title ("" where it names none) and where its parts stood."""

    text: str
    title: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Content:
    """What a reader finds: blocks in reading order and the title that the file names."""

    blocks: Iterable[Block] = field(default_factory=tuple)
    title: str = ""


def read_office(path: Path) -> OfficeText:
    """Read one file.

    Args:
        path (`Path`): A file with one of the suffixes of `READERS`.

    Raises:
        UnreadableFile: Damaged, encrypted, locked, or holding nothing but pictures.
        ImportError: A package of the extra `koqas[documents]` is missing.
    """
    reader = importlib.import_module(f"koqas.documents.{READERS[path.suffix.lower()]}")
    try:
        content = reader.read(path)
        text = written(content.blocks)
    except (UnreadableFile, ImportError):
        raise
    except Exception as error:  # a damaged file makes parsers fail in any way
        raise UnreadableFile(f"파일이 손상되었거나 형식이 다릅니다({type(error).__name__}: {error}).") from error
    return OfficeText(text.text, " ".join(content.title.split()), text.places)
