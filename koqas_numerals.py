"""Numbers, dates and times of day under one name, however they are written.

`3만 원` and `30,000원` meet, `2019.3.2` and `2019년 3월 2일`, `15:00` and `오후 3시`. Comes in: an analyzed sentence. Goes
out: search tokens that begin with `=`, which no word does. Kiwi says which morphemes are numerals (`이사`, `만일` are none);
what they are worth is computed here.
"""

import re
from collections.abc import Iterator, Sequence

from .koqas_text import AnalyzedSentence, Morpheme

SINO = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
SMALL = {"십": 10, "백": 100, "천": 1000}
LARGE = {"만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
NATIVE = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5, "여섯": 6, "일곱": 7,
    "여덟": 8, "아홉": 9, "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80,
    "아흔": 90,
}  # fmt: skip
# Days and months that are one word each.
WORDS = {
    "하루": "1일", "이틀": "2일", "사흘": "3일", "나흘": "4일", "닷새": "5일", "엿새": "6일", "이레": "7일", "여드레": "8일",
    "아흐레": "9일", "열흘": "10일", "보름": "15일", "초하루": "1일", "초이틀": "2일", "초사흘": "3일", "초나흘": "4일",
    "초닷새": "5일", "초엿새": "6일", "초이레": "7일", "초여드레": "8일", "초아흐레": "9일", "유월": "6월", "시월": "10월",
    "정월": "1월", "동짓달": "11월", "섣달": "12월", "정오": "낮 12시", "자정": "밤 12시",
}  # fmt: skip
NUMERAL = re.compile(
    rf"\d[\d,]*(?:\.\d+)?|{'|'.join(sorted(NATIVE, key=len, reverse=True))}|[{''.join(SINO)}십백천만억조경]"
)
ORDERED = re.compile(
    r"(?<![\d.])(?P<y>\d{4}|\d{2})\s*[.\-/년]\s*(?P<m>\d{1,2})(?:\s*[.\-/월]\s*(?P<d>\d{1,2}))?(?![\d:])"
)
MONTH_DAY = re.compile(r"(?<![\d.,/\-])(?P<m>\d{1,2})(?:\s*월\s*|[./])(?P<d>\d{1,2})(?![\d,/\-:%])")
MONTH = re.compile(r"(?<!\d)(?P<m>\d{1,2})\s*월")
DECADE = re.compile(r"(?<!\d)(?P<c>\d{2})?(?P<t>\d0)\s*년\s*대")
HALF_DAYS = {"오전": 0, "새벽": 0, "아침": 0, "오후": 12, "낮": 12, "저녁": 12, "밤": 12}
CLOCK = re.compile(
    rf"(?P<half>{'|'.join(HALF_DAYS)})?\s*(?<!\d)(?P<h>\d{{1,2}})"
    r"(?::(?P<mm>\d{2})(?!\d)|\s*시(?!간|즌|리)\s*(?:(?P<m>\d{1,2})\s*분|(?P<n>반))?)"
)
NUMBER = re.compile(r"(?<![\d.,])\d[\d,]*(?:\.\d+)?")
RECENT = 30  # two-digit years below are of this century
LONGEST_GAP = 1  # characters between the morphemes of one numeral


def numeral_tokens(sentence: AnalyzedSentence) -> list[str]:
    """Return a canonical token for every number, date and time of day in a sentence.

    Args:
        sentence (`AnalyzedSentence`): See `koqas_text.analyze`.

    Returns:
        `list[str]`: `=30000`, `=2019-03-02` with `=2019-03` and `=03-02`, `=@15:00`, `=1990s`. An hour that may be of
            either half of the day gets both tokens.
    """
    text = in_digits(sentence)
    tokens: list[str] = []
    for pattern, read in ((DECADE, _decade), (ORDERED, _date), (MONTH_DAY, _date), (CLOCK, _time), (MONTH, _month)):
        for match in list(pattern.finditer(text)):
            if found := read(match):
                tokens += found
                text = text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]
    return tokens + [f"={_plain(m[0])}" for m in NUMBER.finditer(text)]


