"""Zip archives from anyone: parts are read in memory, with bounds; nothing is written to disk.

A name that leads out of the archive, parts that unpack to more than any document has, and XML with entities are refused.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import defusedxml
import defusedxml.ElementTree

from koqas.documents.errors import UnreadableFile

LARGEST_PART = 100_000_000  # bytes of one part, unpacked
LARGEST_WHOLE = 1_000_000_000  # bytes of all parts together; pictures take most
MOST_PARTS = 50_000
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Archive:
    """A checked archive.

    Args:
        path (`Path`): The file.

    Raises:
        UnreadableFile: No archive, an escaping name, or too large when unpacked.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(8)
        if start == OLE:
            raise UnreadableFile(
                "암호가 걸린 문서이거나 확장자와 다른 옛 형식의 파일입니다.",
                "remove the password, or save it in the format its name says",
            )
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise UnreadableFile("파일이 손상되었거나 압축 형식이 아닙니다.") from error
        parts = self._zip.infolist()
        for part in parts:
            name = PurePosixPath(part.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in part.filename:
                raise UnreadableFile(f"파일 밖을 가리키는 경로가 들어 있습니다: {part.filename!r}", "do not open it")
        if len(parts) > MOST_PARTS or sum(p.file_size for p in parts) > LARGEST_WHOLE:
            raise UnreadableFile("압축을 풀면 지나치게 커지는 파일입니다.", "do not open it")
        if any(p.flag_bits & 1 for p in parts):
            raise UnreadableFile("암호가 걸린 문서입니다.", "save it without a password")
        self.names = frozenset(p.filename for p in parts)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def refuse_large(self, names: Iterable[str]) -> None:
        """Refuse parts that unpack to more than `LARGEST_PART`; none can unpack to more than its entry says.

        Raises:
            UnreadableFile: Names the part.
            KeyError: No such part.
        """
        for name in names:
            if self._zip.getinfo(name).file_size > LARGEST_PART:
                raise UnreadableFile(f"압축을 풀면 지나치게 커지는 파일입니다: {name}", "do not open it")

    def xml(self, name: str) -> Element:
        """Parse a part.

        Raises:
            UnreadableFile: Too large, no XML, or XML with entities of its own.
            KeyError: No such part.
        """
        self.refuse_large([name])
        try:
            return defusedxml.ElementTree.fromstring(self._zip.read(name), forbid_dtd=True)
        except defusedxml.DefusedXmlException as error:
            raise UnreadableFile(f"XML에 금지된 정의가 들어 있습니다: {name}", "do not open it") from error
