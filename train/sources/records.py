"""Read JSON and JSON lines of any size as a stream of records, and say exactly where a broken file breaks.

Comes in: an opened source file. Goes out: records (a value and its place in the file) and rejections. Knows
nothing of what the values mean.
"""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import ijson

from koqas.train.rejections import Rejection
from koqas.train.sources.opening import SourceFile

CHUNK = 1 << 16
REPAIRS = 5  # a file with more broken strings than this is not one with a slip of the pen
KEY_EVENTS = 20_000


@dataclass(frozen=True)
class Record:
    """A value of a file and its place there, e.g. `data[3]` or `line 7`."""

    file: str
    place: str
    value: Any

    def inner(self, path: str, value: Any) -> "Record":  # noqa: ANN401 - any JSON value
        """Return a part of this record."""
        return Record(self.file, f"{self.place}.{path}" if self.place else path, value)

    def rejected(self, reason: str, detail: str) -> Rejection:
        """Return the rejection of this record."""
        return Rejection("sources", reason, detail, file=self.file, row=self.place)

    def lacking(self, **parts: Any) -> Rejection | None:  # noqa: ANN401 - any text or list
        """Return the rejection `no_<name>` of the first empty part, or None when all are there."""
        for name, part in parts.items():
            if not part:
                keys = ", ".join(map(str, self.value)) if isinstance(self.value, dict) else ""
                return self.rejected(f"no_{name}", f"keys: {keys}")
        return None


def text(value: Any, *keys: str) -> str:  # noqa: ANN401 - any JSON value
    """Return the first non-empty value under the keys as text, numbers included; "" when there is none."""
    if not isinstance(value, dict):
        return ""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found.strip():
            return found
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return str(found)
    return ""


