"""Lines that belong to the site and not to the text: navigation, bylines, copyright, sharing, advertisements.

Comes in: plain text, one block a line, as the markup step leaves it. Goes out: the text without those lines, aligned.
The patterns were written from what Korean news, blog and public pages print around their text; whole lines only, so
that a sentence that merely mentions a copyright stays.
"""

import re
from collections.abc import Sequence

from koqas.koqas_types import Span
from koqas.train.cleaning.alignment import Edited, Writer

LONGEST = 120  # characters; a longer line is prose even when it begins like boilerplate
MENU = (
    "로그인|로그아웃|회원가입|마이페이지|사이트맵|이용약관|개인정보 ?(?:처리|취급)방침|고객센터|전체 ?메뉴|메뉴 (?:열기|닫기)"
    "|본문 ?(?:으로)? ?바로 ?가기|주 ?메뉴 ?바로 ?가기|검색(?:어를? 입력.*)?|목차(?:로)?|맨 ?위로(?: 가기)?|TOP|top"
    "|이전 ?글|다음 ?글|목록(?:으로| ?보기)?|인쇄(?:하기)?|프린트|스크랩|공유(?:하기)?|URL ?복사|글자 ?크기(?: .*)?|댓글(?: ?\\d+)?"
    "|좋아요(?: ?\\d+)?|싫어요(?: ?\\d+)?|구독(?:하기)?|신고(?:하기)?|페이스북|트위터|카카오(?:톡|스토리)|네이버 ?(?:밴드|블로그)|더 ?보기"
    "|접기|펼치기|닫기|편집|원본 ?편집|역사 ?보기|토론|문서|읽기|광고|AD|advertisement|관련 ?(?:기사|뉴스)"
    "|많이 ?본 ?(?:기사|뉴스)|인기 ?(?:기사|글)"
)
PATTERNS = (
    re.compile(rf"[\[(<▶▷■□●◆·•|/\-–\s]*(?:{MENU})(?:[\s|/·>»<\])▶-]+(?:{MENU}))*[\s|/·>»\])▶-]*"),
    re.compile(
        r".*(?:무단 ?(?:전재|복제|배포|도용)|재배포 ?금지|all rights reserved|저작권자 ?[©ⓒ(:]|copyright ?[©ⓒ(]).*",
        re.IGNORECASE,
    ),
    re.compile(r"[©ⓒ].*"),
    re.compile(r"\W*[가-힣]{2,4} ?(?:기자|특파원|인턴기자|통신원|객원기자)\W*(?:[\w.+-]+@[\w.-]+)?\W*"),
    re.compile(r"(?:기사)? ?(?:입력|수정|등록|승인|최종 ?수정)(?:일|시각|일시)? ?[:：]? ?\d{4}[-./년].*"),
    re.compile(r"[\[(]?(?:사진|이미지|영상|그래픽|자료|출처) ?(?:출처|제공)? ?[=:：].{0,60}"),
    re.compile(r"(?:▶|☞|※|▷).{0,30}(?:바로 ?가기|구독|채널|제보|앱 ?(?:설치|다운)|카톡|클릭).*"),
    re.compile(r"(?:이 기사는|본 기사는).{0,40}(?:제휴|제공|작성).{0,20}"),
    re.compile(r"(?:원본 주소|최종 편집|이 문서는 \d{4}년).{0,100}(?:입니다|편집되었|참고하십시오).*"),
    re.compile(r"(?:쿠키|cookie).{0,60}(?:동의|사용합니다|허용|accept).*", re.IGNORECASE),
)


def is_boilerplate(line: str) -> bool:
    """Tell whether a line, without white space at its ends, belongs to the site and not to the text."""
    return len(line) <= LONGEST and any(p.fullmatch(line) for p in PATTERNS)


def without_boilerplate(text: str, protected: Sequence[Span] = ()) -> Edited:
    """Drop boilerplate lines, but none that overlaps a protected span (an answer).

    Args:
        text (`str`): Plain text.
        protected (`Sequence[Span]`): Spans of `text`, in characters.
    """
    writer = Writer()
    begin = kept = 0
    for line in text.splitlines(keepends=True):
        end = begin + len(line)
        guarded = any(s.start < end and s.end > begin for s in protected)
        if line.strip() and not guarded and is_boilerplate(line.strip()):
            writer.keep(text[kept:begin], kept, begin)
            kept = end
        begin = end
    writer.keep(text[kept:], kept, len(text))
    return writer.edited()
