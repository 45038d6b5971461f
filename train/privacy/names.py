"""Names of people and organizations: Kiwi's proper nouns and context rules, or any token classifier of the hub.

Comes in: texts. Goes out: findings of the kinds `이름` and `기관`. The rules know Korean surnames, the titles that follow
a name and what the letters of a word say (see `likeness`). Thresholds were set on the development half of our own
benchmark; KLUE-NER was only measured. Half of the names in free text are missed: where that is too many, give a model.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from koqas.koqas_text import Morpheme, kiwi
from koqas.koqas_types import Span
from koqas.train.privacy.findings import NAME, ORGANIZATION, Finding, settled
from koqas.train.privacy.likeness import likeness

SURNAMES = (
    "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방공현함변염여추도소석선설마길"
    "연위표명기반라왕금옥육인맹제모탁국어은편용예경봉사부가복태목형피두감음빈동온호범좌팽승간상시갈단견당"
)
TWO_SYLLABLE_SURNAMES = "남궁|황보|제갈|선우|사공|서문|독고|동방|망절"
# Syllables of given names; a name of unknown word shape counts only when it consists of these.
GIVEN = (
    "가강건겸경계고관광교구국권규균근금기길김나남노누다단달담대덕도돈동두라란람래량려련령로록루류름리린림마만말명모목무묵문미민"
    "바배백범별병보복본봉부빈빛산삼상새서석선설섬성세소솔송수숙순술숭슬승시식신실심아안애양언여연열영예오옥온완용우욱운웅원월위유"
    "윤율은을음의이익인일임자잔장재전정제조종주준중지진찬창채천철청초춘충치태택평표필하학한해향허헌혁현협형혜호홍화환회효후훈휘흥희늘결봄샘솔슬"
)
TITLES = (
    "씨|님|군|양|옹|기자|교수|박사|대표|회장|부회장|사장|부사장|이사|이사장|전무|상무|부장|차장|과장|대리|팀장|실장|국장|본부장|센터장|소장|원장"
    "|총장|학장|교장|교감|선생|선생님|교사|강사|의원|장관|차관|총리|대통령|시장|군수|구청장|도지사|지사|위원|위원장|판사|검사|변호사|재판장|대법관"
    "|감독|코치|선수|배우|가수|작가|시인|화백|화가|감독관|아나운서|앵커|피디|PD|연구원|주무관|사무관|경위|경감|경장|순경|형사|병장|상병|일병|중위"
    "|대위|소령|중령|대령|장군|목사|신부|스님|주교|여사|간사|총무|주임|사원|대변인|비서관|수석|후보|회원|고객|학생|어린이|할머니|할아버지|9단|8단"
)
# After a lone surname only these prove a person: `전 대표`, `이 회장` begin with a determiner.
ALONE = "씨|과장|부장|차장|대리|팀장|사장|회장|교수|의원|대표|감독|기자|변호사|판사|검사|박사|대통령|장관|총리|선수|선생님|선생"
DETERMINERS = frozenset("이전한현고부신구성정각여주반안원양총")
PARTICLES = (
    "은|는|이|가|을|를|의|에게|에게서|께|께서|께서는|한테|한테서|와|과|랑|이랑|도|만|로|으로|라는|이라는|라고|이라고|처럼|보다|부터|까지|이다|였다|이었다"
    "|이며|며|에|이나|나|님|씨|아|야|이는|이가|이를|이의|이도|이와|측|조차|마저|뿐"
)
# Kiwi calls these proper nouns; they begin with a surname and name no person.
PLACES = re.compile(
    r".*(?:시|도|군|구|읍|면|동|리|산|강|역|섬|국|족|당|대|사|원|교|성|문|궁|릉|항|만|천|로|길|호|회|단|청|부|서|은행|대학|대학교|일보|신문|방송|전자|자동차|병원)"
)
ORGANIZATIONS = re.compile(
    r"(?<![가-힣A-Za-z])[가-힣A-Za-z0-9·]{1,14}(?:주식회사|은행|대학교|대학|병원|의료원|연구원|연구소|협회|재단|학회|공사|공단|위원회|신문|일보|방송|증권|보험"
    r"|카드|전자|건설|제약|그룹|조합|법원|검찰청|경찰서|교육청|시청|구청|군청|도청|고등학교|중학교|초등학교|도서관|박물관|미술관)(?![가-힣]*(?:하|되))"
    r"|(?:주식회사|㈜|\(주\))\s?[가-힣A-Za-z0-9]{2,14}|[가-힣A-Za-z0-9]{2,14}\s?(?:㈜|\(주\))"
)
HANJA = re.compile(r"\(([\u4e00-\u9fff·\s]{2,8})(?=[,)，·\s\d])")

FULL = rf"(?:(?:{TWO_SYLLABLE_SURNAMES})[{GIVEN}]{{1,2}}|[{SURNAMES}][{GIVEN}]{{2}}|[{SURNAMES}][{GIVEN}])"
WITH_TITLE = re.compile(rf"(?<![가-힣])({FULL})\s?(?:{TITLES})(?:(?:{PARTICLES})*(?![가-힣])|들|께)")
WITH_PARTICLE = re.compile(
    rf"(?<![가-힣])((?:{TWO_SYLLABLE_SURNAMES})[{GIVEN}]{{1,2}}?|[{SURNAMES}][{GIVEN}]{{2}})(?=(?:{PARTICLES})?(?![가-힣]))"
)
SURNAME_ALONE = re.compile(
    rf"(?<![가-힣])([{SURNAMES}])(?:\s?(씨|모\s?(?:\(\d+[^)]*\)\s?)?(?:씨|군|양)|모\s?\(\d+)|\s({ALONE}))(?=(?:{PARTICLES})*(?![가-힣])|\()"
)
TITLED = re.compile(rf"\s?(?:{TITLES})(?![가-힣]{{3}})")
ADMINISTRATIVE = re.compile(r"[가-힣]{2,}(?:시|군|구|읍|면|동|리|도)")
# Least likeness for a word that its surroundings support, that they allow, and that stands alone.
HARDLY, RARELY, POSSIBLY, PROBABLY, FAIRLY, SURELY = 0.05, 0.1, 0.2, 0.4, 0.5, 0.7
LETTER = re.compile(r"(?<![A-Za-z])([A-Z])(?=\s?(?:씨|군|양|모\s?씨)(?![가-힣]{3}))")
HANJA_NAME = re.compile(
    r"(?<![\u4e00-\u9fff])([金李朴崔鄭姜趙尹張林韓吳徐申權黃安宋洪柳高文梁孫裵白許南沈盧河石閔][\u4e00-\u9fff]{1,2})(?=[은는이가을를의도와과()\s,.]|$)"
)


class NameFinder(Protocol):
    """Anything that finds names in texts."""

    def __call__(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Return for each text its names in order, none overlapping."""


