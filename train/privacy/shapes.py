r"""Regular expressions for Korean identifiers that Presidio's recognizers miss, and the words that vouch for them.

Presidio 2.2.366 has recognizers for five Korean numbers, off by default, and none for phones, accounts, addresses and
plates. Its patterns bound words by `\b`, but Hangul is a word character, so that `hong@example.kr로` and
`4111-1111-1111-1111로` go unseen; every pattern here bounds itself by what must not stand beside it.

A pattern is tried on a text whose full-width digits and dashes were folded one to one, so offsets stay.
"""

from dataclasses import dataclass

FOLDED = str.maketrans("０１２３４５６７８９．＠－‐‑‒–—−﹣　\u00a0", "0123456789.@--------  ", "")


@dataclass(frozen=True)
class Shape:
    """One way to write an identifier.

    Args:
        kind (`str`): See `findings`.
        pattern (`str`): Regular expression for the folded text.
        score (`float`): Order among overlapping findings; .9 where the shape alone is proof.
        context (`str`): Regular expression that must match near the number; empty where the shape is proof.
        check (`str`): Name of a check in `identifiers`; empty for none.
    """

    kind: str
    pattern: str
    score: float
    context: str = ""
    check: str = ""


DATE6 = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
HIDDEN6 = r"\d{0,6}[*xXㅇ●○■□＊•]{1,6}"
BANK = (
    "은행|농협|수협|신협|축협|국민|신한|우리|하나|기업|카카오|토스|케이뱅크|새마을금고|우체국|뱅크|씨티|제일|금고"
    "|계좌|통장|예금|입금|송금|이체"
)
CAR = "차량|차주|자동차|주차|번호판|택시|버스|승합|승용|렌터카|트럭|갓길|블랙박스|콜밴|견인|과속|단속|추돌|소유자|하이패스|등록"
REGION = "서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주"
PLATE_LETTER = "[가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주바사아자배하허호]"
# `12조 3456억`, `15호 2024년`: amounts and dates look like plates.
NOT_A_PLATE = r"(?!\s?(?:만|억|조|천|원|년|월|일|명|개|건|호|톤|표|위|km|%|여\s|[.,]\d|-\d|\d))"

SIDO = rf"(?:(?:{REGION})(?:특별시|광역시|직할시|특별자치시|특별자치도|시|도)?|충청[북남]도|전라[북남]도|경상[북남]도|전북특별자치도) +"
# Everyday words that end like a city, a county or a district, before a number: `연구 활동 6`, `출시 도로 3`.
NOT_A_CITY = (
    r"(?!(?:역|다|즉|잠|필|혹|동|당|표|실|출|수|일|임|도|또|불|개|명|중|지|게|응|고|예|전|제|무|멸|주|플래)시 "
    r"|(?:장|미|해|공|육|적|국|아|종|반란|점령)군 )"
)
NOT_A_DISTRICT = (
    r"(?![가-힣]{0,3}(?:연|복|요|촉|축|농|야|배|탁|당|지|기|도|가|친|입|출|영|욕|항|청|추|강|탐|인|절|문|어|호|누)구 )"
)
CITY = rf"{NOT_A_CITY}[가-힣]{{1,5}}(?:시|군) +"
REAL_DISTRICTS = "분당|상당|처인|서대문|동대문|연수|유성|해운대|달|수영|금정|완산|덕진|기장|강서|도봉|동|서|남|북|중"
DISTRICT = rf"(?:(?:{REAL_DISTRICTS})구 +|{NOT_A_DISTRICT}[가-힣]{{1,4}}구 +)"
ROAD = (
    r"(?!(?:바|별|새|서|홀|대|스스|실제|주|추가|최초|평균|따|함부)로 )[가-힣][가-힣0-9·]{0,11}(?:로|길)"
    r"(?: ?\d{1,4}번?[가-힣]?길)? ?(?:지하 ?)?\d{1,5}(?:-\d{1,5})?"
)
LOT = r"[가-힣][가-힣0-9]{0,7}(?:동|리|가) +(?:산 ?)?\d{1,5}(?:-\d{1,5}|의 ?\d{1,5})?(?:번지)?"
NOT_A_LOT = (
    r"(?![\d,.]*\d| ?(?:명|원|년|월|일|시간|분|개|건|곳|편|톤|%|퍼센트|km|킬로|미터|m\b|만 |억|천 |대가|가구|여 |차례|번째|세기)"
    r"|(?:층|구|세|대|위|점|승|패|회|\\|조|항))"
)
DETAIL = (
    r"(?:,?\s?(?:지하\s?)?\d{1,3}층|,?\s?[A-Za-z가-하]?\d{0,4}동\s?\d{1,4}호|,?\s?\d{1,4}호(?:관)?(?![가-힣]*선)"
    r"|\s?\([가-힣0-9]+(?:동|리|가)(?:,[^)]{1,20})?\)"
    r"|,?\s[가-힣A-Za-z0-9]{1,12}(?:아파트|빌라|오피스텔|타워|빌딩|맨션|상가|타운|빌|팰리스|주택)(?![가-힣]{2})|,?\s상가)"
)
ADDRESS = (
    rf"(?<![가-힣])(?:{SIDO}(?:{CITY})?(?:{DISTRICT})?|{CITY}(?:{DISTRICT})?|{DISTRICT})(?:[가-힣0-9]{{1,6}}(?:읍|면) +)?"
    rf"(?:{ROAD}|{LOT}){NOT_A_LOT}(?:{DETAIL})*"
)