def listed(value: Any, key: str) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return the list under a key; a single value becomes a list of one, nothing an empty list."""
    found = value.get(key) if isinstance(value, dict) else None
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def encoding_of(file: SourceFile) -> str:
    """Return `utf-8`, `utf-8-sig`, `utf-16` or `cp949`, judged by the first 64 KiB.

    Bytes that are neither are left to the parser as UTF-8, which then points at them.
    """
    with file.open() as stream:
        head = stream.read(CHUNK)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in ("utf-8", "cp949"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(head, final=len(head) < CHUNK)
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8"


def open_utf8(file: SourceFile, encoding: str) -> BinaryIO:
    """Open a file as UTF-8 bytes without a byte-order mark, whatever it was written in."""
    stream = file.open()
    if encoding == "utf-8":
        return stream
    if encoding == "utf-8-sig":
        stream.read(len(codecs.BOM_UTF8))
        return stream
    return cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", encoding))


def json_records(file: SourceFile, key: str) -> Iterator[Record | Rejection]:
    """Stream the items of the list under a dotted key, of a list at the root, or (key "") the whole value.

    Several values one after another are read as well, so JSON lines under a .json name work. Where a string was
    never closed (seen in a published set: `",` missing before a line end) it is closed and reading goes on; any
    other break ends the file. Both are reported with the byte offset.
    """
    encoding = encoding_of(file)
    with open_utf8(file, encoding) as stream:
        head = stream.read(CHUNK).lstrip()[:1]
    prefix, place = ("item", "") if head == b"[" else (f"{key}.item" if key else "", key)
    repairs: dict[int, bytes] = {}
    count = 0
    while True:
        try:
            with open_utf8(file, encoding) as stream:
                values = ijson.items(_Repaired(stream, repairs), prefix, use_float=True, multiple_values=True)
                for number, value in enumerate(values):
                    if number >= count:
                        count += 1
                        yield Record(file.name, f"{place}[{number}]" if prefix else "", value)
            return
        except ijson.JSONError as error:
            fault = _fault(file, encoding, repairs)
            unclosed = fault.before_a_key and "inside string" in str(error)
            # A place that is repaired and still breaks was no open string.
            if not unclosed or fault.offset in repairs or len(repairs) == REPAIRS:
                yield fault.rejection(file.name, str(error))
                return
            repairs[fault.offset] = b'",'
            detail = f"a string was closed at byte {fault.offset + fault.bom}"
            yield Rejection("sources", "repaired_json", detail, file=file.name)


@dataclass(frozen=True)
class _Fault:
    offset: int
    bom: int
    at_end: bool
    before_a_key: bool

    def rejection(self, name: str, message: str) -> Rejection:
        what = "truncated" if self.at_end else message.split("\n")[0].removeprefix("b'")
        reason = "wrong_encoding" if "UTF8" in message else "truncated_json" if self.at_end else "broken_json"
        return Rejection("sources", reason, f"{what} at byte {self.offset + self.bom}; the rest is not read", "", name)


class _Repaired:
    """A stream with bytes put in at given offsets of the original; `at` is the offset reached there."""

    def __init__(self, stream: BinaryIO, repairs: dict[int, bytes]) -> None:
        self._stream, self._repairs, self.at = stream, repairs, 0

    def read(self, size: int = CHUNK) -> bytes:
        chunk = self._stream.read(size)
        start, self.at = self.at, self.at + len(chunk)
        for offset in sorted((o for o in self._repairs if start <= o < self.at), reverse=True):
            chunk = chunk[: offset - start] + self._repairs[offset] + chunk[offset - start :]
        return chunk


def json_fault(file: SourceFile, message: str) -> Rejection:
    """Return the rejection of a file the parser gave up on with this message, with the byte where it did."""
    return _fault(file, encoding_of(file), {}).rejection(file.name, message)


def _fault(file: SourceFile, encoding: str, repairs: dict[int, bytes]) -> _Fault:
    """Find the byte where parsing stops, by feeding the parser once in chunks and then byte by byte."""
    bom = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
    good = _fed(file, encoding, repairs, 0, CHUNK)
    offset = _fed(file, encoding, repairs, good, 1)
    with open_utf8(file, encoding) as stream:
        _skip(stream, offset)
        rest = stream.read(CHUNK)
    before_a_key = rest[:1] in (b"\n", b"\r") and rest.lstrip()[:1] == b'"'
    return _Fault(offset, bom, not rest, before_a_key)


def _fed(file: SourceFile, encoding: str, repairs: dict[int, bytes], good: int, step: int) -> int:
    """Return the offset of the first piece of `step` bytes that the parser refuses; `good` bytes are known fine."""
    events: Any = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, multiple_values=True)
    with open_utf8(file, encoding) as stream:
        pieces = _Repaired(stream, repairs)
        while True:
            at = pieces.at
            piece = pieces.read(CHUNK if at < good else step)
            if not piece:
                return at
            try:
                parser.send(piece)
            except ijson.JSONError:
                return at
            events.clear()


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0 and (piece := stream.read(min(count, CHUNK))):
        count -= len(piece)


def jsonl_records(file: SourceFile) -> Iterator[Record | Rejection]:
    """Read JSON lines; a line that cannot be decoded or parsed is rejected with its byte offset, the rest is read."""
    offset = 0
    with file.open() as stream:
        for number, line in enumerate(stream, start=1):
            record = Record(file.name, f"line {number}", None)
            start, offset = offset, offset + len(line)
            if not line.strip():
                continue
            try:
                yield Record(file.name, record.place, json.loads(_decoded(line)))
            except UnicodeDecodeError as error:
                yield record.rejected("wrong_encoding", f"neither UTF-8 nor CP949 at byte {start + error.start}")
            except json.JSONDecodeError as error:
                where = start + len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
                yield record.rejected("broken_json", f"{error.msg} at byte {where}")


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            return line.decode("cp949")
        except UnicodeDecodeError:
            raise error from None


def keys_of(file: SourceFile) -> list[str]:
    """Return the key paths at the start of a JSON file, e.g. `data[].paragraphs[].context`, in order of sight."""
    found: dict[str, None] = {}
    with open_utf8(file, encoding_of(file)) as stream:
        try:
            for seen, (prefix, event, value) in enumerate(ijson.parse(stream, multiple_values=True)):
                if event == "map_key":
                    found[f"{prefix}.{value}".lstrip(".").replace(".item", "[]").removeprefix("item")] = None
                if seen == KEY_EVENTS:
                    break
        except ijson.JSONError:
            pass  # the broken place is reported by the reading itself
    return list(found)
