"""One way to write what Korean writes in many: numbers, dates, units, Hanja, spacing, punctuation.

Comes in: a text. Goes out: letters and digits without white space, fit for comparing and for nothing else.
"""

import re
import unicodedata

GLOSS = re.compile(r"[(（][\u4e00-\u9fff\u3400-\u4dbf·,\s]+[)）]|[\u4e00-\u9fff]+(?=[(（][가-힣]+[)）])")
GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
BIG = {"만": 10**4, "억": 10**8, "조": 10**12}
SMALL = {"십": 10, "백": 100, "천": 1000}
DIGITS = {c: n for n, c in enumerate("영일이삼사오육칠팔구")} | {"공": 0, "륙": 6}
# `64조 9천억`, `1억 2,000만`, `20만`, `3천`: digits with Korean places.
_PLACED = r"(?:\d+[십백천]\s?)*\d+(?:\.\d+)?\s?(?:[십백천]\s?)?[만억조]"
_MORE = r"(?:\s?\d+(?:\.\d+)?\s?(?:[십백천]\s?)?[만억조]?(?![\d.]))*"
MIXED = re.compile(rf"{_PLACED}{_MORE}|\d+(?:\.\d+)?\s?[백천](?=\s?[가-힣])")
PART = re.compile(r"(\d+(?:\.\d+)?)\s?([십백천])?\s?([만억조])?")
COUNTER = "|".join(
    "명 마리 권 개 대 기 곳 채 포기 그루 시간 분 초 일 주 개월 달 년 해 살 세 번 회 차례 표 점 도 도막 줄 알 정 통 숟가락 작은술 큰술 방울 "
    "장 단 배 가지 여 세기 조각 원 미터 킬로 센티 그램 톤 퍼센트 층 호 위 골 승 마당 척 벌".split()
)
# `삼십 명`, `오천팔백 도`: numerals in Hangul count only before a counter.
SPELLED = re.compile(
    rf"(?<![가-힣])([일이삼사오육칠팔구십백천만]*[십백천만][일이삼사오육칠팔구십백천만]*|[일이삼사오육칠팔구])\s?(?={COUNTER})"
)
TENS = dict(zip("열 스물 스무 서른 마흔 쉰 예순 일흔 여든 아흔".split(), (10, 20, 20, 30, 40, 50, 60, 70, 80, 90)))
ONES = dict(
    zip(
        "한 하나 두 둘 세 석 셋 네 넉 넷 다섯 여섯 일곱 여덟 아홉".split(),
        (1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7, 8, 9),
    )
)
NATIVE = re.compile(rf"(?<![가-힣])({'|'.join(TENS)})?({'|'.join(ONES)})?\s?(?=(?:{COUNTER})(?!람))")
DAYS = dict(zip("하루 이틀 사흘 나흘 닷새 엿새 이레 여드레 아흐레 열흘".split(), range(1, 11)))
DAY_WORD = re.compile(rf"(?<![가-힣])({'|'.join(DAYS)})(?![가-힣]*번)")
DOTTED_DATE = re.compile(r"(?<!\d)(\d{4})\s?[./-]\s?(\d{1,2})\s?[./-]\s?(\d{1,2})(?!\d)\.?")
SHORT_DATE = re.compile(r"(?<![\d.])(\d{1,2})\.\s(\d{1,2})\.")
CLOCK = re.compile(r"(?<!\d)(\d{1,2}):00(?!\d)")
UNITS = (
    ("퍼센트", "%"),
    ("밀리미터수은주", "mmhg"),
    ("메가와트시", "mwh"),
    ("킬로칼로리", "kcal"),
    ("킬로그램", "kg"),
    ("밀리그램", "mg"),
    ("킬로미터", "km"),
    ("센티미터", "cm"),
    ("밀리미터", "mm"),
    ("데시벨", "db"),
    ("미터", "m"),
    ("그램", "g"),
    ("리터", "l"),
    ("℃", "도"),
    ("개월", "달"),
)
AFTER_DIGIT = re.compile(rf"(?<=\d)\s?({'|'.join(word for word, _ in UNITS)})")
SHORT_UNIT = dict(UNITS)
LEADING_ZERO = re.compile(r"(?<![\d.])0+(?=\d)")
TRAILING_ZERO = re.compile(r"(?<=\d)(\.\d*?)0+(?!\d)")
NOT_WORD = re.compile(r"[^\w%]+|_")
HAS_NUMERAL = re.compile(
    rf"\d|[십백천만]|[일이삼사오육칠팔구한두세석네넉셋넷둘]\s|{'|'.join(TENS)}|다섯|여섯|일곱|여덟|아홉|하루|흘|틀|닷새|엿새|레"
)


def same_numbers(text: str) -> str:
    """Write the numbers, dates and units of a text in one way; the rest stays."""
    if not HAS_NUMERAL.search(text):
        return text
    text = GROUPED.sub("", text)
    text = DOTTED_DATE.sub(lambda m: f"{m[1]}년{int(m[2])}월{int(m[3])}일", text)
    text = SHORT_DATE.sub(lambda m: f"{m[1]}월{m[2]}일", text)
    text = CLOCK.sub(lambda m: f"{int(m[1])}시", text)
    text = MIXED.sub(lambda m: _written(_mixed_value(m.group())), text)
    text = SPELLED.sub(lambda m: str(_spelled_value(m.group(1))), text)
    text = NATIVE.sub(
        lambda m: str(TENS.get(m[1] or "", 0) + ONES.get(m[2] or "", 0)) if m[1] or m[2] else m.group(), text
    )
    text = DAY_WORD.sub(lambda m: f"{DAYS[m[1]]}일", text)
    text = AFTER_DIGIT.sub(lambda m: SHORT_UNIT[m[1]], text)
    text = TRAILING_ZERO.sub(lambda m: "" if m[1] == "." else m[1], text)
    return LEADING_ZERO.sub("", text)


def canonical(text: str) -> str:
    """Return the comparable form: NFKC, lower case, no Hanja glosses, numbers in one way, no spaces or punctuation."""
    text = unicodedata.normalize("NFKC", text).lower()
    if "(" in text:
        text = GLOSS.sub("", text)
    return NOT_WORD.sub("", same_numbers(text))


def numbers_of(text: str) -> list[str]:
    """Return the numbers of a text in order, in one way of writing."""
    shown = same_numbers(unicodedata.normalize("NFKC", text).lower().replace("영하 ", "-").replace("영하", "-"))
    return re.findall(r"(?<![\d.])(?:(?<![가-힣])-)?\d+(?:\.\d+)?", re.sub(r"(?<=\d)[~-]", " ", shown))


def _mixed_value(written: str) -> float:
    total = 0.0
    held = 0.0
    for match in PART.finditer(written):
        value = float(match[1]) * SMALL.get(match[2] or "", 1)
        if match[3]:
            total += (held + value) * BIG[match[3]]
            held = 0.0
        else:
            held += value
    return total + held


def _spelled_value(written: str) -> int:
    total = section = digit = 0
    for c in written:
        if c in DIGITS:
            digit = DIGITS[c]
        elif c in SMALL:
            section += (digit or 1) * SMALL[c]
            digit = 0
        else:
            total += (section + digit or 1) * BIG[c]
            section = digit = 0
    return total + section + digit


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
