"""Read a set from what the user downloaded: the one way in for every later stage.

Comes in: a source of the catalog, a path, options. Goes out: checked examples and rejections, in file order. One
bad row never ends a file, one bad file never ends a reading.
"""

import csv
import lzma
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import ijson
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from koqas.train.examples import Example
from koqas.train.rejections import Rejection, RejectionLog
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, guarded
from koqas.train.sources.catalog import Source
from koqas.train.sources.mapping import SUFFIXES, ask_for_mapping, mapping_reader
from koqas.train.sources.opening import Limits, SourceFile, UnsafeFileError, open_source
from koqas.train.sources.records import Record
from koqas.train.sources.tables import keys_found

# What broken archives, tables and encodings raise while they are read; anything else is our mistake and must show.
FILE_ERRORS = (
    csv.Error,
    EOFError,
    ijson.JSONError,
    lzma.LZMAError,
    NotImplementedError,
    InvalidFileException,
    OSError,
    pa.ArrowException,
    UnicodeError,
    zipfile.BadZipFile,
    zlib.error,
)
DEFAULT_OPTIONS = ReadOptions()
DEFAULT_LIMITS = Limits()


def read_source(
    source: Source, path: Path, options: ReadOptions = DEFAULT_OPTIONS, limits: Limits = DEFAULT_LIMITS
) -> Generator[Outcome, None, None]:
    """Yield the rows of a set below `path`, each valid and with an id of its own, and why others are not there.

    Args:
        source (`Source`): From the catalog.
        path (`Path`): Downloaded archive, folder or file.
        options (`ReadOptions`): Date cut, mapping and the like.
        limits (`Limits`): What an archive may ask of this machine.

    Raises:
        KoQasError: Nothing at `path`; or the format of the set is not public and nothing in the files fits the
            guess, in which case the keys found are listed.
    """
    reader = mapping_reader(options.mapping) if options.mapping else source.reader
    seen: set[str] = set()
    keys: list[str] = []
    for file in open_source(path, reader.suffixes if reader else SUFFIXES, limits):
        if isinstance(file, Rejection):
            yield replace(file, source=source.name)
            continue
        if reader is None:
            raise ask_for_mapping(source.name, _keys(file))
        before = len(seen)
        for outcome in _file_outcomes(file, reader, source.origin, options):
            yield _checked(outcome, source, seen)
        if source.confidence == "low" and len(seen) == before:
            keys = keys or _keys(file)
    if source.confidence == "low" and not options.mapping and not seen:
        raise ask_for_mapping(source.name, keys)


def _keys(file: SourceFile) -> list[str]:
    try:
        return keys_found(file)
    except (UnsafeFileError, *FILE_ERRORS):
        return []  # such a file has no keys to show; why it cannot be read is reported by the reading


def _file_outcomes(file: SourceFile, reader: Reader, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    """Read one file; whatever breaks on the way becomes a rejection of the file."""
    empty = True
    try:
        for record in reader.records(file):
            empty = False
            if isinstance(record, Record):
                yield from guarded(record, reader.rows(record, origin, options))
            else:
                yield record
        if empty:
            yield Rejection("sources", "empty_set", f"no rows; keys: {', '.join(keys_found(file))}", file=file.name)
    except UnsafeFileError as error:
        yield Rejection("sources", "zip_bomb", str(error), file=file.name)
    except FILE_ERRORS as error:
        yield Rejection("sources", "unreadable_file", f"{type(error).__name__}: {error}", file=file.name)


def _checked(outcome: Outcome, source: Source, seen: set[str]) -> Outcome:
    """Let an example through only if it is valid and new."""
    if isinstance(outcome, Rejection):
        return replace(outcome, source=source.name)
    place = Rejection(
        "sources", "", "", source.name, outcome.meta.get("file", ""), outcome.meta.get("row", ""), outcome.id
    )
    if problems := outcome.problems():
        return replace(place, reason="invalid_row", detail="; ".join(problems))
    if outcome.id in seen:
        return replace(place, reason="duplicate_id", detail="the same question over the same passages was read before")
    seen.add(outcome.id)
    return outcome


def only_examples(outcomes: Iterable[Outcome], log: RejectionLog) -> Iterator[Example]:
    """Yield the examples; rejections go to the log."""
    for outcome in outcomes:
        if isinstance(outcome, Example):
            yield outcome
        else:
            log.add(outcome)
