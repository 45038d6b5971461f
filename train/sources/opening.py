"""Open what a user downloaded: a folder, a zip (zips inside it too), or a bare file, plain or .gz/.xz.

Comes in: a path and the suffixes a reader wants. Goes out: files that can be read as streams, and a rejection for
everything that is not read. Nothing is unpacked to disk under a name from an archive, so no name can escape;
such names are refused all the same, as are archives built to explode. Knows nothing of what the files hold.
"""

import gzip
import io
import lzma
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from koqas.koqas_types import KoQasError
from koqas.train.rejections import Rejection
from koqas.train.sources.names import escapes, is_litter, member_name, readable_name, unlabelled_copies

UNPACKERS: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda stream: cast(BinaryIO, gzip.open(stream)),
    ".xz": lambda stream: cast(BinaryIO, lzma.open(stream)),
}
IN_MEMORY = 16 << 20  # a nested archive up to this many bytes is held in memory, a larger one in a temporary file


@dataclass(frozen=True)
class Limits:
    """What an archive may ask of this machine.

    DEFLATE reaches a ratio of 1032 on constant bytes and xz far more. Measured on text: nine Korean corpora under
    xz 4 to 8, table rows under DEFLATE 8, and 147 where one passage is repeated for each of 2,000 questions; so 200
    refuses bombs and no data. The ratio of a file below `ratio_from` bytes says nothing and is not looked at.
    """

    ratio: int = 200
    ratio_from: int = 1 << 20
    file_bytes: int = 64 << 30
    nested_bytes: int = 16 << 30
    members: int = 2_000_000
    depth: int = 3


class UnsafeFileError(Exception):
    """A file that unpacks to far more than its size allows."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read: its readable name, and how to open it, as often as needed while the iteration stands on it."""

    name: str
    size: int
    raw: Callable[[], BinaryIO]
    limits: Limits

    @property
    def suffix(self) -> str:
        """Lower-case suffix of what is inside, `.gz` and `.xz` looked through."""
        path = Path(self.name.lower())
        return Path(path.stem).suffix if path.suffix in UNPACKERS else path.suffix

    def open(self) -> BinaryIO:
        """Open the unpacked bytes.

        Raises:
            UnsafeFileError: While reading, when a .gz or .xz turns out to be a bomb.
        """
        unpack = UNPACKERS.get(Path(self.name.lower()).suffix)
        if unpack is None:
            return self.raw()
        return io.BufferedReader(_BoundedStream(unpack(self.raw()), self.size, self.limits))


class _BoundedStream(io.RawIOBase):
    """A stream that stops a decompressor that gives far more than went in."""

    def __init__(self, stream: BinaryIO, packed: int, limits: Limits) -> None:
        self._stream, self._given = stream, 0
        self._most = min(limits.file_bytes, max(limits.ratio * packed, limits.ratio_from))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer has no type before Python 3.12
        chunk = self._stream.read(len(buffer))
        self._given += len(chunk)
        if self._given > self._most:
            raise UnsafeFileError(f"unpacks to more than {self._most} bytes")
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_source(path: Path, suffixes: frozenset[str], limits: Limits) -> Iterator[SourceFile | Rejection]:
    """Yield every file below `path` with one of the suffixes, folders in name order, archives in their own.

    A file from an archive can be opened only until the next one is asked for.

    Args:
        path (`Path`): Folder, archive or file.
        suffixes (`frozenset[str]`): Wanted suffixes, lower case with the dot.
        limits (`Limits`): What an archive may ask.

    Raises:
        KoQasError: Nothing at `path`.
    """
    if path.is_dir():
        yield from _chosen(_walk(path, limits), suffixes, limits.depth)
    elif path.is_file():
        yield from _chosen([_file(path, path.name, limits)], suffixes, limits.depth)
    else:
        raise KoQasError("path", f"파일이나 폴더가 없습니다: {path}", "pass the downloaded archive, folder or file")


def _file(path: Path, name: str, limits: Limits) -> SourceFile:
    return SourceFile(readable_name(name), path.stat().st_size, lambda: path.open("rb"), limits)


