"""Find structured identifiers: Presidio's Korean recognizers and our own shapes, on Presidio's interface.

Comes in: a text. Goes out: findings with offsets. Names are not this module's; see `names`. The recognizers are called
without Presidio's engine: it would need an NLP model, and its context words are English lemmas.
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache

import regex
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    IpRecognizer,
    KrBrnRecognizer,
    KrFrnRecognizer,
    KrRrnRecognizer,
)

from koqas.train.privacy.findings import Finding, settled
from koqas.train.privacy.shapes import FOLDED, SHAPES, Shape

# Presidio compiles with the third-party `regex` module, whose ASCII flag differs from `re.ASCII` in value. With it, `\b`
# ends a word before Hangul.
FLAGS = regex.DOTALL | regex.MULTILINE | regex.IGNORECASE | regex.ASCII
CASE_BEFORE = regex.compile(
    r"(?:선고|고지|자|법원|재판소|사건번호|사건)\s*(?:\d{2,4}[가-힣]{1,3}\d+\s*(?:\(병합\))?,\s*)*$"
)
CASE_AFTER = regex.compile(
    r"(?:\s?\([가-힣]+\)|\s?,\s?\d{2,4}[가-힣]{1,3}\d+)*\s*(?:전원합의체\s*)?(?:판결|결정|명령|사건|공보|호)"
)
RELEASE = regex.compile(r"버전|릴리[즈스]|업데이트|version|[vV]\.?$|^대 |^판")
BEFORE = AFTER = 30  # characters around a number in which its context word may stand
ADJACENT = 15  # characters, for account numbers: a bank named further away owns another number
# Presidio's entity names for what it finds well; its passport, licence, e-mail and phone recognizers are left out: they
# need its context engine, look up domain endings on the network, or know no Korean land lines.
KINDS = {
    "KR_RRN": "주민등록번호",
    "KR_FRN": "외국인등록번호",
    "KR_BRN": "사업자등록번호",
    "CREDIT_CARD": "카드번호",
    "IP_ADDRESS": "IP주소",
}


class KoreanIdentifierRecognizer(EntityRecognizer):
    """Our shapes as a Presidio recognizer, so that they can be added to any Presidio registry."""

    def __init__(self) -> None:
        self.shapes = [(shape, regex.compile(shape.pattern), regex.compile(shape.context)) for shape in SHAPES]
        super().__init__(sorted({s.kind for s in SHAPES}), "KoreanIdentifierRecognizer", "ko")

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Return what our shapes find, as Presidio results; `entities` empty means all kinds."""
        return [
            RecognizerResult(f.kind, f.start, f.end, f.score)
            for f in self.findings(text)
            if not entities or f.kind in entities
        ]

    def findings(self, text: str) -> list[Finding]:
        """Return what our shapes find; findings may overlap."""
        folded = text.translate(FOLDED)
        if not any(c.isdigit() or c == "@" for c in folded):
            return []
        found = []
        for shape, pattern, context in self.shapes:
            for match in pattern.finditer(folded):
                if _vouched(shape, context, folded, match.start(), match.end()):
                    found.append(Finding(match.start(), match.end(), shape.kind, shape.score))
        return found


@lru_cache(maxsize=1)
def recognizers() -> tuple[KoreanIdentifierRecognizer, tuple[PatternRecognizer, ...]]:
    """Return our recognizer and Presidio's, built once (Presidio takes about two seconds to import)."""
    theirs: tuple[PatternRecognizer, ...] = (
        KrRrnRecognizer(),
        KrFrnRecognizer(),
        KrBrnRecognizer(),
        CreditCardRecognizer(supported_language="ko"),
        IpRecognizer(supported_language="ko"),
    )
    for recognizer in theirs:
        recognizer.global_regex_flags = FLAGS
    return KoreanIdentifierRecognizer(), theirs


