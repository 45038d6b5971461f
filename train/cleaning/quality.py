"""Low-quality text: too short, not Korean, repetitive, broken.

Comes in: cleaned text. Goes out: the first reason to drop it, or None. Every threshold stands beside its source; those
that English word counts do not carry over to Korean were set on this project's own training corpora, never on a
benchmark.
"""

import re
from collections import Counter
from dataclasses import dataclass

HANGUL = re.compile("[가-힣]")
LETTER = re.compile(r"[^\W\d_]")
WORD = re.compile(r"\S+")
SENTENCE_END = re.compile(r"[.!?…。]['\"”’)\]」』〉》]*(?=\s|$)")
TABLE_LINE = re.compile(r"^\|.*\|$", re.MULTILINE)
# UTF-8 read as Latin-1 or CP949 and back: two of these in a row do not occur in Korean text.
MOJIBAKE = re.compile("\ufffd|[ÃÂìíëê][\u0080-\u00bf¡-¿€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|(?:[媛遺諛怨湲]\\?|占쏙옙|뷁){1,}")
LONE_JAMO = re.compile("[ㄱ-ㅎㅏ-ㅣ]")
LOREM = re.compile(r"lorem ipsum|javascript(?:를|가| is| must)|\{\s*(?:margin|padding|color|font)\b", re.IGNORECASE)


@dataclass(frozen=True)
class QualityPolicy:
    """Thresholds; shares are 0..1.

    Args:
        shortest (`int`): Characters without white space. A passage below it can hold no question and its evidence.
        longest (`int`): Characters; pages above it are dumps. Gopher: 100,000 words.
        hangul (`float`): Hangul among letters. Korean text with names and terms in Latin script stays above .5 in
            999 of 1,000 Wikipedia articles of the training corpora; .3 keeps technical papers.
        duplicate_lines, duplicate_line_characters (`float`): Gopher (Rae et al. 2021, table A1).
        top_ngrams (`tuple[tuple[int, float], ...]`): Share of characters in the most frequent word n-gram; Gopher.
        duplicate_ngrams (`tuple[tuple[int, float], ...]`): Share of characters in repeated word n-grams; Gopher.
        fewest_words (`int`): Repetition of n-grams is judged from here on; Gopher's lower bound of a document.
        symbols (`float`): `#`, `…`, `■` and the like among words; Gopher .1.
        bullet_lines, ellipsis_lines (`float`): Gopher .9 and .3.
        ended_lines (`float`): Least share of characters in prose lines of 40 or more characters that end a sentence
            where such lines make up most of the text. C4 drops each line without final punctuation; a Korean news
            paragraph nearly always has it, so a page where most lack it is lists or truncated snippets.
        mojibake, lone_jamo (`float`): Broken encodings, and chat (`ㅋㅋㅋ`), among characters.
    """

    shortest: int = 30
    longest: int = 400_000
    hangul: float = 0.3
    duplicate_lines: float = 0.30
    duplicate_line_characters: float = 0.20
    top_ngrams: tuple[tuple[int, float], ...] = ((2, 0.20), (3, 0.18), (4, 0.16))
    duplicate_ngrams: tuple[tuple[int, float], ...] = (
        (5, 0.15),
        (6, 0.14),
        (7, 0.13),
        (8, 0.12),
        (9, 0.11),
        (10, 0.10),
    )
    fewest_words: int = 50
    symbols: float = 0.1
    bullet_lines: float = 0.9
    ellipsis_lines: float = 0.3
    ended_lines: float = 0.3
    mojibake: float = 0.005
    lone_jamo: float = 0.05


@dataclass(frozen=True)
class Flaw:
    """Why a text is dropped: a fixed reason to count by, and the number that crossed its threshold."""

    reason: str
    detail: str


def flaw_of(text: str, policy: QualityPolicy) -> Flaw | None:
    """Return the first reason to drop a text, cheapest checks first."""
    return _length_or_language(text, policy) or _broken(text, policy) or _repetitive(text, policy)


def _over(reason: str, value: float, most: float) -> Flaw | None:
    return Flaw(reason, f"{value:.3f} > {most}") if value > most else None


