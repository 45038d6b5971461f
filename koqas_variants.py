"""Find words of an index that a question's words may stand for: misspelt, spelt another way, or in another script.

Comes in: the vocabulary of an index, and words of a question that it does not hold. Goes out: words that it holds.
Words are compared by a rough pronunciation in Latin letters, the same for both scripts, so that `쵸콜렛` meets `초콜릿` and
`Beethoven` meets `베토벤`. This module knows nothing about ranking.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice, product

from rapidfuzz import fuzz, process

# Sounds that spellings confuse share a letter: plain, tense and aspirated consonants; ㅐ and ㅔ; ㅓ, ㅗ and ㅛ; final ㄴ and
# ㅇ. ㅡ is left out.
INITIALS = ("k", "k", "n", "t", "t", "l", "m", "p", "p", "s", "s", "", "j", "j", "j", "k", "t", "p", "h")
VOWELS = ("a", "e", "a", "e", "o", "e", "o", "e", "o", "wa", "we", "we", "o", "u", "wo", "we", "wi", "u", "", "i", "i")
FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "n", "t", "t", "k",
    "t", "p", "t",
)  # fmt: skip
# Latin spellings and how Korean may render them, longest first.
SPELLINGS = (
    ("tsch", ("j",)), ("sch", ("s",)), ("tch", ("j",)), ("eau", ("o",)), ("oul", ("oul",)), ("igh", ("ai",)),
    ("ch", ("j", "k", "s", "h")), ("sh", ("s",)), ("th", ("t", "s")), ("ph", ("p",)), ("gh", ("k", "h", "")), ("ck", ("k",)),
    ("qu", ("kw", "k")), ("ng", ("n", "nk")), ("ee", ("i", "e")), ("oo", ("u",)), ("ou", ("u", "o")), ("ea", ("i", "e")),
    ("ei", ("ai", "e")), ("ie", ("i",)), ("eu", ("o", "oi")), ("eo", ("o",)), ("ae", ("e",)), ("zz", ("j",)), ("ai", ("e", "ai")),
    ("au", ("o", "au")),
    ("b", ("p",)), ("c", ("k", "s")), ("d", ("t",)), ("f", ("p",)), ("g", ("k", "j")), ("j", ("j", "h", "")), ("q", ("k",)),
    ("r", ("l", "")), ("v", ("p",)), ("w", ("w", "p")), ("x", ("ks", "s")), ("y", ("i", "")), ("z", ("j", "s")),
    ("u", ("u", "o")), ("e", ("e", "")), ("t", ("t", "")),
)  # fmt: skip
BY_SPELLING = dict(SPELLINGS)
SPELLED = re.compile("|".join(s for s, _ in SPELLINGS) + "|[a-z]")
LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "에이 비 시 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 에스 티 유 브이 더블유 엑스 와이 제트".split(),
    )
)
READ_LETTER = {name: letter for letter, name in LETTER_NAMES.items()} | {"씨": "c", "알": "r", "에치": "h"}
READ_LETTERS = re.compile("|".join(sorted(READ_LETTER, key=len, reverse=True)))
HANGUL, LATIN = re.compile("[가-힣]+"), re.compile("[a-z]+")
WORD = re.compile("[가-힣]{2,}|[a-z]{2,}")
MOST_SOUNDS = 48  # pronunciations tried of a Latin word
MOST_VARIANTS = 3
CANDIDATES, ROUGHLY = 40, 58.0  # words compared closely, and the likeness (of 100) of sounds that they need
LIKE = 82.0  # least likeness of a variant: mean over sounds and over their consonants alone
NEAR_BEST = 4.0  # points below the best within which further words are taken
OPEN = str.maketrans("", "", "aeiouw")


def sound(word: str) -> str:
    """Return the rough pronunciation of a Hangul word in Latin letters."""
    letters = []
    for character in word:
        code = ord(character) - 0xAC00
        if 0 <= code < 11172:
            letters += [INITIALS[code // 588], VOWELS[code // 28 % 21], FINALS[code % 28]]
    return _single("".join(letters))


def sounds(word: str) -> list[str]:
    """Return pronunciations that a lower-case Latin word may have, likeliest first."""
    choices = [BY_SPELLING.get(s, (s,)) for s in SPELLED.findall(re.sub(r"(.)\1", _doubled, word))]
    return list(dict.fromkeys(_single("".join(p)) for p in islice(product(*choices), MOST_SOUNDS * 8)))[:MOST_SOUNDS]


def _doubled(match: re.Match[str]) -> str:
    return match[0] if match[0] in BY_SPELLING else match[1]


def _single(letters: str) -> str:
    return re.sub(r"(.)\1+", r"\1", letters)


def spelled_letters(word: str) -> str:
    """Return the Hangul names of a Latin word's letters (`imf`: `아이엠에프`), or the letters of such names; else ""."""
    if LATIN.fullmatch(word) and len(word) <= 6:
        return "".join(LETTER_NAMES[c] for c in word)
    names = READ_LETTERS.findall(word)
    return "".join(READ_LETTER[n] for n in names) if len(names) >= 2 and "".join(names) == word else ""