def identifiers_in(text: str) -> list[Finding]:
    """Return the structured identifiers of a text, in order, none overlapping."""
    if not any(c.isdigit() or c in "@＠" for c in text):
        return []
    ours, theirs = recognizers()
    found = ours.findings(text)
    folded = text.translate(FOLDED)
    for recognizer in theirs:
        for result in recognizer.analyze(folded, recognizer.supported_entities):
            # Below .5 Presidio itself calls a match weak: ten bare digits as a business number.
            if result.score >= 0.5 and _plausible(folded, result):
                found.append(Finding(result.start, result.end, KINDS[result.entity_type], min(result.score, 0.7)))
    return settled(found)


def _plausible(text: str, result: RecognizerResult) -> bool:
    """Presidio takes any 13 digits with a birth date for a resident number, Korean bar codes among them."""
    if result.entity_type in ("KR_RRN", "KR_FRN") and "-" not in text[result.start : result.end]:
        return bare_resident(text, result.start, result.end)
    return result.entity_type != "IP_ADDRESS" or is_ip(text, result.start, result.end)


def _vouched(shape: Shape, context: "regex.Pattern[str]", text: str, start: int, end: int) -> bool:
    if shape.check and not CHECKS[shape.check](text, start, end):
        return False
    if not shape.context:
        return True
    reach = ADJACENT if shape.kind == "계좌번호" else BEFORE
    before = text[max(text.rfind("\n", 0, start) + 1, start - reach) : start]
    line_end = text.find("\n", end)
    after = text[
        end : min(end + (ADJACENT if shape.kind == "계좌번호" else AFTER), line_end if line_end >= 0 else len(text))
    ]
    return bool(context.search(before) or (not shape.context.endswith("$") and context.search(after)))


def bare_resident(text: str, start: int, end: int) -> bool:
    """Thirteen digits in a row: goods made in Korea carry bar codes that begin with 880."""
    near = text[max(start - BEFORE, 0) : start] + text[end : end + AFTER]
    return not text[start:end].startswith("880") or any(w in near for w in ("주민", "등록번호", "신분증", "생년"))


def not_a_lifespan(text: str, start: int, end: int) -> bool:
    """`1544-1592` is a life and `1588-3366` a hot line."""
    first, last = int(text[start : start + 4]), int(text[end - 4 : end])
    return not (first < last <= first + 120)


def not_a_case(text: str, start: int, end: int) -> bool:
    """`85도2664` is a court case where a decision is named around it, and a plate elsewhere."""
    return not (CASE_BEFORE.search(text[max(start - 60, 0) : start]) or CASE_AFTER.match(text[end : end + 60]))


def luhn(text: str, start: int, end: int) -> bool:
    """Check digit of payment cards."""
    digits = [int(c) for c in text[start:end] if c.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def account_length(text: str, start: int, end: int) -> bool:
    """Korean account numbers have 10 to 16 digits, and one written with spaces must not be a phone number."""
    return 10 <= sum(c.isdigit() for c in text[start:end]) <= 16


def is_ip(text: str, start: int, end: int) -> bool:
    """Whether the characters are an address of version 4 or 6 that can be somebody's; a release number is not."""
    quote = text[start:end]
    near = text[max(start - 15, 0) : start] + text[end : end + 15]
    if quote in ("0.0.0.0", "255.255.255.255") or RELEASE.search(near):
        return False
    try:
        ipaddress.ip_address(quote)
    except ValueError:
        return False
    return ":" not in quote or len(quote) > 6


CHECKS: dict[str, Callable[[str, int, int], bool]] = {
    "bare_resident": bare_resident,
    "not_a_lifespan": not_a_lifespan,
    "not_a_case": not_a_case,
    "luhn": luhn,
    "account_length": account_length,
    "ip": is_ip,
}


def pattern_recognizer(kind: str, pattern: str, score: float) -> PatternRecognizer:
    """Return a Presidio recognizer for a caller's own identifier (an employee number, a patient number).

    Args:
        kind (`str`): Word that stands in the mask.
        pattern (`str`): Regular expression of the `regex` module.
        score (`float`): 0..1.
    """
    recognizer = PatternRecognizer(kind, patterns=[Pattern(kind, pattern, score)], supported_language="ko")
    recognizer.global_regex_flags = FLAGS
    return recognizer