def _walk(folder: Path, limits: Limits) -> Iterator[SourceFile | Rejection]:
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in (n for n in folders if Path(parent, n).is_symlink()):
            shown = Path(parent, name).relative_to(folder).as_posix()
            yield _refused(readable_name(shown), "path_escape", "a linked folder is not followed")
        for name in sorted(files):
            path = Path(parent, name)
            shown = path.relative_to(folder).as_posix()
            if not path.is_file():
                yield _refused(readable_name(shown), "unreadable_file", "a broken link or a special file")
            elif not path.resolve().is_relative_to(root):
                yield _refused(readable_name(shown), "path_escape", "a link that leaves the folder")
            else:
                yield _file(path, shown, limits)


def _chosen(
    found: Iterable[SourceFile | Rejection], suffixes: frozenset[str], depth: int
) -> Iterator[SourceFile | Rejection]:
    """Keep wanted files, go into archives, refuse the rest with the reason."""
    listing = [f for f in found if not isinstance(f, SourceFile) or not is_litter(f.name)]
    copies = unlabelled_copies([f.name for f in listing if isinstance(f, SourceFile)])
    for file in listing:
        if isinstance(file, Rejection):
            yield file
        elif file.name in copies:
            yield _refused(file.name, "unlabelled_copy", "raw texts beside their labelled copies")
        elif file.suffix in suffixes:
            yield file
        elif file.suffix != ".zip":
            yield _refused(file.name, "other_file", f"not one of {' '.join(sorted(suffixes))}")
        elif depth == 0:
            yield _refused(file.name, "zip_bomb", "archives nested too deep")
        else:
            yield from _from_archive(file, suffixes, depth)


def _from_archive(file: SourceFile, suffixes: frozenset[str], depth: int) -> Iterator[SourceFile | Rejection]:
    if "!" in file.name and file.size > file.limits.nested_bytes:
        yield _refused(file.name, "zip_bomb", f"a nested archive of {file.size} bytes")
        return
    try:
        with seekable(file) as stream, zipfile.ZipFile(stream) as archive:
            yield from _chosen(_members(file, archive), suffixes, depth - 1)
    except (zipfile.BadZipFile, OSError, EOFError, UnsafeFileError, NotImplementedError, RuntimeError) as error:
        yield _refused(file.name, "bad_archive", f"{type(error).__name__}: {error}")


def seekable(file: SourceFile) -> BinaryIO:
    """Open a file for formats that read it from the end: as it is on disk, otherwise through a temporary copy."""
    stream = file.open()
    if isinstance(stream, zipfile.ZipExtFile) or not stream.seekable():
        spool = tempfile.SpooledTemporaryFile(IN_MEMORY)
        with stream:
            shutil.copyfileobj(stream, spool, 1 << 20)
        spool.seek(0)
        return cast(BinaryIO, spool)
    return stream


def archive_problem(archive: zipfile.ZipFile, size: int, limits: Limits) -> str:
    """Return why an archive of `size` bytes as a whole must not be read, or an empty string."""
    members = archive.infolist()
    if len(members) > limits.members:
        return f"{len(members)} members"
    if sum(m.compress_size for m in members) > size:
        return "members overlap"
    return ""


def member_problem(member: zipfile.ZipInfo, limits: Limits) -> str:
    """Return why a member would explode, or an empty string; zipfile never reads past the size checked here."""
    if member.file_size > limits.file_bytes:
        return f"{member.file_size} bytes"
    if member.file_size > limits.ratio_from and member.file_size > limits.ratio * member.compress_size:
        return f"{member.compress_size} bytes unpack to {member.file_size}"
    return ""


def _members(file: SourceFile, archive: zipfile.ZipFile) -> Iterator[SourceFile | Rejection]:
    if problem := archive_problem(archive, file.size, file.limits):
        yield _refused(file.name, "zip_bomb", problem)
        return
    for member in archive.infolist():
        if member.is_dir():
            continue
        name = f"{file.name}!{member_name(member)}"
        if escapes(member.filename) or escapes(member_name(member)):
            yield _refused(name, "path_escape", "the name points outside the archive")
        elif member.flag_bits & 1:
            yield _refused(name, "encrypted", "unpack it with its password first")
        elif problem := member_problem(member, file.limits):
            yield _refused(name, "zip_bomb", problem)
        else:
            yield SourceFile(name, member.file_size, _opener(archive, member), file.limits)


def _opener(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, archive.open(member))


def _refused(name: str, reason: str, detail: str) -> Rejection:
    return Rejection("sources", reason, detail, file=name)
