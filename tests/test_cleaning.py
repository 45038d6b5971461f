"""Cleaning: what goes, what stays, and that answers follow every edit."""

import random
import re
import unicodedata
from dataclasses import replace

import pytest

from koqas.koqas_types import Document, Span
from koqas.train.cleaning.alignment import Trail, rewrite
from koqas.train.cleaning.boilerplate import is_boilerplate, without_boilerplate
from koqas.train.cleaning.quality import QualityPolicy, flaw_of
from koqas.train.cleaning.stage import CleaningPolicy, clean_example, clean_text
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.rejections import Rejection

PAGE = """<!DOCTYPE html><html><head><title>솔내시</title><style>p {color: red}</style></head><body>
<nav><a href="/login">로그인</a> | <a>회원가입</a></nav>
<h2>연혁<span class="mw-editsection">[편집]</span></h2>
<p>솔내시는&nbsp;<b>1995년</b>에   문을 열었다.<sup class="reference">[1]</sup> A&amp;B 회사가
협력하였다. 지금은 시민 누구나 이용할 수 있으며 매달 둘째 월요일에 쉰다.</p>
<table><caption>이용자</caption><tr><th rowspan=2>연도<th colspan=2>이용자<tr><th>어린이<th>어른
<tr><td rowspan="2">2020년<td>1,200명<td>900|명</tr><tr><td>31명<td>서른 명</tr><tr><td colspan=3>합계 2,161명</table>
<ul><li>하나<li>둘<ul><li>둘의 하나</ul></ul><script>alert("스크립트")</script>
<p style="display: none">숨긴 글</p><table><tr><td>틀만 잡는 표</td></tr></table><p>x &lt; 3 &#44; y</p>
<footer>ⓒ 솔내신문. 무단 전재 및 재배포 금지</footer></body></html>"""
PROSE = (
    "버드내장은 해마다 음력 정월에 크게 선다. 1923년 처음 열렸을 때는 소를 파는 사람이 많았다. "
    "지금은 상인 130명이 나물과 생선을 판다."
)


def row_of(text, answer, **changes):
    start = text.index(answer)
    columns = {
        "id": "r1",
        "source": "made",
        "license": "CC0-1.0",
        "domain": "생활",
        "question": "언제 열렸나?",
        "documents": (Document("d1", text, "제목"),),
        "useful": (True,),
        "answer": answer,
        "evidence": (EvidenceSpan("d1", start, start + len(answer)),),
        "answerable": True,
    }
    return Example(**{**columns, **changes})


def test_page_becomes_markdown_in_which_every_row_stands_alone():
    text = clean_text(PAGE).text
    assert "## 연혁\n\n솔내시는 1995년에 문을 열었다. A&B 회사가 협력하였다." in text
    table = [line for line in text.split("\n") if line.startswith("|")]
    assert table == [
        "| 연도 | 이용자 어린이 | 이용자 어른 |",
        "|---|---|---|",
        "| 2020년 | 1,200명 | 900\\|명 |",
        "| 2020년 | 31명 | 서른 명 |",
        "| 합계 2,161명 | 합계 2,161명 | 합계 2,161명 |",
    ]
    assert "- 하나\n- 둘" in text and "- 둘의 하나" in text
    assert "x < 3 , y" in text and "틀만 잡는 표" in text
    for gone in ("로그인", "color", "편집", "[1]", "스크립트", "숨긴", "무단 전재", "<", "\xa0"):
        assert gone not in text.replace("x < 3", "")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1995년", "1995년"),
        ("A&amp;B", "A&B"),
        ("900|명", "900\\|명"),
        ("2020년", "2020년"),
        ("31명<td>서른 명", "31명 | 서른 명"),
        ('문을 열었다.<sup class="reference">[1]</sup> A', "문을 열었다. A"),
        ("x &lt; 3 &#44; y", "x < 3 , y"),
    ],
)
def test_spans_follow_through_markup(source, shown):
    trail = clean_text(PAGE)
    start = PAGE.index(source)
    followed = trail.follow(Span(start, start + len(source)))
    assert trail.text[followed.start : followed.end] == shown


