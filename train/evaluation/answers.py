"""How near an answer is to the gold answers, by the official rules of KorQuAD 1.0 and 2.x.

Comes in: strings. Goes out: exact match and character F1. The rules differ: 1.0 keeps single spaces between words, 2.x
takes markup and every space away, so its scores are never lower. Written anew from the descriptions of
Lim et al. 2019 (https://arxiv.org/abs/1909.07005) and Kim et al. 2019, and checked against the published scripts.
"""

import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bs4 import BeautifulSoup

# Both scripts turn these into spaces first; other punctuation of ASCII then vanishes, and Korean quotes such as “” stay.
_SPACED = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_DROPPED = str.maketrans(dict.fromkeys(string.punctuation))

Rule = Callable[[str], str]


@dataclass(frozen=True)
class AnswerScore:
    """Exact match (0 or 1) and F1 over characters (0..1) against the best gold answer."""

    em: float
    f1: float


def normalized(text: str) -> str:
    """Normalize an answer by the KorQuAD 1.0 rules: lower case, no punctuation, single spaces."""
    return " ".join(text.translate(_SPACED).lower().translate(_DROPPED).split())


def normalized_2(text: str) -> str:
    """Normalize an answer by the KorQuAD 2.x rules: as 1.0, but without markup and without any space."""
    return normalized(BeautifulSoup(text, "html.parser").get_text()).replace(" ", "")


def score(answer: str, gold: Sequence[str], rule: Rule = normalized) -> AnswerScore:
    """Score an answer against the best of the gold answers.

    Args:
        answer (`str`): What was said; "" for an abstention.
        gold (`Sequence[str]`): Right answers, at least one.
        rule (`Rule`): `normalized` (KorQuAD 1.0) or `normalized_2` (2.x).
    """
    said = rule(answer)
    wanted = [rule(g) for g in gold]
    return AnswerScore(float(said in wanted), max(character_f1(said, g) for g in wanted))


def character_f1(said: str, wanted: str) -> float:
    """Return the F1 of two normalized answers as bags of characters, spaces left out."""
    a, b = Counter(said.replace(" ", "")), Counter(wanted.replace(" ", ""))
    same = sum((a & b).values())
    return 2 * same / (sum(a.values()) + sum(b.values())) if same else 0.0


def exact_and_f1(answer: str, gold: Sequence[str]) -> tuple[float, float]:
    """Return exact match and F1 by the KorQuAD 1.0 rules."""
    found = score(answer, gold)
    return found.em, found.f1