def in_digits(sentence: AnalyzedSentence) -> str:
    """Return a sentence with its numerals written in digits: `삼만 원` becomes `30000 원`."""
    pieces, at = [], 0
    for run in _runs(sentence.tokens):
        start, end = run[0].start, run[-1].end
        value = WORDS.get(run[0].form) or worth(sentence.text[start:end])
        if value is not None and start >= at:
            pieces += [sentence.text[at:start], value]
            at = end
    return "".join([*pieces, sentence.text[at:]])


def _runs(morphemes: Sequence[Morpheme]) -> Iterator[list[Morpheme]]:
    """Yield the morphemes of each numeral; neighbours belong together unless both are in digits."""
    held: list[Morpheme] = []
    for m in morphemes:
        if m.form in WORDS and m.tag.startswith("N"):
            yield from filter(None, [held])
            held = []
            yield [m]
            continue
        numeral = m.tag in ("SN", "NR") or (m.tag == "MM" and m.form in NATIVE)
        if held and not (numeral and m.start - held[-1].end <= LONGEST_GAP and not (m.tag == held[-1].tag == "SN")):
            yield held
            held = []
        if numeral:
            held.append(m)
    yield from filter(None, [held])


def worth(numeral: str) -> str | None:
    """Return what a numeral is worth, in digits; None where it cannot be read.

    Args:
        numeral (`str`): `1억 5천만`, `스물셋`, `1.5억`, `일구육공`.
    """
    parts = NUMERAL.findall(numeral)
    if len("".join(parts)) != len("".join(numeral.split())):
        return None
    if len(parts) > 1 and all(p in SINO for p in parts):  # read digit by digit
        return "".join(str(SINO[p]) for p in parts)
    total, section, ones = 0.0, 0.0, None
    for part in parts:
        if part in LARGE:
            total, section, ones = total + (section + (ones or 0) or 1) * LARGE[part], 0.0, None
        elif part in SMALL:
            section, ones = section + (1 if ones is None else ones) * SMALL[part], None
        else:
            value = SINO.get(part, NATIVE.get(part))
            number = float(part.replace(",", "")) if value is None else float(value)
            ones = number if ones is None else ones + number
    return _plain(f"{total + section + (ones or 0):.6f}")


def _plain(number: str) -> str:
    """Write a number without commas, leading and trailing zeros."""
    whole, _, fraction = number.replace(",", "").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _year(match: re.Match[str]) -> str:
    year = match["y"]
    return year if len(year) == 4 else f"{'20' if int(year) < RECENT else '19'}{year}"


def _date(match: re.Match[str]) -> list[str]:
    named = match.groupdict()
    month, day = int(named["m"]), int(named["d"] or 0)
    if not 1 <= month <= 12 or day > 31 or (named["d"] and not day):
        return []
    tokens = []
    if "y" in named:
        if not day and (len(named["y"]) == 2 or re.search(r"[.\-]", match[0])):
            return []  # 1980-12 may be a range, 20.5 a number
        tokens.append(f"={_year(match)}-{month:02}")
        tokens += [f"{tokens[0]}-{day:02}"] if day else []
    return [*tokens, f"=m{month}", *([f"={month:02}-{day:02}"] if day else [])]


def _month(match: re.Match[str]) -> list[str]:
    return [f"=m{int(match['m'])}"] if 1 <= int(match["m"]) <= 12 else []


def _decade(match: re.Match[str]) -> list[str]:
    return [f"={match['c'] or ('20' if int(match['t']) < RECENT else '19')}{match['t']}s"]


def _time(match: re.Match[str]) -> list[str]:
    hour, minute = int(match["h"]), int(match["mm"] or match["m"] or (30 if match["n"] else 0))
    if hour > 24 or minute > 59:
        return []
    half = match["half"]
    if half is None:
        hours = [hour % 24] if hour > 12 or hour == 0 or match["h"][0] == "0" else [hour, (hour + 12) % 24]
    elif half == "밤":
        hours = [(hour + 12) % 24 if 6 <= hour <= 12 else hour]
    elif half == "낮":
        hours = [hour if hour >= 10 else hour + 12]
    else:
        hours = [hour % 12 + HALF_DAYS[half] if hour <= 12 else hour % 24]
    return [f"=@{h:02}:{minute:02}" for h in hours]
