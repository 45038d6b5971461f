"""Characters that carry nothing: NFC, controls, invisible and private-use characters, odd white space.

Comes in: plain text. Goes out: the text with its alignment. Line breaks are kept, since they carry structure.
"""

import re
import unicodedata

from koqas.koqas_text import INVISIBLE, view_of
from koqas.train.cleaning.alignment import Edited, Run, Writer, rewrite

# A conjoining-jamo syllable, a base with combining marks, or a character that NFC replaces by another one.
COMPOSABLE = re.compile(
    "[\u1100-\u115f][\u1160-\u11a7]*[\u11a8-\u11ff]*"
    "|.?[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u3099\u309a]+"
    "|[\u2126\u212a\u212b\u2329\u232a\uf900-\ufaff]"
)
# Old Hangul typed with Hanyang private-use codes is lost as well: no table of it is free to ship.
NOISE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u2028\u2029\x85\ue000-\uf8ff\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff"
    f"{INVISIBLE.pattern[1:-1]}\ud800-\udfff\U000f0000-\U0010ffff]"
)
LINE_BREAKS = frozenset("\x0b\x0c\x85\u2028\u2029")
SPACE = "[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u3164\uffa0]"
ODD_SPACE = SPACE.replace("[ ", "[")
# A single plain space, by far the most frequent, is not matched at all.
WHITE = re.compile(rf"{SPACE}*(?:\r\n?|\n)(?:\s|{SPACE})*|{SPACE}{{2,}}|{ODD_SPACE}|\A{SPACE}+|{SPACE}+\Z")


def composed(text: str) -> Edited:
    """Bring a text to NFC."""
    if unicodedata.is_normalized("NFC", text):
        return Edited(text, (Run(0, len(text), 0, len(text)),))
    edited = rewrite(text, COMPOSABLE, lambda m: unicodedata.normalize("NFC", m.group()))
    if unicodedata.is_normalized("NFC", edited.text):
        return edited
    return _composed_slowly(text)


def _composed_slowly(text: str) -> Edited:
    """Scripts whose marks COMPOSABLE does not list: one run for every character the view has."""
    view = view_of(text)
    offsets = view.offsets or tuple(range(len(text) + 1))
    writer = Writer()
    begin = 0
    for at in range(1, len(view.text) + 1):
        if at == len(view.text) or offsets[at] != offsets[begin]:
            writer.keep(view.text[begin:at], offsets[begin], offsets[at])
            begin = at
    return writer.edited()


def noiseless(text: str) -> Edited:
    """Drop control, invisible, private-use and unpaired surrogate characters; rare line breaks become usual ones."""
    return rewrite(text, NOISE, lambda m: "\n" if m.group() in LINE_BREAKS else "")


def spaced(text: str) -> Edited:
    """Make every run of spaces one space and every run of line breaks one or two; the ends are stripped."""
    edges = (len(text) - len(text.lstrip()), len(text.rstrip()))

    def replacement(match: re.Match[str]) -> str:
        found = match.group()
        if match.start() < edges[0] or match.end() > edges[1]:
            return ""
        breaks = found.count("\n") + found.count("\r") - found.count("\r\n")
        return "\n" * min(breaks, 2) if breaks else " "

    return rewrite(text, WHITE, replacement)
