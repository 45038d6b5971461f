"""Whether a text says what a summary says, sentence by sentence.

Comes in: an analyzed summary and analyzed passages. Goes out: for each sentence its evidence, the share of its content
morphemes found there, and the numbers and names that no passage holds. Lexical: a contradiction in the same words
passes, a free paraphrase may not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from koqas.koqas_text import AnalyzedSentence, Morpheme, matching_forms

MOST_EVIDENCE = 3  # sentences that may support one sentence of a summary
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
NAME_TAGS = ("NNP", "SL", "SH")


@dataclass(frozen=True)
class PassageSentence:
    """A sentence of a passage: `[start, end)` of the text of the document called `document`."""

    document: str
    start: int
    end: int
    forms: frozenset[str]


@dataclass(frozen=True)
class SentenceSupport:
    """How a summary's sentence is supported.

    Args:
        start, end (`int`): The sentence in the summary.
        evidence (`tuple[tuple[str, int, int], ...]`): Document, start and end of the sentences that support it.
        share (`float`): Share of its content morphemes that the evidence holds, 0..1.
        missing (`tuple[str, ...]`): Its numbers and names that stand in no passage.
    """

    start: int
    end: int
    evidence: tuple[tuple[str, int, int], ...]
    share: float
    missing: tuple[str, ...]


def passage_sentences(document: str, sentences: Sequence[AnalyzedSentence], offset: int = 0) -> list[PassageSentence]:
    """Describe the sentences of a passage that begins at `offset` of its document."""
    return [
        PassageSentence(
            document, offset + s.start, offset + s.start + len(s.text), frozenset(matching_forms(s.tokens))
        )
        for s in sentences
    ]


def support_of(
    summary: Sequence[AnalyzedSentence], passages: Sequence[PassageSentence], texts: Sequence[str]
) -> tuple[SentenceSupport, ...]:
    """Match each sentence of a summary to evidence.

    Args:
        summary (`Sequence[AnalyzedSentence]`): The summary.
        passages (`Sequence[PassageSentence]`): All sentences that may support it.
        texts (`Sequence[str]`): What numbers and names may be taken from: passages, titles, the question.
    """
    held = _squeezed(" ".join(texts))
    numbers = {_number(n) for n in NUMBER.findall(" ".join(texts))}
    return tuple(_supported(s, passages, held, numbers) for s in summary)


def _supported(
    sentence: AnalyzedSentence, passages: Sequence[PassageSentence], held: str, numbers: set[str]
) -> SentenceSupport:
    needed = matching_forms(sentence.tokens)
    chosen: list[PassageSentence] = []
    left = set(needed)
    while left and len(chosen) < MOST_EVIDENCE:
        best = max(passages, key=lambda p: len(left & p.forms), default=None)
        if best is None or not left & best.forms:
            break
        chosen.append(best)
        left -= best.forms
    share = 1 - len(left) / len(needed) if needed else 1.0
    names = [n for n in _names(sentence.tokens) if _squeezed(n) not in held]
    missing = [n for n in NUMBER.findall(sentence.text) if _number(n) not in numbers] + names
    evidence = tuple((p.document, p.start, p.end) for p in sorted(chosen, key=lambda p: (p.document, p.start)))
    end = sentence.start + len(sentence.text)
    return SentenceSupport(sentence.start, end, evidence, round(share, 4), tuple(dict.fromkeys(missing)))


def _names(tokens: Sequence[Morpheme]) -> list[str]:
    return [t.form for t in tokens if t.tag in NAME_TAGS]


def _number(written: str) -> str:
    """`1,000` and `1000` are one number; so are `3.0` and `3`."""
    plain = written.replace(",", "").strip(".")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain.lstrip("0") or "0"


def _squeezed(text: str) -> str:
    return "".join(text.lower().split())