class Variants:
    """Words of a vocabulary by their sound.

    Args:
        words (`Iterable[str]`): Words in lower case; only those of two or more Hangul or Latin letters count.
    """

    def __init__(self, words: Iterable[str]) -> None:
        known = [w for w in words if WORD.fullmatch(w)]
        self.hangul = {w: sound(w) for w in known if HANGUL.match(w)}
        self.latin = {w: s[0] for w in known if LATIN.match(w) and (s := sounds(w))}
        self.of = lru_cache(maxsize=10_000)(self._found)

    def __getstate__(self) -> tuple[dict[str, str], dict[str, str]]:
        """Leave the cache out of copies."""
        return self.hangul, self.latin

    def __setstate__(self, state: tuple[dict[str, str], dict[str, str]]) -> None:
        """Build the cache anew."""
        self.hangul, self.latin = state
        self.of = lru_cache(maxsize=10_000)(self._found)

    def _found(self, word: str, misspelt: bool) -> tuple[str, ...]:
        """Return words that a word may stand for.

        Args:
            word (`str`): In lower case.
            misspelt (`bool`): Whether other words of the same script may be meant as well.
        """
        found: list[str] = []
        if HANGUL.fullmatch(word):
            heard = [sound(word)]
            found += self._like(heard, self.hangul) if misspelt else []
            found += self._like(heard, self.latin)
        elif LATIN.fullmatch(word):
            heard = sounds(word)
            found += self._like(heard[:1], self.latin) if misspelt else []
            found += self._like(heard, self.hangul)
        return tuple(w for w in dict.fromkeys(found) if w != word)

    @staticmethod
    def _like(heard: list[str], words: dict[str, str]) -> list[str]:
        """Return the words that sound most like one of some pronunciations."""
        rough: dict[str, float] = {}
        for one in heard:
            for _, score, word in process.extract(
                one, words, scorer=fuzz.ratio, score_cutoff=ROUGHLY, limit=CANDIDATES
            ):
                rough[word] = max(score, rough.get(word, 0.0))
        scores = {}
        for word in sorted(rough, key=lambda w: -rough[w])[:CANDIDATES]:
            readings = sounds(word) if LATIN.match(word) else [words[word]]
            scores[word] = max(likeness(one, other) for one in heard for other in readings)
        ranked = sorted((w for w, s in scores.items() if s >= LIKE), key=lambda w: -scores[w])
        return [w for w in ranked[:MOST_VARIANTS] if scores[w] >= scores[ranked[0]] - NEAR_BEST]


def likeness(one: str, other: str) -> float:
    """Return how alike two pronunciations are, 0..100; consonants count twice, since spellings differ more in vowels."""
    return (fuzz.ratio(one, other) + fuzz.ratio(one.translate(OPEN), other.translate(OPEN))) / 2
