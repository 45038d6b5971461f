"""How much of a reference text another text repeats: chrF and ROUGE-L over morphemes. No key, no network.

Comes in: strings. Goes out: shares 0..1. Both see words, not truth: a wrong number costs little. ROUGE over spaces is
useless in Korean (particles stick to words) and the usual package drops Hangul altogether, hence morphemes.
"""

from functools import lru_cache

from rapidfuzz.distance import LCSseq
from sacrebleu.metrics.chrf import CHRF

from koqas.koqas_text import sentences_of


@lru_cache(maxsize=1)
def _chrf() -> CHRF:
    return CHRF()  # chrF2 of Popović 2015: character 6-grams, beta 2


def chrf(text: str, reference: str) -> float:
    """Return the chrF2 of a text (0..1), as sacrebleu computes it."""
    return float(_chrf().sentence_score(text, [reference]).score) / 100


def morphemes_of(text: str) -> list[str]:
    """Return the morphemes of a text as `form/tag`, in order."""
    return [f"{m.form}/{m.tag}" for s in sentences_of(text) for m in s.tokens]


def rouge_l(text: str, reference: str) -> float:
    """Return the ROUGE-L F1 (Lin 2004) of a text over Kiwi morphemes, 0..1."""
    said, wanted = morphemes_of(text), morphemes_of(reference)
    if not said or not wanted:
        return 0.0
    return 2 * LCSseq.similarity(said, wanted) / (len(said) + len(wanted))