class KiwiNames:
    """The default: Kiwi's proper nouns and the rules of this module; needs no download."""

    def __call__(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Return for each text its names in order, none overlapping."""
        return [settled(_names_in(t, _tokens(t))) for t in texts]


@dataclass(frozen=True)
class _Word(Morpheme):
    """A Kiwi token; `known` when Kiwi's dictionary holds it, else the analyzer guessed."""

    known: bool


@dataclass(frozen=True)
class _Run(Span):
    """A run of proper nouns; `known` when the dictionary holds all of them."""

    known: bool


def _tokens(text: str) -> list[_Word]:
    # Kiwi gives guessed morphemes the id of their tag, which is below 100.
    return [
        _Word(t.form, str(t.tag).split("-")[0], t.start, t.start + t.len, t.id >= 100) for t in kiwi().tokenize(text)
    ]


def _names_in(text: str, tokens: list[_Word]) -> Iterator[Finding]:
    starts = {t.start: t for t in tokens}
    for match in WITH_TITLE.finditer(text):
        if not _is_common(starts.get(match.start(1)), match.group(1)):
            yield Finding(*match.span(1), NAME, 0.9)
    for match in WITH_PARTICLE.finditer(text):
        inside = [t for t in tokens if match.start(1) <= t.start < match.end(1)]
        if _could_be_name(match.group(1), inside):
            yield Finding(*match.span(1), NAME, 0.7)
    yield from _foreign(text, tokens)
    for match in SURNAME_ALONE.finditer(text):
        if not (match.group(3) and match.group(1) in DETERMINERS):
            yield Finding(*match.span(1), NAME, 0.8)
    for pattern in (LETTER, HANJA_NAME):
        for match in pattern.finditer(text):
            yield Finding(*match.span(1), NAME, 0.8)
    for match in ORGANIZATIONS.finditer(text):
        yield Finding(*match.span(), ORGANIZATION, 0.5)


def _is_common(word: _Word | None, name: str) -> bool:
    """A word of the dictionary that covers the would-be name (`고객`, `정부`) or reaches into its title (`태평양`)."""
    if word is None or not word.known:
        return False
    is_word = word.tag in ("NNG", "MAG", "MM", "XR", "VV", "VA")
    return len(word.form) > len(name) or (is_word and len(word.form) == len(name))


def _could_be_name(name: str, inside: list[_Word]) -> bool:
    """Whether a word of the shape of a name is one; `inside` are the tokens that begin within it."""
    if not inside or any(t.tag[0] == "E" or t.tag in ("VCP", "SN") for t in inside):
        return False
    first = inside[0]
    [probability] = likeness().of([name])
    if ADMINISTRATIVE.fullmatch(name) or (first.known and first.form == name and PLACES.fullmatch(name)):
        return probability >= SURELY and not (first.known and ADMINISTRATIVE.fullmatch(name))
    if first.form == name and first.known:
        return first.tag == "NNP" and probability >= RARELY
    if first.form == name:  # no word of the dictionary, and of the shape of a name: little more is needed
        return probability >= HARDLY
    if all(t.tag in ("NNP", "NNG") for t in inside) and first.tag == "NNP":
        return probability >= POSSIBLY
    # Rare names fall apart (`표 + 은 + 재`); a known word of two syllables at the start is that word.
    return len(first.form) < 2 and probability >= PROBABLY


def _foreign(text: str, tokens: list[_Word]) -> Iterator[Finding]:
    """Proper nouns that look like names whatever their surname; those side by side are one name: `스콧 켈리`."""
    runs = list(_proper_runs(text, tokens))
    probabilities = likeness().of(text[r.start : r.end] for r in runs)
    held: Finding | None = None
    for run, probability in zip(runs, probabilities):
        word = text[run.start : run.end]
        titled = TITLED.match(text, run.end) is not None
        if probability < (POSSIBLY if titled else SURELY) or (
            PLACES.fullmatch(word) and not titled and probability < 0.9
        ):
            continue
        korean = re.fullmatch(FULL, word) is not None
        joins = held is not None and not korean and text[held.end : run.start] in (" ", "·")
        if held is not None and joins:
            held = Finding(held.start, run.end, NAME, held.score)
            continue
        if held is not None:
            yield held
        held = Finding(run.start, run.end, NAME, 0.6)
    if held is not None:
        yield held


def _proper_runs(text: str, tokens: list[_Word]) -> Iterator[_Run]:
    """Runs of proper nouns that fill a word up to its particle."""
    start = end = -1
    known = True
    for token, follower in zip(tokens, [*tokens[1:], None]):
        if token.tag != "NNP":
            start = -1
            continue
        if start < 0 or token.start != end:
            start = token.start if token.start == 0 or not text[token.start - 1].isalnum() else -1
            known = True
        known = known and token.known
        end = token.end
        closed = (
            follower is None
            or follower.start > end
            or follower.tag[0] in "JS"
            or follower.tag in ("VCP", "NNB", "XSN")
        )
        if (
            start >= 0
            and closed
            and end - start >= 2
            and not (follower and follower.tag == "NNP" and follower.start == end)
        ):
            yield _Run(start, end, known)
            start = -1


class HubNames:
    """A token-classification model of the hub, or a local folder.

    Args:
        model (`str`): Model id or folder; its labels must name people (`PS`, `PER`, …) and organizations.
        device (`str`): `cpu`, `cuda:0`, …
    """

    KINDS = {
        "PS": NAME,
        "PER": NAME,
        "PERSON": NAME,
        "OG": ORGANIZATION,
        "ORG": ORGANIZATION,
        "ORGANIZATION": ORGANIZATION,
    }

    def __init__(self, model: str, device: str = "cpu") -> None:
        from transformers import pipeline

        self._tagger: Any = pipeline("token-classification", model=model, aggregation_strategy="simple", device=device)

    def __call__(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Return for each text its names in order, none overlapping."""
        return [settled(self._findings(t, entities)) for t, entities in zip(texts, self._tagger(list(texts)))]

    def _findings(self, text: str, entities: list[dict[str, Any]]) -> Iterator[Finding]:
        for entity in entities:
            kind = self.KINDS.get(str(entity["entity_group"]).upper().split("-")[-1])
            quote = text[entity["start"] : entity["end"]]
            if kind and quote.strip():
                start = entity["start"] + len(quote) - len(quote.lstrip())
                yield Finding(start, start + len(quote.strip()), kind, float(entity["score"]))