def test_hidden_text_has_no_place_in_the_result():
    start = PAGE.index("숨긴 글")
    assert clean_text(PAGE).follow(Span(start, start + 4)) is None


def test_every_word_of_a_dirty_text_is_followed():
    """Words are followed one by one through NFD, invisible characters, odd spaces, entities and line breaks."""
    chance = random.Random(4)
    words = re.findall(r"\w+", PROSE) * 3
    dirty, spans = "", []
    for number, word in enumerate(words):
        written = unicodedata.normalize("NFD", word) if number % 3 == 0 else word
        written = written[:1] + "\u200b" + written[1:] if number % 4 == 1 and len(written) > 1 else written
        dirty += chance.choice([" ", "\u3000 ", "\xa0", "\r\n", "\n\n\n", "\t", " \ue001", " &amp; ", "\x00 "])
        spans.append((Span(len(dirty), len(dirty) + len(written)), word))
        dirty += written
    for text, offset in ((dirty, 0), (f"<div><p>{dirty}</p></div>", len("<div><p>"))):
        trail = clean_text(text)
        assert unicodedata.is_normalized("NFC", trail.text)
        assert not re.search("[\u200b\ue001\x00\u3000\xa0\t\r]|  |\n\n\n|&amp;", trail.text)
        for span, word in spans:
            followed = trail.follow(Span(span.start + offset, span.end + offset))
            assert trail.text[followed.start : followed.end] == word


def test_statutes_and_formulas_are_no_markup():
    text = "제2조(정의) 이 법에서 쓰는 말은 다음과 같다. <개정 2008.2.29> 값이 a<b 이고 c>d 이면 그러하지 아니하다."
    assert clean_text(text).text == text


def test_clean_text_is_left_alone():
    once = clean_text(PAGE).text
    assert clean_text(once).text == once
    assert clean_text(PROSE).edits == ()


def test_hostile_markup_ends_soon():
    spans = "<table>" + "<tr><td rowspan=65534 colspan=1000>가</td></tr>" * 300 + "</table>"
    assert len(clean_text(spans).text) < 1_000_000
    assert "끝" in clean_text("<div>" * 400 + "끝").text
    assert clean_text("<a href='" * 2000 + "글").text is not None
    assert clean_text("<p>\U000f00005\U000f0001 가짜 표시</p>").text == "5 가짜 표시"


@pytest.mark.parametrize(
    "line",
    [
        "ⓒ 한들일보, 무단 전재 및 재배포 금지",
        "로그인 | 회원가입 | 고객센터",
        "박서준 기자 seojun@example.kr",
        "입력 2024.03.02 11:20 | 수정 2024.03.02 12:00",
        "[사진=한들시 제공]",
        "▶ 카톡으로 제보하기 바로가기",
        "이전글",
    ],
)
def test_boilerplate_lines_go(line):
    assert is_boilerplate(line)
    assert line not in clean_text(f"{PROSE}\n{line}\n{PROSE}").text


@pytest.mark.parametrize(
    "line",
    [
        "그는 20년 동안 기자로 일하며 시장 사람들의 이야기를 썼다.",
        "저작권자를 찾지 못한 책은 위원회의 승인을 얻어 펴낼 수 있다.",
        "편집부는 5층에 있다.",
        "문서 보관 기간은 10년이다.",
        "## 공유 경제",
    ],
)
def test_sentences_that_mention_such_words_stay(line):
    assert not is_boilerplate(line)


