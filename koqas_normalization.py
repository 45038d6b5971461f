"""Search tokens beside the words themselves, so that a question finds a text that writes the same thing otherwise.

    texts and questions   numbers, dates and times under one name; Hanja read in Hangul; syllables spaced apart joined
    questions alone       stray jamo composed, words joined across spaces, honorifics and their plain words; and words
                          that the index does not hold: misspelt, spelt another way, in the other script

Only search sees these tokens. What judges and reads passages counts the words that stand there.
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass

from .koqas_hanja import HANJA, hangul_readings
from .koqas_numerals import numeral_tokens
from .koqas_text import CONTENT_TAGS, AnalyzedSentence, Morpheme, search_tokens, sentences_of
from .koqas_variants import Variants, spelled_letters

# Honorific and humble words with the plain ones, as stems (Kiwi's forms).
HONORIFICS = (
    ("밥", "식사", "진지"), ("나이", "연세", "춘추"), ("이름", "성함", "존함"), ("집", "댁"), ("생일", "생신"),
    ("말", "말씀"), ("병", "병환"), ("술", "약주"), ("이빨", "치아"), ("자", "주무시"), ("있", "계시"),
    ("먹", "드시", "잡수", "잡수시", "자시"), ("마시", "드시"), ("죽", "돌아가시", "별세", "작고"),
    ("주", "드리", "하사"), ("묻", "여쭈", "여쭙"), ("보", "뵙", "뵈"), ("만나", "뵙", "뵈"), ("데리", "데려오", "모시"),
    ("아프", "편찮"), ("아들", "아드님", "자제"), ("딸", "따님"), ("자식", "자녀", "자제"), ("아내", "부인", "사모"),
    ("아버지", "아버님", "부친", "춘부장"), ("어머니", "어머님", "모친"), ("할아버지", "할아버님"), ("할머니", "할머님"),
    ("부모", "양친"), ("형", "형님"), ("누나", "누님"),
)  # fmt: skip
SPACED = re.compile(r"(?<!\S)(?:[가-힣] ){2,}[가-힣](?!\w)")
# Compatibility jamo that a keyboard left uncomposed: ㅇㅣㄴ.
LOOSE = re.compile("[ㄱ-ㅎ][ㅏ-ㅣ](?:[ㄱ-ㅎ](?![ㅏ-ㅣ]))?")
STRAY = re.compile("(?<=[가-힣])[ㄱ-ㅎㅏ-ㅣ](?=[가-힣])")
NUMBER_WEIGHT = 3  # times that a number counts, against its digits and numerals, which other numbers share
LONGEST_WORD = 8  # syllables of a word that is looked for among variants; longer ones are words without spaces
HANGUL_INITIALS, HANGUL_FINALS = (
    "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ",
    "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ",
)


@dataclass(frozen=True)
class OpenWord:
    """A word of a question that may stand for another one.

    Args:
        form (`str`): Its content, in lower case.
        name (`bool`): Whether it is foreign or a name, which a text may write in the other script although others do not.
    """

    form: str
    name: bool


@dataclass(frozen=True)
class Expansion:
    """What a question searches for beside its own tokens.

    Args:
        tokens (`tuple[str, ...]`): Tokens that hold for any index.
        words (`tuple[OpenWord, ...]`): Words to look for among the words of an index.
    """

    tokens: tuple[str, ...] = ()
    words: tuple[OpenWord, ...] = ()

    def within(self, vocabulary: Container[str], variants: Callable[[], Variants]) -> list[str]:
        """Return the tokens to search for in an index.

        Args:
            vocabulary (`Container[str]`): Its tokens.
            variants (`Callable[[], Variants]`): Gives its words by sound; asked only where a word needs them.
        """
        found = dict.fromkeys(self.tokens)
        for word in self.words:
            known = word.form in vocabulary
            misspelt = not known and any(b not in vocabulary for b in _bigrams(word.form))
            if not known or word.name:
                found |= dict.fromkeys(variants().of(word.form, misspelt))
        return [t for t in found if t in vocabulary for _ in range(NUMBER_WEIGHT if t.startswith("=") else 1)]


def normalized_tokens(sentence: AnalyzedSentence) -> list[str]:
    """Return the further search tokens of an analyzed sentence of a text or a question."""
    tokens = numeral_tokens(sentence)
    if HANJA.search(sentence.text):
        tokens += _tokens_of(" ".join(hangul_readings(sentence.text)))
    for spaced in SPACED.findall(sentence.text):
        tokens += _tokens_of(spaced.replace(" ", ""))
    return tokens


def expansion_of(sentences: Sequence[AnalyzedSentence]) -> Expansion:
    """Return what an analyzed question searches for beside its own tokens."""
    own = {t for s in sentences for t in search_tokens(s.tokens, s.text)}
    tokens = [t for s in sentences for t in normalized_tokens(s)]
    words: list[OpenWord] = []
    for sentence in sentences:
        tokens += [*_composed(sentence.text), *_across_spaces(sentence)]
        words += _open_words(sentence)
    for group in HONORIFICS:
        tokens += group if own.intersection(group) else ()
    tokens += [s for w in words if (s := spelled_letters(w.form))]
    return Expansion(tuple(t for t in dict.fromkeys(tokens) if t not in own), tuple(dict.fromkeys(words)))


def _tokens_of(text: str) -> list[str]:
    return [t for s in sentences_of(text) for t in search_tokens(s.tokens, s.text)]


def _composed(text: str) -> list[str]:
    """Return the tokens of a text whose loose jamo are composed, where there are any."""
    composed = STRAY.sub("", LOOSE.sub(_compose, text))
    return _tokens_of(composed) if composed != text else []


def _compose(match: re.Match[str]) -> str:
    initial, vowel, *final = list(match[0])
    if initial not in HANGUL_INITIALS or (final and final[0] not in HANGUL_FINALS):
        return match[0]
    code = (HANGUL_INITIALS.index(initial) * 21 + ord(vowel) - ord("ㅏ")) * 28
    return chr(0xAC00 + code + (HANGUL_FINALS.index(final[0]) + 1 if final else 0))


def _bigrams(word: str) -> list[str]:
    return [f"#{word[i : i + 2]}" for i in range(len(word) - 1)]


def _words(sentence: AnalyzedSentence) -> Iterable[tuple[str, list[Morpheme]]]:
    """Yield each word of a sentence with its morphemes, without those at its end that carry no content."""
    for match in re.finditer(r"[^\W_]+", sentence.text):
        inside = [m for m in sentence.tokens if m.start >= match.start() and m.end <= match.end()]
        while inside and inside[-1].tag not in CONTENT_TAGS and inside[-1].tag not in ("MM", "NP"):
            inside.pop()
        if inside:
            yield match.group(), inside


def _across_spaces(sentence: AnalyzedSentence) -> list[str]:
    """Return the bigrams of neighbouring words where the first has no particle or ending."""
    words = list(_words(sentence))
    return [
        f"#{text[-1]}{following[0]}".lower()
        for (text, inside), (following, _) in zip(words, words[1:])
        if sentence.text[inside[0].start : inside[-1].end].endswith(text[-1:]) and inside[-1].tag[0] in "NXM"
    ]


def _open_words(sentence: AnalyzedSentence) -> list[OpenWord]:
    found = []
    for _, inside in _words(sentence):
        foreign = [m for m in inside if m.tag == "SL"]
        found += [OpenWord(m.form.lower(), True) for m in foreign]
        form = unicodedata.normalize("NFC", sentence.text[inside[0].start : inside[-1].end]).lower()
        if not foreign and 2 <= len(form) <= LONGEST_WORD and all(m.tag[0] in "NXM" and m.tag != "NP" for m in inside):
            found.append(OpenWord(form, len(inside) == 1 and inside[0].tag == "NNP"))
    return found
