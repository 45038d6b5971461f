"""Which question word fits an answer: who, when, where, how many, what kind of thing.

Comes in: the answer's text and morphemes and what follows it. Goes out: an `Asking`, the question word for the
answer's place in the sentence and the head noun for "the … that …" questions. Heuristics over the form of the
answer; a wrong guess costs a strange question, never a wrong answer.
"""

import random
import re
from dataclasses import dataclass

from koqas.koqas_text import Morpheme

YEAR = re.compile(r"(\d{1,4}년)(대|경|쯤)?$")
DATE = re.compile(r"\d+월(\s?\d+일)?$|\d+일$|세기$|시대$|년간?$")
QUANTITY = re.compile(r"^(약 |총 |제)?[\d,.]+\s?(여|만|억|조|천|백|십)*\s?(\D*)$")
PLACE = re.compile(
    r"(특별시|광역시|시|군|구|도|읍|면|동|리|주|현|섬|산|강|호|만|해|역|항|공항|성|궁|사원|공원|광장|지방|반도|대륙|마을)$"
)
COUNTRY = re.compile(r"(국|공화국|제국|왕국|연방|스페인|프랑스|독일|일본|러시아|영국|미국|중국|이탈리아|캐나다|인도)$")
ORGANIZATION = re.compile(
    r"(회사|대학교|대학|학교|위원회|부|청|당|은행|협회|재단|구단|학회|연맹|그룹|기관|법원|연구소|센터|방송|신문|병원|군단|사단)$"
)
SURNAME = (
    "김이박최정강조윤장임한오서신권황안송류유전홍고문양손배백허남심노하곽성차주우구민진지엄채원천"
    "방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모"
)
PERSON = re.compile(rf"^[{SURNAME}][가-힣]{{2}}$|^[가-힣]{{1,5}}( [가-힣]{{1,6}}){{1,2}}$")
HONORIFIC = re.compile(
    r"^\s?(씨|대통령|감독|교수|의원|장관|박사|선수|작가|왕|장군|대표|총리|사장|회장|시인|화가|신부|목사|판사|변호사|여사)"
)
GENERIC = frozenset(
    "영화 소설 노래 작품 앨범 회사 법 학교 대학교 도시 나라 언어 종교 상 제도 기술 정책 사건 전쟁 전투 조약 협정 대회 경기 기관 "
    "단체 정당 신문 방송 잡지 프로그램 식물 동물 물질 원소 질병 약물 음식 악기 무기 엔진 섬 강 산 호수 역 노선 도로 다리 건물 성당 "
    "사원 궁전 박물관 시대 왕조 부대 직책 직업 학문 이론 방법 방식 원리 현상 성분 색 계급 종목 리그 구단 팀 그룹 밴드 장르 시리즈".split()
)


@dataclass(frozen=True)
class Asking:
    """How an answer is asked for.

    Args:
        word (`str`): Question word in the answer's place, without particle (`누구`, `어느 도시`, `몇 명`).
        head (`str`): Head noun of a relative clause about the answer (`사람`, `곳`, `해`, `것`).
        final (`str`): Question word after that head (`누구`, `어디`, `언제`).
        drops_particle (`bool`): The word takes no locative or temporal particle (`언제`).
    """

    word: str
    head: str
    final: str
    drops_particle: bool = False


def asking_for(answer: str, morphemes: tuple[Morpheme, ...], after: str, rng: random.Random) -> Asking:
    """Choose how to ask for an answer.

    Args:
        answer (`str`): The answer's text.
        morphemes (`tuple[Morpheme, ...]`): Its morphemes.
        after (`str`): The text that follows it.
        rng (`random.Random`): Chooses among fitting words.
    """
    if YEAR.search(answer):
        year = rng.choice(["언제", "언제", "몇 년", "몇 년도", "어느 해"])
        return Asking(
            year,
            rng.choice(["해", "해", "연도", "시기", "때", "것"]),
            rng.choice(["언제", "몇 년", "어느 해"]),
            year == "언제",
        )
    if DATE.search(answer):
        return Asking("언제", rng.choice(["날", "때", "시기", "것"]), "언제", True)
    if (found := QUANTITY.match(answer)) and re.search(r"\d", answer):
        return _quantity(found.group(3).strip(), rng)
    if HONORIFIC.match(after) or PERSON.match(answer) and morphemes[-1].tag == "NNP" and rng.random() < 0.75:
        return Asking(
            rng.choice(["누구", "누구", "누구", "어떤 인물", "어떤 사람"]), rng.choice(["사람", "인물", "이"]), "누구"
        )
    return _thing(answer, morphemes, rng)


def _quantity(unit: str, rng: random.Random) -> Asking:
    if unit in ("명", "사람", "인"):
        return Asking("몇 명", "사람", "몇 명")
    if unit in ("%", "퍼센트", "달러", "원", "유로", "km", "m", "kg", "톤", "km²", "킬로미터", "미터"):
        word = rng.choice(["얼마", "얼마", "몇 " + unit])
        return Asking(word, rng.choice(["값", "수치", "것"]), word)
    if unit and len(unit) <= 4:
        return Asking(f"몇 {unit}", "수", rng.choice([f"몇 {unit}", "얼마"]))
    return Asking(rng.choice(["얼마", "몇"]) if not unit else "얼마", "수", "얼마")


def _thing(answer: str, morphemes: tuple[Morpheme, ...], rng: random.Random) -> Asking:
    last = morphemes[-1].form
    if last in GENERIC and len(answer) > len(last):
        word = rng.choice([f"어느 {last}", f"어떤 {last}", f"무슨 {last}"])
        return Asking(word, last, rng.choice(["무엇", word, "어느 것"]))
    if COUNTRY.search(answer):
        return Asking(
            rng.choice(["어느 나라", "어디"]), rng.choice(["나라", "국가", "곳"]), rng.choice(["어디", "어느 나라"])
        )
    if ORGANIZATION.search(answer):
        kind = rng.choice(["기관", "단체", "곳", ORGANIZATION.search(answer).group()])  # type: ignore[union-attr]
        return Asking(rng.choice([f"어느 {kind}", "어디", "무엇"]), kind, rng.choice(["어디", "무엇", f"어느 {kind}"]))
    if PLACE.search(answer):
        return Asking(rng.choice(["어디", "어느 곳", "어느 지역"]), rng.choice(["곳", "지역", "장소"]), "어디")
    if morphemes[-1].tag == "NNP" and rng.random() < 0.35:
        return Asking(rng.choice(["누구", "어디"]), rng.choice(["사람", "곳"]), rng.choice(["누구", "어디"]))
    return Asking(
        rng.choice(["무엇", "무엇", "무엇", "뭐", "어떤 것"]),
        rng.choice(["것", "것", "것", "대상"]),
        rng.choice(["무엇", "무엇", "뭐"]),
    )
