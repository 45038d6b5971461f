"""The Korean robustness suite, its promise, and the normalization behind it."""

import json
from collections import Counter

import pytest
from conftest import ROOT

from koqas.benchmarks.robustness import searchers_of
from koqas.benchmarks.suite import HALVES, SUITE, measured, read_suite
from koqas.koqas_hanja import hangul_readings
from koqas.koqas_normalization import expansion_of, normalized_tokens
from koqas.koqas_numerals import numeral_tokens, worth
from koqas.koqas_retrieval import Index, IndexSettings, query_of
from koqas.koqas_text import sentences_of
from koqas.koqas_types import Document, KoQasError
from koqas.koqas_variants import Variants, spelled_letters


@pytest.fixture(scope="module")
def report():
    suite = read_suite()
    made = searchers_of(str(ROOT))
    return {name: measured(made[name](), suite) for name in ("whitespace_bm25", "bigram_bm25", "ko_qas")}


def numerals(text):
    return {t for s in sentences_of(text) for t in numeral_tokens(s)}


def test_suite_is_whole():
    suite = read_suite()
    assert len(suite.cases) >= 400
    assert len({d.text for d in suite.documents}) == len(suite.documents)
    assert len({c.question for c in suite.cases}) == len(suite.cases)
    counts = Counter((c.category, c.half) for c in suite.cases)
    assert len(counts) == 20 and min(counts.values()) >= 20


def test_bad_line_of_the_suite_is_named(tmp_path):
    row = json.loads(SUITE.read_text("utf-8").splitlines()[0])
    (tmp_path / "suite.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row | {"half": "third"}) + "\n")
    with pytest.raises(KoQasError, match="suite.jsonl:2"):
        read_suite(tmp_path / "suite.jsonl")


@pytest.mark.parametrize("half", HALVES)
def test_suite_is_passed(report, half):
    found = report["ko_qas"][half]
    assert found["all"]["hit@5"] >= 0.95
    assert all(rows["hit@5"] >= 0.85 for rows in found.values()), found


@pytest.mark.parametrize("half", HALVES)
def test_suite_is_hard_without_korean(report, half):
    assert report["whitespace_bm25"][half]["all"]["hit@5"] < 0.4
    assert report["bigram_bm25"][half]["all"]["hit@5"] < report["ko_qas"][half]["all"]["hit@5"] - 0.1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3만 원이다.", "30,000원"),
        ("1억 5천만 원", "150,000,000원"),
        ("1.5억 원", "1억 5000만 원"),
        ("스물세 명이다.", "23명"),
        ("이천이십일년 칠월 십칠일", "2021. 7. 17."),
        ("'98년 3월 2일", "1998-03-02"),
        ("오후 3시 반", "15:30"),
        ("자정에 닫는다.", "0시에 닫는다."),
        ("유월 나흘", "6월 4일"),
        ("80년대", "1980년대"),
    ],
)
def test_numbers_meet(one, other):
    assert numerals(one) & numerals(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("3만 원", "3만 5천 원"), ("2019년 3월 2일", "2019년 2월 3일"), ("오전 3시", "15시"), ("스물세 명", "32명")],
)
def test_different_numbers_do_not_meet(one, other):
    meeting = {t for t in numerals(one) & numerals(other) if not t.startswith("=m") and len(t) != len("=2019-03")}
    assert not meeting


def test_words_that_look_like_numerals_are_none():
    assert not numerals("만일 비가 오면 이사를 미룬다. 천사와 조사는 구이를 먹는다.")
    assert worth("수백만") is None


def test_hanja_is_read():
    assert hangul_readings("白磁 항아리") == ["백자"]
    assert "여류" in hangul_readings("女流 시인") and "낙원동" in hangul_readings("樂園洞")
    assert hangul_readings("美 대통령")[0] == "미국"
    assert "역사" in hangul_readings("歴史")  # a form that is not in KS X 1001
    assert hangul_readings("한글만") == []
    assert hangul_readings("㐂")[0] == "㐂"  # no known reading


def test_spaced_syllables_and_loose_jamo_are_joined():
    assert "도서관" in normalized_tokens(sentences_of("도 서 관 휴관")[0])
    assert "인삼" in expansion_of(sentences_of("ㅇㅣㄴ삼 농장")).tokens


def test_variants():
    words = Variants(["초콜릿", "베토벤", "schubert", "도서관", "서울", "a", "#도서"])
    assert words.of("쵸콜렛", True) == ("초콜릿",)
    assert words.of("beethoven", True) == ("베토벤",)
    assert words.of("슈베르트", False) == ("schubert",)
    assert words.of("도서괸", True) == ("도서관",)
    assert words.of("도서괸", False) == () and words.of("냉장고", True) == ()
    assert spelled_letters("imf") == "아이엠에프" and spelled_letters("아이엠에프") == "imf"
    assert spelled_letters("피아노") == "" and spelled_letters("피") == ""


def test_known_words_are_left_alone():
    """A word that an index holds is not replaced by one that sounds like it."""
    index = Index.build([Document("a", "사과를 팔았다."), Document("b", "사기를 쳤다.")], None, IndexSettings())
    assert query_of("사과").expansion.within(index.lexical.vocab_dict, lambda: index.variants) == []
    assert index.search(query_of("사과"), 1)[0].chunk.document == "a"


def test_normalized_tokens_do_not_count_as_words():
    """What judges passages sees the words that stand there, not what search adds to them."""
    index = Index.build([Document("a", "값은 30,000원이다.")], None, IndexSettings())
    assert "=30000" in index.lexical.vocab_dict
    assert index.coverage({"=30000": 1.0}, index.chunks[0]) == (0.0, [0.0])
    plain = query_of("삼만 원").plain()
    assert not plain.expansion.tokens and plain.tokens == query_of("삼만 원").tokens