def _length_or_language(text: str, policy: QualityPolicy) -> Flaw | None:
    size = len(text) - len(re.findall(r"\s", text)) if len(text) < 4 * policy.shortest else len(text)
    if size < policy.shortest or len(text) > policy.longest:
        return Flaw("too_short" if size < policy.shortest else "too_long", f"{size} characters")
    letters = len(LETTER.findall(text))
    share = len(HANGUL.findall(text)) / letters if letters else 0.0
    return Flaw("not_korean", f"Hangul {share:.3f} of {letters} letters") if share < policy.hangul else None


def _broken(text: str, policy: QualityPolicy) -> Flaw | None:
    if LOREM.search(text) and len(text) < 2000:
        return Flaw("placeholder", "lorem ipsum, script or style text")
    lines = [x.strip() for x in text.split("\n") if x.strip()]
    words = len(WORD.findall(text))
    symbols = len(re.findall(r"#(?!#* )|…|\.\.\.|[■□◆◇●○▶▷★☆※]", text))
    return (
        _over("mojibake", sum(len(m) for m in MOJIBAKE.findall(text)) / len(text), policy.mojibake)
        or _over("lone_jamo", len(LONE_JAMO.findall(text)) / len(text), policy.lone_jamo)
        or (_line_flaw(lines, policy) if len(lines) > 2 else None)
        or _over("symbols", symbols / words, policy.symbols)
        or _unended(lines, policy)
    )


def _line_flaw(lines: list[str], policy: QualityPolicy) -> Flaw | None:
    bullets = sum(x[0] in "-•*·▪◦●" for x in lines) / len(lines)
    ellipses = sum(x.endswith(("…", "...")) for x in lines) / len(lines)
    return _over("bullets", bullets, policy.bullet_lines) or _over("ellipses", ellipses, policy.ellipsis_lines)


def _unended(lines: list[str], policy: QualityPolicy) -> Flaw | None:
    """Prose whose lines stop in the middle of a sentence; tables, lists and headings are no prose."""
    long = [x for x in lines if len(x) >= 40 and x[0] not in "|-#•*"]
    characters = sum(map(len, long))
    if not long or characters < 0.5 * sum(map(len, lines)):
        return None
    ended = sum(len(x) for x in long if SENTENCE_END.search(x)) / characters
    return Flaw("broken_sentences", f"{ended:.3f} < {policy.ended_lines}") if ended < policy.ended_lines else None


def _repetitive(text: str, policy: QualityPolicy) -> Flaw | None:
    prose = TABLE_LINE.sub("", text)  # columns repeat by design, expanded spans more so
    lines = [x.strip() for x in prose.split("\n") if x.strip()]
    if len(lines) > 3:
        again = [x for x, n in Counter(lines).items() for _ in range(n - 1)]
        found = _over("duplicate_lines", len(again) / len(lines), policy.duplicate_lines) or _over(
            "duplicate_lines", sum(map(len, again)) / sum(map(len, lines)), policy.duplicate_line_characters
        )
        if found:
            return found
    words = WORD.findall(prose)
    if len(words) < policy.fewest_words:
        return None
    total = sum(map(len, words))
    for size, most in policy.top_ngrams:
        if flaw := _over(f"top_{size}gram", _top_share(words, size, total), most):
            return flaw
    # A repeated 10-gram holds repeated 5-grams: where no 5-gram repeats, nothing longer does.
    for size, most in policy.duplicate_ngrams:
        share = _duplicate_share(words, size, total)
        if flaw := _over(f"duplicate_{size}grams", share, most):
            return flaw
        if share == 0:
            break
    return None


def _top_share(words: list[str], size: int, total: int) -> float:
    counts = Counter(zip(*(words[i:] for i in range(size))))
    ngram, count = counts.most_common(1)[0] if counts else ((), 0)
    return count * sum(map(len, ngram)) / total if count > 1 else 0.0


def _duplicate_share(words: list[str], size: int, total: int) -> float:
    """Share of characters in words that belong to an n-gram seen before, each word counted once."""
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for at, ngram in enumerate(zip(*(words[i:] for i in range(size)))):
        if ngram in seen:
            covered.update(range(at, at + size))
        seen.add(ngram)
    return sum(len(words[i]) for i in covered) / total
