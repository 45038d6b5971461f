"""Read Hanja in Hangul, so that `白磁` is found by `백자` and the other way round.

KS X 1001 lists its 4,888 Hanja in the order of their readings, and lists a character again for each further reading (`樂`
as 낙, 락, 악, 요; `李` as 리 and 이). How many stand under each reading is therefore the whole table; Python's codec knows the
rest. Characters outside the standard stay as they are.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import islice, product

# Reading and number of characters, in the order of the standard (rows 42 to 93).
COUNTS = (
    "가29각11간24갈10감20갑6강24개20객2갱4갹1거17건12걸4검7겁3게3격7견11결6겸6경45계24고39곡7곤10골3공16곶1과12곽4관17괄4광13괘3"
    "괴9굉4교25구54국6군6굴4궁6권10궐5궤6귀6규15균7귤1극7근15글1금14급7긍4기64긴1길4김1끽1나15낙8난9날2남9납5낭7내6냉1녀1년3념4녕2"
    "노18녹6논1농7뇌6뇨1누8눈1눌1뉴2늑2늠1능6니2닉2다2단20달5담17답5당11대16댁1덕2도40독10돈10돌2동17두11둔6득1등9라9락9란9랄2람10"
    "랍3랑8래4랭1략2량13려18력7련12렬6렴5렵1령18례5로18록7론1롱7뢰8료12룡1루13류14륙3륜6률4륭1륵2름1릉6리26린9림5립4마8막6만19말7"
    "망12매14맥5맹6멱2면11멸2명15몌1모24목7몰2몽3묘12무22묵2문12물3미19민13밀3박19반25발11방28배20백8번10벌4범9법2벽11변7별4병17"
    "보16복17본1볼1봉16부43북1분19불5붕6비43빈14빙4사60삭4산12살5삼8삽4상31새5색3생5서30석15선32설13섬8섭4성18세9소37속9손6솔1송8"
    "쇄5쇠2수61숙12순27술4숭3슬3습5승10시28식15신24실4심10십3쌍1씨1아18악14안10알4암8압4앙7애11액7앵4야11약9양31어10억5언6얼2엄6"
    "업2엔1여24역13연43열10염15엽4영40예24오30옥5온6올1옹9와8완18왈1왕5왜4외5요38욕6용24우32욱9운13울3웅2원27월3위25유56육7윤13율5"
    "융5은7을1음6읍3응4의19이38익8인24일9임11입5잉4자26작13잔5잠6잡1장37재17쟁4저28적25전41절8점9접3정55제23조46족4존2졸3종17좌5"
    "죄1주40죽2준19줄1중4즉1즐1즙3증11지34직5진35질15짐2집7징3차15착7찬15찰5참10창22채12책4처4척15천19철10첨10첩10청8체10초27촉6"
    "촌4총10촬1최3추23축12춘3출3충6췌4취14측5층1치24칙3친1칠3침9칩1칭2쾌1타14탁16탄10탈2탐4탑3탕5태14택3탱1터1토4통7퇴6투6특2틈1"
    "파16판9팔3패11팽4퍅1편10폄1평5폐10포28폭6표14품2풍5피7필10핍2하14학5한14할2함12합7항17해18핵2행5향9허4헌4헐1험2혁4현21혈4혐1"
    "협12형20혜9호41혹3혼6홀3홍10화14확6환17활5황24회20획2횡3효13후13훈10훙1훤4훼3휘8휴5휼3흉5흑1흔4흘4흠3흡4흥1희20힐1"
)
FIRST_ROW, LAST_ROW, FIRST_CELL, LAST_CELL = 0xCA, 0xFD, 0xA1, 0xFE
# Forms usual in other editions of a text, and the form that stands in KS X 1001.
VARIANTS = dict(
    zip(
        "青教真為説黄清歩戸県国学会体号写実対当党権関黒緑歴楽気経済帰悪乱仏沢満広鉄発変転軽覚読売数証観図区医",
        "靑敎眞爲說黃淸步戶縣國學會體號寫實對當黨權關黑綠歷樂氣經濟歸惡亂佛澤滿廣鐵發變轉輕覺讀賣數證觀圖區醫",
    )
)
# What a headline writes with one character, or two, instead of a name.
HEADLINE = {
    "美": "미국", "中": "중국", "日": "일본", "北": "북한", "英": "영국", "獨": "독일", "佛": "프랑스", "露": "러시아",
    "蘇": "소련", "印": "인도", "伊": "이탈리아", "濠": "호주", "臺": "대만", "靑": "청와대", "檢": "검찰", "與": "여당",
    "野": "야당", "前": "전", "新": "신",
}  # fmt: skip
HANJA = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")
MOST_READINGS = 6  # of one word, counting the readings of each of its characters


@lru_cache(maxsize=1)
def readings() -> dict[str, tuple[str, ...]]:
    """Return the readings of each Hanja of KS X 1001, the one under its own code point first."""
    found: dict[str, list[str]] = {}
    listed = iter(re.findall(r"([가-힣])(\d+)", COUNTS))
    reading, left = "", 0
    for row in range(FIRST_ROW, LAST_ROW + 1):
        for cell in range(FIRST_CELL, LAST_CELL + 1):
            if not left:
                reading, count = next(listed)
                left = int(count)
            left -= 1
            character = bytes([row, cell]).decode("euc_kr")
            own = unicodedata.normalize("NFKC", character)  # further readings have compatibility code points
            held = found.setdefault(own, [])
            held.insert(0 if own == character else len(held), reading)
    return {character: tuple(dict.fromkeys(held)) for character, held in found.items()}


def hangul_readings(text: str) -> list[str]:
    """Read the Hanja of a text, with the Hangul around them, in Hangul.

    Args:
        text (`str`): Any text.

    Returns:
        `list[str]`: For each word with Hanja its possible readings, likeliest first; nothing for a text without Hanja.
            A character without a known reading is kept.
    """
    words = (w for w in re.findall(r"\w+", unicodedata.normalize("NFKC", text)) if HANJA.search(w))
    return [reading for word in words for reading in _read(word)]


def _read(word: str) -> list[str]:
    choices = [_choices(word, at) for at in range(len(word))]
    read = ["".join(parts) for parts in islice(product(*choices), MOST_READINGS)]
    short = HANJA.match(word)
    if short and len(short[0]) == 1 and (name := HEADLINE.get(VARIANTS.get(short[0], short[0]))):
        read.insert(0, name + word[1:])
    return read


def _choices(word: str, at: int) -> tuple[str, ...]:
    """Return the readings of one character; inside a word the one that the initial sound rule does not change first."""
    character = VARIANTS.get(word[at], word[at])
    known = readings().get(character, (character,))
    begins = at == 0 or not HANJA.match(word[at - 1])
    return tuple(sorted(known, key=lambda r: _liquid(r) if begins else not _liquid(r))) if len(known) > 1 else known


def _liquid(reading: str) -> bool:
    """Tell whether a reading begins with ㄹ, or with ㄴ before a vowel that the initial sound rule drops it before."""
    initial, vowel = divmod((ord(reading) - 0xAC00) // 28, 21)
    return initial == 5 or (initial == 2 and vowel in (6, 12, 17, 20))
