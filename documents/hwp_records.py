"""The streams of an HWP 5 file: an OLE container whose parts are raw deflate data made of tagged records.

By the published format (한글문서파일 형식 5.0, revision 1.3). Goes out: trees of records. Knows no text.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import olefile

from koqas.documents.errors import UnreadableFile

SIGNATURE = b"HWP Document File"
COMPRESSED, ENCRYPTED, DISTRIBUTION, DRM = 1 << 0, 1 << 1 | 1 << 8, 1 << 2, 1 << 4 | 1 << 10
LARGEST_STREAM = 200_000_000  # bytes of one stream, unpacked
DEEPEST = 200  # levels of records; a table in a table in a table has some twenty


@dataclass
class Record:
    """A tagged record and those that stand below it."""

    tag: int
    data: bytes
    below: list["Record"] = field(default_factory=list)


class HwpFile:
    """An HWP 5 file.

    Args:
        path (`Path`): The file.

    Raises:
        UnreadableFile: No HWP 5 file, encrypted, or locked for distribution.
    """

    def __init__(self, path: Path) -> None:
        if not olefile.isOleFile(path):
            start = path.read_bytes()[:32]
            if start.startswith(b"HWP Document File V3"):
                raise UnreadableFile("한글 97 이전(HWP 3) 문서입니다.", "save it as HWPX with Hancom Office")
            if start.startswith(b"PK"):
                raise UnreadableFile("이름은 .hwp이지만 HWPX 파일입니다.", "rename it to .hwpx")
            raise UnreadableFile("HWP 5 문서가 아니거나 파일이 손상되었습니다.")
        self._ole = olefile.OleFileIO(path)
        head = self._ole.openstream("FileHeader").read() if self._ole.exists("FileHeader") else b""
        if len(head) < 40 or not head.startswith(SIGNATURE):
            raise UnreadableFile("HWP 5 문서가 아닙니다(FileHeader 없음).", "check what kind of file it is")
        flags = struct.unpack_from("<I", head, 36)[0]
        if flags & (ENCRYPTED | DRM):
            raise UnreadableFile("암호나 DRM이 걸린 HWP 문서입니다.", "save it without a password")
        if flags & DISTRIBUTION:
            raise UnreadableFile(
                "배포용으로 잠긴 HWP 문서입니다.", "ask its author for a copy that is not for distribution"
            )
        self._compressed = bool(flags & COMPRESSED)

    def __enter__(self) -> "HwpFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._ole.close()

    def sections(self) -> list[str]:
        """Return the names of the streams with body text, in order."""
        numbers = [
            p[1][7:] for p in self._ole.listdir() if len(p) == 2 and p[0] == "BodyText" and p[1][:7] == "Section"
        ]
        return [f"BodyText/Section{n}" for n in sorted((n for n in numbers if n.isdigit()), key=int)]

    def title(self) -> str:
        """Return the title of the document's summary."""
        name = "\x05HwpSummaryInformation"
        if not self._ole.exists(name):
            return ""
        return str(self._ole.getproperties(name).get(2) or "")

    def records(self, name: str) -> list[Record]:
        """Read a stream of records as trees.

        Raises:
            UnreadableFile: Damaged, or too large when unpacked.
        """
        data = self._ole.openstream(name).read()
        if self._compressed:
            unpacking = zlib.decompressobj(-15)
            data = unpacking.decompress(data, LARGEST_STREAM)
            if unpacking.unconsumed_tail:
                raise UnreadableFile("압축을 풀면 지나치게 커지는 파일입니다.", "do not open it")
        if len(data) > LARGEST_STREAM:
            raise UnreadableFile("본문이 지나치게 큰 파일입니다.", "do not open it")
        return _trees(data)


def _trees(data: bytes) -> list[Record]:
    roots: list[Record] = []
    path: list[tuple[int, Record]] = []  # levels and records from a root to the one read last
    for level, record in _records(data):
        while path and path[-1][0] >= level:
            path.pop()
        (path[-1][1].below if path else roots).append(record)
        path.append((level, record))
    return roots


def _records(data: bytes) -> Iterator[tuple[int, Record]]:
    at = 0
    while at + 4 <= len(data):
        head = struct.unpack_from("<I", data, at)[0]
        at += 4
        size = head >> 20
        if size == 0xFFF:
            size = struct.unpack_from("<I", data, at)[0]
            at += 4
        if at + size > len(data):
            raise UnreadableFile("HWP 본문이 중간에서 끊겼습니다.")
        yield min(head >> 10 & 0x3FF, DEEPEST), Record(head & 0x3FF, data[at : at + size])
        at += size
