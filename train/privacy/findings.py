"""What identifies a person in a text: kinds, findings, and which finding stands where two overlap.

Kinds are Korean words since they appear in the masked text, as in `[이름1]`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

NAME = "이름"
ORGANIZATION = "기관"
# Shapes that a rule can recognize for certain, given enough context.
IDENTIFIERS = (
    "주민등록번호",
    "외국인등록번호",
    "여권번호",
    "운전면허번호",
    "전화번호",
    "이메일",
    "카드번호",
    "계좌번호",
    "주소",
    "차량번호",
    "사업자등록번호",
    "IP주소",
)


@dataclass(frozen=True)
class Finding:
    """Characters `[start, end)` of a text that identify somebody; `score` is 0..1 and only orders findings."""

    start: int
    end: int
    kind: str
    score: float

    def quote(self, text: str) -> str:
        """Return the characters found."""
        return text[self.start : self.end]


def settled(findings: Iterable[Finding]) -> list[Finding]:
    """Keep, of findings that overlap, the surer one, then the longer one; in order of place."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (-f.score, f.start - f.end, f.start)):
        if all(finding.end <= k.start or finding.start >= k.end for k in kept):
            kept.append(finding)
    return sorted(kept, key=lambda f: f.start)
