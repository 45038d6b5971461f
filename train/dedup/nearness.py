"""Judge whether two similar texts say the same: near duplicates repeat, templates filled with other facts do not.

Comes in: two texts of which an index says that they share most shingles. Goes out: a verdict with its reason. Similarity
alone cannot tell `예산은 3,200억 원` from `3,200억원` and from `4,850억 원`, so the judge compares what the texts state:
numbers in one way of writing, nouns, negation and opposites. Kiwi reads the texts; this is paid for proposed pairs only.
"""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from koqas.koqas_text import kiwi
from koqas.train.dedup.canonical import canonical, numbers_of
from koqas.train.dedup.fingerprints import containment, shingle_hashes

LEAST_SHARED = 0.5  # of the shorter text's shingles; below, it is another text that quotes this one
NEGATIONS = frozenset("않 못 못하 없 아니 안 말 아니하".split())
# Words of which one denies the other; what Korean news, law and manuals use most.
OPPOSITES = frozenset(
    frozenset(pair.split("/"))
    for pair in (
        "크/작 많/적 넓/좁 높/낮 길/짧 늘/줄 늘어나/줄어들 오르/내리 올리/내리 빠르/느리 강하/약하 덥/춥 뜨겁/차갑 밝/어둡 "
        "무겁/가볍 두껍/얇 열/닫 켜/끄 주/받 사/팔 이기/지 얻/잃 살/죽 맞/틀리 들어가/빠지 넣/빼 좋/나쁘 쉽/어렵 "
        "증가/감소 상승/하락 흑자/적자 찬성/반대 가결/부결 통과/부결 성공/실패 합격/불합격 허용/금지 무료/유료 승리/패배 "
        "인상/인하 확대/축소 개선/악화 유죄/무죄 합헌/위헌 적법/위법 인용/기각 수출/수입 입금/출금 남쪽/북쪽 동쪽/서쪽 "
        "위/아래 안/밖 낮/밤 앞/뒤 처음/마지막 최대/최소 최고/최저 이상/이하 초과/미만"
    ).split()
)
NOUNS = frozenset(("NNG", "NNP", "XR", "SL", "SH"))
PREDICATES = frozenset(("VV", "VA"))
# Bylines that a copy gains or loses, and nouns that only carry a mood (`할 계획이다`, `할 예정이다`).
EMPTY_WORDS = frozenset(
    "기자 특파원 연합 뉴스 일보 신문 무단 전재 재배포 금지 사진 제공 계획 예정 생각 방침 전망".split()
)
HEAD = re.compile(r"([가-힣]{2,}?)(?:은|는|이|가|을|를|의|에|에서|에게|와|과|도|로|으로)")


@dataclass(frozen=True)
class Statement:
    """What a text states, as far as words show it."""

    form: str
    words: tuple[str, ...]
    numbers: Counter[str]
    nouns: Counter[str]
    acts: Counter[str]
    negations: int


@dataclass(frozen=True)
class Verdict:
    """Whether two texts are near duplicates, and what decided it."""

    duplicate: bool
    reason: str


def statement_of(text: str) -> Statement:
    """Read a text."""
    nouns: Counter[str] = Counter()
    acts: Counter[str] = Counter()
    negations = 0
    tokens = kiwi().tokenize(text)
    for token, follower in zip(tokens, [*tokens[1:], None]):
        tag = str(token.tag).split("-")[0]
        verbal = follower is not None and str(follower.tag).split("-")[0] in ("XSV", "XSA")
        if token.form in NEGATIONS and tag in ("VX", "VA", "VCN", "MAG", "VV"):
            negations += 1
        elif tag in PREDICATES or (tag in NOUNS and verbal):
            acts[token.form] += 1
        elif tag in NOUNS:
            nouns[token.form] += 1
    return Statement(canonical(text), tuple(text.split()), Counter(numbers_of(text)), nouns, acts, negations)


def judge(a: Statement, b: Statement) -> Verdict:
    """Compare two statements."""
    if a.form == b.form:
        return Verdict(True, "same")
    shared = containment(shingle_hashes(a.form), shingle_hashes(b.form))
    if shared < LEAST_SHARED:
        return Verdict(False, "unlike")
    if a.numbers - b.numbers and b.numbers - a.numbers:
        return Verdict(False, "numbers")
    if a.negations != b.negations and _is_whole(a, b):
        return Verdict(False, "negation")
    words_a, words_b = a.nouns + a.acts, b.nouns + b.acts
    if any(frozenset((x, y)) in OPPOSITES for x in words_a - words_b for y in words_b - words_a):
        return Verdict(False, "opposites")
    if _nouns_exchanged(a, b) or _heads_exchanged(a, b):
        return Verdict(False, "nouns")
    return Verdict(True, "near")


def _is_whole(a: Statement, b: Statement) -> bool:
    """Whether neither text is a cut of the other: a missing sentence takes its negation along."""
    return min(len(a.form), len(b.form)) > 0.9 * max(len(a.form), len(b.form))


def _nouns_exchanged(a: Statement, b: Statement) -> bool:
    gone, come = _missing(a, b), _missing(b, a)
    for word in list(gone):
        twin = next((w for w in come if _is_slip(word, w)), None)
        if twin:
            gone.remove(word)
            come.remove(twin)
    return bool(gone and come)


def _missing(a: Statement, b: Statement) -> list[str]:
    """Nouns of one text of which the other has no trace; compounds and odd spacing leave one."""
    return [w for w in a.nouns if w not in b.form and w not in b.nouns and w not in EMPTY_WORDS and len(w) > 1]


def _heads_exchanged(a: Statement, b: Statement) -> bool:
    """Whether one word with its particle took the place of another: names that Kiwi does not know leave no noun."""
    for tag, i, j, k, m in SequenceMatcher(None, a.words, b.words, autojunk=False).get_opcodes():
        if tag != "replace" or j - i != m - k:
            continue
        for old, new in zip(a.words[i:j], b.words[k:m]):
            head, other = HEAD.fullmatch(old), HEAD.fullmatch(new)
            if head and other and old[-1] == new[-1] and not set(head.group(1)[:2]) & set(other.group(1)[:2]):
                return True
    return False


def _is_slip(a: str, b: str) -> bool:
    """Letters exchanged, a particle caught between them, or one letter mistyped in a long word."""
    short, long = sorted((a, b), key=len)
    exchanged = len(long) - len(short) <= 1 and not Counter(short) - Counter(long)
    return exchanged or (len(short) >= 4 and SequenceMatcher(None, a, b).ratio() > 0.75)
