"""Masks: one number for one person or number throughout a row, particles that agree, and the way back.

Comes in: texts and what was found in them. Goes out: masked texts with their alignment, and the pieces to restore them.
Knows nothing of how things are found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from koqas.koqas_types import Span
from koqas.train.cleaning.alignment import Edited, Writer
from koqas.train.privacy.findings import NAME, ORGANIZATION, Finding, settled
from koqas.train.privacy.particles import after_mask

EXISTING = re.compile(r"\[([가-힣A-Z]+)(\d+)\]")
SHORTEST_REPEATED = 2  # characters; a lone surname is masked only where it was found, never wherever it occurs


@dataclass(frozen=True)
class MaskedPiece:
    """Characters `[start, end)` of a masked text and what stood there, the particle behind it included."""

    start: int
    end: int
    original: str


@dataclass(frozen=True)
class MaskedText:
    """A masked text: how it came from the original, and the pieces that lead back."""

    edited: Edited
    pieces: tuple[MaskedPiece, ...]

    @property
    def text(self) -> str:
        """The masked text."""
        return self.edited.text


@dataclass
class MaskBook:
    """The masks of one row: what was found, under its kind, gets a number on first sight and keeps it."""

    masks: dict[tuple[str, str], str] = field(default_factory=dict)
    surfaces: dict[str, str] = field(default_factory=dict)  # as written → kind
    counts: dict[str, int] = field(default_factory=dict)

    def reserve(self, text: str) -> None:
        """Keep masks that a text already holds from being given again."""
        for match in EXISTING.finditer(text):
            self.counts[match.group(1)] = max(self.counts.get(match.group(1), 0), int(match.group(2)))

    def learn(self, text: str, findings: Iterable[Finding]) -> None:
        """Give every finding its mask."""
        for finding in findings:
            quote = finding.quote(text)
            self.mask_of(finding.kind, quote)
            if len(quote) >= SHORTEST_REPEATED:
                self.surfaces.setdefault(quote, finding.kind)

    def mask_of(self, kind: str, quote: str) -> str:
        """Return the mask of a quote; numbers are the same whatever stands between their digits."""
        key = (kind, _same_thing(kind, quote))
        if key not in self.masks:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.masks[key] = f"[{kind}{self.counts[kind]}]"
        return self.masks[key]

    def repeated(self, text: str, findings: Iterable[Finding]) -> list[Finding]:
        """Add to the findings of a text every place where something learned from another text stands again."""
        again = [
            Finding(m.start(), m.end(), kind, 0.6)
            for surface, kind in self.surfaces.items()
            if surface in text
            for m in re.finditer(_bounded(surface, kind), text)
        ]
        return settled([*findings, *again])

    def apply(self, text: str, findings: Iterable[Finding]) -> MaskedText:
        """Mask a text; findings must be in order and must not overlap."""
        writer = Writer()
        pieces: list[MaskedPiece] = []
        kept = 0
        for finding in findings:
            mask = self.mask_of(finding.kind, finding.quote(text))
            particle = after_mask(mask, text[finding.end : finding.end + 12], is_name=finding.kind == NAME)
            writer.keep(text[kept : finding.start], kept, finding.start)
            start = writer.length
            writer.keep(mask, finding.start, finding.end)
            kept = finding.end + particle.replaced
            writer.keep(particle.text, finding.end, kept)
            pieces.append(MaskedPiece(start, writer.length, text[finding.start : kept]))
        writer.keep(text[kept:], kept, len(text))
        return MaskedText(writer.edited(), tuple(pieces))


def restored(text: str, pieces: Iterable[MaskedPiece]) -> str:
    """Undo the masking of a text."""
    out: list[str] = []
    kept = 0
    for piece in pieces:
        out += (text[kept : piece.start], piece.original)
        kept = piece.end
    return "".join([*out, text[kept:]])


def cut_by(findings: Iterable[Finding], span: Span) -> Finding | None:
    """Return a finding that reaches across an end of a span, or holds it: masking it would break the span."""
    for finding in findings:
        overlaps = finding.start < span.end and finding.end > span.start
        if overlaps and not (span.start <= finding.start and finding.end <= span.end):
            return finding
    return None


def _same_thing(kind: str, quote: str) -> str:
    if kind in (NAME, ORGANIZATION, "주소", "차량번호"):
        return "".join(quote.split())
    return re.sub(r"[^0-9a-z@.*]" if kind in ("이메일", "IP주소", "여권번호") else r"[^0-9*]", "", quote.lower())


def _bounded(surface: str, kind: str) -> str:
    """A name begins a word; a number is not part of a longer one."""
    if kind in (NAME, ORGANIZATION):
        return rf"(?<![가-힣A-Za-z]){re.escape(surface)}"
    return rf"(?<![0-9A-Za-z]){re.escape(surface)}(?![0-9A-Za-z])"
