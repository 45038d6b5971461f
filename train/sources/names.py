"""File names as they were meant: Hangul that a zip, an unzip tool or macOS has garbled, put right.

Comes in: a name from an archive or a folder. Goes out: the readable name in NFC. Names are only for people and
for matching; files are always opened by the name they really have.
"""

import re
import unicodedata
import zipfile

HANGUL = re.compile("[가-힣ㄱ-ㅎ]")
UTF8_FLAG = 0x800
SPLITS = {
    "train": re.compile(r"(?<![a-z])train|^T[LS]_", re.IGNORECASE),
    "validation": re.compile(r"(?<![a-z])valid|^V[LS]_|(?:^|[_.-])dev(?:[_.+-]|$)", re.IGNORECASE),
    "test": re.compile(r"(?:^|[_.-])(?:test|eval)(?:[_.+-]|$)", re.IGNORECASE),
}


def readable_name(name: str) -> str:
    """Undo `#Uxxxx` escapes and UTF-8 or CP949 bytes shown as CP437 or CP866; NFC, forward slashes."""
    name = re.sub(r"#U([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), name.replace("\\", "/"))
    name = unicodedata.normalize("NFC", name)
    if name.isascii() or HANGUL.search(name):
        return name
    for right in ("utf-8", "cp949"):
        for wrong in ("cp437", "cp866"):
            meant = _recoded(name, wrong, right)
            if meant and HANGUL.search(meant):
                return unicodedata.normalize("NFC", meant)
    return name


def member_name(member: zipfile.ZipInfo) -> str:
    """Return the readable name of a zip member; without the UTF-8 flag, Python took its bytes for CP437."""
    if not member.flag_bits & UTF8_FLAG:
        for right in ("utf-8", "cp949"):
            if meant := _recoded(member.filename, "cp437", right):
                return readable_name(meant)
    return readable_name(member.filename)


def _recoded(name: str, wrong: str, right: str) -> str | None:
    try:
        return name.encode(wrong).decode(right)
    except UnicodeError:
        return None


def escapes(name: str) -> bool:
    """Tell whether an archive member's name points outside the folder it would be unpacked into."""
    name = name.replace("\\", "/")
    return name.startswith("/") or ".." in name.split("/") or bool(re.match(r"[A-Za-z]:", name)) or "\0" in name


def is_litter(name: str) -> bool:
    """Tell whether a name is what an operating system leaves behind, never data."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def unlabelled_copies(names: list[str]) -> set[str]:
    """Return the names of raw texts (원천데이터) that stand beside their labelled twins (라벨링데이터).

    Both hold the same passages in the same JSON shape; only the labelled ones have questions.
    """
    labelled = [n for n in names if "라벨링데이터" in n or re.search(r"(?:^|[/!])[TV]L_", n)]
    if not labelled:
        return set()
    return {
        n for n in names if n not in labelled and ("원천데이터" in n or re.search(r"(?:^|[/!])[TV]S_", n) is not None)
    }


def split_of(name: str) -> str | None:
    """Return `train`, `validation` or `test` as far as folder and file names say it; the innermost part decides."""
    for part in reversed(name.replace("!", "/").split("/")):
        for split, pattern in SPLITS.items():
            if pattern.search(part):
                return split
    return None