PASSPORT = r"(?<![A-Za-z0-9])[MSRODmsrod](?:\d{8}|\d{3}[A-Za-z]\d{4}|\d{2}[A-Za-z]\d{5})(?![A-Za-z0-9])"
EMAIL = (
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
AREA = r"(?:02|0[3-6][1-5]|070|080|050\d)"

SHAPES = (
    Shape("주민등록번호", rf"(?<!\d){DATE6}\s?-\s?[1-4](?:\d{{6}}|{HIDDEN6})(?!\d)", 0.95),
    Shape("주민등록번호", rf"(?<![\d-]){DATE6}\s[1-4]\d{{6}}(?![\d-])", 0.9),
    Shape("주민등록번호", rf"(?<![\d-]){DATE6}[1-4]\d{{6}}(?![\d-])", 0.85, check="bare_resident"),
    Shape("외국인등록번호", rf"(?<!\d){DATE6}\s?-\s?[5-8](?:\d{{6}}|{HIDDEN6})(?!\d)", 0.95),
    Shape("외국인등록번호", rf"(?<![\d-]){DATE6}[5-8]\d{{6}}(?![\d-])", 0.85, check="bare_resident"),
    Shape(
        "여권번호",
        PASSPORT,
        0.9,
        "여권|passport|항공권|비자|출입국",
    ),
    Shape(
        "운전면허번호",
        rf"(?<![\d-])(?:(?:{REGION})\s?\d{{2}}|(?:1[1-9]|2[0-8])-\d{{2}})-\d{{6}}-\d{{2}}(?![\d-])",
        0.92,
    ),
    Shape(
        "운전면허번호",
        rf"(?<![\d-])(?:(?:{REGION})\s?)?\d{{2}}[- ]?\d{{0,2}}[- ]?\d{{6}}[- ]?\d{{2}}(?![\d-])",
        0.9,
        "면허",
    ),
    Shape("전화번호", r"(?<![\d-])01[016789][-. ]?\d{3,4}[-. ]?\d{4}(?![\d-])", 0.9),
    Shape("전화번호", r"\+82[-. ]?(?:\(0\)|0)?\d{1,2}[-. ]?\d{3,4}[-. ]?\d{4}(?!\d)", 0.95),
    Shape(
        "전화번호",
        rf"(?<![\d-])(?:\({AREA}\)|{AREA}\)?)[-. ]?\s?\d{{3,4}}[-. ]\d{{4}}(?![\d-])",
        0.9,
    ),
    Shape(
        "전화번호",
        r"(?<![\d-])1(?:522|544|566|577|588|599|600|644|660|661|666|668|670|688|800|811|833|855|877|899)-\d{4}(?![\d-])",
        0.8,
        check="not_a_lifespan",
    ),
    Shape(
        "이메일",
        EMAIL,
        0.95,
    ),
    Shape("카드번호", r"(?<![\d-])[2-69]\d{3}([- ])\d{4}\1\d{4}\1\d{4}(?![\d-])", 0.9),
    Shape("카드번호", r"(?<![\d-])3[47]\d{2}([- ])\d{6}\1\d{5}(?![\d-])", 0.9),
    Shape("카드번호", r"(?<![\d-])(?:[3-6]\d{14,15}|9\d{15}|2[2-7]\d{14})(?![\d-])", 0.8, check="luhn"),
    Shape("사업자등록번호", r"(?<![\d-])\d{3}-\d{2}-\d{5}(?![\d-])", 0.8),
    Shape(
        "사업자등록번호", r"(?<![\d-])\d{3}[- ]?\d{2}[- ]?\d{5}(?![\d-])", 0.84, "사업자|등록번호|법인|세금계산서|납세"
    ),
    Shape("계좌번호", r"(?<![\d-])\d{2,6}(?:-\d{1,8}){1,4}(?![\d-])", 0.82, BANK, "account_length"),
    Shape("계좌번호", r"(?<![\d-])\d{3,6}(?: \d{2,8}){2,3}(?![\d-])", 0.7, f"(?:{BANK})\\W*$", "account_length"),
    Shape("계좌번호", r"(?<![\d-])\d{10,14}(?![\d-])", 0.7, BANK, "account_length"),
    Shape(
        "차량번호",
        rf"(?<![\d가-힣])(?:(?:{REGION})\s?)?\d{{2,3}}{PLATE_LETTER}\d{{4}}{NOT_A_PLATE}",
        0.85,
        check="not_a_case",
    ),
    Shape(
        "차량번호",
        rf"(?<![\d가-힣])(?:{REGION})\s?\d{{2,3}}{PLATE_LETTER}\s\d{{4}}{NOT_A_PLATE}",
        0.86,
        check="not_a_case",
    ),
    Shape("차량번호", rf"(?<![\d가-힣])\d{{2,3}}{PLATE_LETTER}\s\d{{4}}{NOT_A_PLATE}", 0.8, CAR, "not_a_case"),
    Shape("주소", ADDRESS, 0.75),
    Shape("IP주소", r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)", 0.8, check="ip"),
    Shape("IP주소", r"(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:])", 0.8, check="ip"),
)