def test_an_answer_is_never_boilerplate():
    text = "안내문\n박서준 기자\n끝"
    start = text.index("박서준")
    assert "박서준" not in without_boilerplate(text).text
    assert without_boilerplate(text, [Span(start, start + 3)]).text == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("짧은 글이다.", "too_short"),
        ("The market opens every five days and sells vegetables and fish to the people of the town.", "not_korean"),
        ("버드내장은 크게 선다.\n" * 12, "duplicate_lines"),
        (PROSE + " 문의는 언제든지 전화로 받습니다 저희는 늘 친절하게 모십니다" * 12, "top_2gram"),
        (PROSE.replace("상인", "�� 상인 ��"), "mojibake"),
        ("ㅋㅋㅋㅋㅋㅋㅋㅋㅋ 정말 재미있었다 그치 ㅎㅎㅎㅎㅎㅎ 다음에 또 가자 ㅠㅠㅠㅠ 꼭이야", "lone_jamo"),
        ("#장날 #시장 #나물 #생선 #상인 #버드내 #정월 #음력 #구경 #나들이 #먹거리", "symbols"),
        ("\n".join(f"- {PROSE[i : i + 20]}" for i in range(0, 60, 5)), "bullets"),
        ("\n".join(f"{PROSE[i : i + 25]}…" for i in range(0, 60, 5)), "ellipses"),
        (
            "장터의 어른들이 오래전부터 지켜 온 여러 가지 규칙에 관하여 조합이 정리한 바에 따르면 다음의\n" * 1,
            "broken_sentences",
        ),
    ],
)
def test_low_quality_is_named(text, reason):
    flaw = flaw_of(clean_text(text, boilerplate=False).text, QualityPolicy())
    assert flaw is not None and flaw.reason == reason


def test_good_prose_and_tables_pass():
    table = "\n".join(f"| 2020년 | {i}월 | {i * 7}명 |" for i in range(1, 30))
    for text in (PROSE, f"{PROSE}\n\n| 해 | 달 | 수 |\n|---|---|---|\n{table}", clean_text(PAGE).text):
        assert flaw_of(text, QualityPolicy()) is None


def test_row_follows_its_evidence():
    text = f"<p>{PROSE.replace('1923년', '<b>1923년</b>')}</p>"
    cleaned = clean_example(row_of(text, "1923년"))
    assert isinstance(cleaned, Example)
    assert cleaned.documents[0].text == PROSE and cleaned.quotes() == ("1923년",) and cleaned.problems() == []


def test_answer_with_markup_becomes_what_it_shows():
    text = f"<p>{PROSE.replace('음력 정월', '음력&nbsp;<i>정월</i>')}</p>"
    quote = "음력&nbsp;<i>정월</i>"
    row = replace(row_of(text, quote), answer="음력 정월")
    cleaned = clean_example(row)
    assert cleaned.answer == "음력 정월" == cleaned.quotes()[0]


def test_lost_evidence_drops_the_row_with_its_reason():
    text = f"<p>{PROSE}</p><p hidden>비밀은 1899년이다.</p>"
    lost = clean_example(row_of(text, "1899년"))
    assert lost == Rejection("cleaning", "evidence_lost", lost.detail, source="made", id="r1")


def test_poor_distractors_leave_poor_passages_reject():
    row = row_of(PROSE, "1923년")
    poor = Document("d2", "메뉴 열기", "")
    both = clean_example(row_of(PROSE, "1923년", documents=(*row.documents, poor), useful=(True, False)))
    assert [d.id for d in both.documents] == ["d1"] and both.useful == (True,)
    short = clean_example(row_of("1923년이다.", "1923년"))
    assert isinstance(short, Rejection) and short.reason == "too_short"
    relaxed = clean_example(row_of("1923년이다.", "1923년"), CleaningPolicy(QualityPolicy(shortest=3)))
    assert isinstance(relaxed, Example)


def test_trail_forgets_nothing_between_edits():
    trail = Trail("가  나&다")
    trail = trail.then(rewrite(trail.text, re.compile("  "), lambda m: " "))
    trail = trail.then(rewrite(trail.text, re.compile("&"), lambda m: " 그리고 "))
    assert trail.text == "가 나 그리고 다"
    assert trail.follow(Span(5, 6)) == Span(8, 9) and trail.follow(Span(3, 6)) == Span(2, 9)
