"""Every set of the catalog is read from a file shaped like the published one, through the reading every stage uses.

`KOQAS_DATA=DIR` also reads the real KorQuAD development half and the precedents in DIR.
"""

import json
import os
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from source_files import BUILDERS
from source_files_articles import page
from source_files_squad import RIVER, TABLE, dumped, saved

from koqas.train.examples import Example
from koqas.train.rejections import Rejection
from koqas.train.sources.articles import day_of
from koqas.train.sources.building import ReadOptions
from koqas.train.sources.catalog import SOURCES, source_named
from koqas.train.sources.reading import read_source

FLOOD = "1987년 홍수로 다리가 무너졌다."
MAPPING = {
    "question": "set[].items[].q",
    "answer": "set[].items[].a",
    "context": "set[].body",
    "title": "set[].head",
}

# For each set: question (or the summary of a document row), answer and the quotes of its evidence, in file order;
# then what is rejected.
EXPECTED = {
    "korquad1": ([("길이는?", "42km", ["42km"])], {}),
    "korquad2": (
        [("언제 생겼나?", "1961년", ["1961년"]), ("연도별 인구는?", "연도 인구 2020 3,105명", [TABLE])],
        {},
    ),
    "aihub_common": ([("언제 무너졌나?", "1987년", ["1987년"])], {}),
    "aihub_mrc": ([("깊이는?", "", []), ("길이는?", "42km", ["42km"])], {}),
    "aihub_admin": (
        [
            ("길이가 얼마야", "수해", [FLOOD]),
            ("길이가 얼마야", "42km", ["42km"]),
            ("길이가 얼마야", "3,105명", ["3,105명"]),
            ("길이가 얼마야", "Yes", [FLOOD]),
            ("길이가 얼마야", "", []),
        ],
        {"unlabelled_copy": 5},
    ),
    "aihub_news": (
        [
            ("길이가 얼마야", "42km", ["42km"]),
            ("무엇 때문이야", "큰물", [FLOOD]),
            ("이름이 뭐야", "한들강", ["한들강"]),
        ],
        {"repaired_json": 1},
    ),
    "aihub_books": ([("길이는?", "42km", ["42km"]), ("깊이는?", "", [])], {}),
    "aihub_tables": ([("2020년 인구는?", "3,105명", ["3,105명"])], {}),
    "aihub_finance_law": (
        [("수수료는 얼마야", "1%", ["1%"]), ("수수료가 있어", "Yes", ["수수료는 1%이다."])],
        {},
    ),
    "aihub_technical": (
        [
            ("두께는 얼마인가?", "3 nm", ["3<sub>&nbsp;</sub>nm"]),
            ("소자는 얼마나 두꺼운가?", "3 nm", ["3<sub>&nbsp;</sub>nm"]),
        ],
        {"unlabelled_copy": 1},
    ),
    "aihub_summaries": (
        [
            ("무료로 건너는 새 다리가 놓였다.", "", ["한들강에 새 다리가 놓였다.", "통행은 무료이다."]),
            ("두 문장이다.", "", ["둘째 문장이다."]),
        ],
        {},
    ),
    "korsciqa1": ([("정확도는?", "90%", ["90%"])], {}),
    "korsciqa2": ([("정확도는?", "90%", ["90%"])], {}),
    "kisti_papers": (
        [("오차는 얼마였나?", "2.5%", ["2.5%"]), ("강을 다룬다.", "", [])],
        {"no_questions": 1},
    ),
    "etri_mrc": ([("길이는?", "42km", ["42km"])], {"no_answer": 1}),
    "etri_quiz": (
        [("한들군의 상징은?", "장미", []), ("한들강의 길이는?", "42km", ["42km"])],
        {"no_question": 1},
    ),
    "etri_law": ([("벌금은 얼마인가?", "100만원", ["100만원"])], {}),
    "korean_culture": (
        [
            ("다음 중 물에서 하는 놀이는? \n 1\t널뛰기 2\t뱃놀이 3\t윷놀이 4\t그네 5\t제기 차기", "뱃놀이", []),
            ("설날에 먹는 국은?", "떡국", []),
        ],
        {"no_answer": 1},
    ),
    "economy_sports": ([("길이는?", "42km", ["42km"]), ("언제 무너졌나?", "1987년", ["1987년"])], {}),
    "squad2": ([("Where is it?", "Solnae", ["Solnae"]), ("Who found it?", "", [])], {}),
    "bioasq": (
        [
            ("Which gene?", "gene X", ["Gene X"]),
            ("Is it mutated?", "yes", []),
            ("Which genes?", "Gene X, Gene Y", ["Gene X"]),
            ("What is known?", "Gene X is mutated.", []),
        ],
        {"answer_not_in_context": 1},
    ),
    "bioasq_factoid": ([("Which gene?", "Gene X", ["Gene X"])], {"no_answer": 1}),
    "msmarco": (
        [
            ("who found it", "", []),
            ("where is the river", "The river is in Solnae.", ["The river is in Solnae."]),
        ],
        {},
    ),
    "coqa": (
        [
            ("What does Mina have?", "a kite", ["has a red kite"]),
            ("What does Mina have? a kite What color?", "red", ["red kite"]),
            ("What does Mina have? a kite What color? red Who made it?", "", []),
        ],
        {},
    ),
    "kocommercial": (
        [("다음 글에서 강의 길이를 찾아라.", "42km", ["42km"]), ("인사말을 써라.", "안녕하십니까.", [])],
        {},
    ),
    "articles": (
        [("", "", []), ("", "", []), ("", "", []), ("새 길이 열렸다.", "", []), ("", "", [])],
        {"before_date": 2, "no_date": 1, "not_an_article": 1},
    ),
    "precedents": ([("한들법은 강을 지킨다.", "", [])], {}),
    "documents": ([("", "", [])], {}),
    "laws": ([("", "", [])], {}),
    "news_reports": ([("", "", [])], {}),
    "kowiki": ([("", "", [])], {}),
}


def outcomes(name, path, **options):
    if name == "economy_sports":
        options.setdefault("mapping", MAPPING)
    found = list(read_source(source_named(name), path, ReadOptions(**options)))
    return [o for o in found if isinstance(o, Example)], [o for o in found if isinstance(o, Rejection)]


@pytest.mark.parametrize("name", [s.name for s in SOURCES])
def test_each_set_is_read_from_its_published_shape(name, tmp_path):
    rows, rejected = outcomes(name, BUILDERS[name](tmp_path))
    expected_rows, expected_rejections = EXPECTED[name]
    assert [(r.question or r.summary, r.answer, list(r.quotes())) for r in rows] == expected_rows
    assert Counter(r.reason for r in rejected) == expected_rejections
    source = source_named(name)
    for row in rows:
        assert row.problems() == [] and (row.source, row.license) == (name, source.license)
        assert row.meta["file"] and Example.from_dict(json.loads(json.dumps(row.to_dict()))) == row
    assert all(r.source == name and r.file and r.detail for r in rejected)


def test_public_texts_lose_marks_and_find_their_titles(tmp_path):
    [law], _ = outcomes("laws", BUILDERS["laws"](tmp_path))
    assert law.documents[0].text.split() == "한들법 제1조 (목적) 1. 강을 지킨다.".split()
    path = tmp_path / "wikinews.jsonl"
    path.write_text('{"id": "wikinews-7", "text": "새 다리 열려\\n한들강에 다리가 열렸다."}', "utf-8")
    [report], _ = outcomes("news_reports", path)
    assert (report.documents[0].title, report.license) == ("새 다리 열려", "CC-BY-2.5")


def test_ids_do_not_depend_on_where_a_file_lies(tmp_path):
    first, _ = outcomes("korquad1", BUILDERS["korquad1"](tmp_path / "a"))
    again, _ = outcomes("korquad1", BUILDERS["korquad1"](tmp_path / "b").rename(tmp_path / "other.json"))
    assert [r.id for r in first] == [r.id for r in again]


def test_unanswerable_rows_keep_what_looked_like_an_answer(tmp_path):
    rows, _ = outcomes("squad2", BUILDERS["squad2"](tmp_path))
    assert rows[1].meta["plausible"] == ["Solnae"] and rows[1].useful == (False,)
    assert rows[0].meta["answers"] == ["in Solnae"]


def test_both_wordings_of_a_question_share_a_group(tmp_path):
    rows, _ = outcomes("aihub_technical", BUILDERS["aihub_technical"](tmp_path))
    assert rows[0].meta["group"] == rows[1].meta["group"] and rows[0].id != rows[1].id


def test_a_paper_is_cut_to_a_window_around_the_answer(tmp_path):
    rows, _ = outcomes("kisti_papers", BUILDERS["kisti_papers"](tmp_path))
    window = rows[0].documents[0].text
    assert "실험의 오차는 2.5%였다." in window and 2000 < len(window) <= 3004
    assert rows[0].documents[0].title == "한들 논문"
    assert rows[1].documents[0].text == "1. 서론\n강은 길다.\n물은 맑다."


def test_selected_passages_are_the_useful_ones(tmp_path):
    rows, _ = outcomes("msmarco", BUILDERS["msmarco"](tmp_path))
    assert rows[0].useful == (False,) and rows[1].useful == (False, True)


def test_the_hub_copies_keyed_by_row_are_read_too(tmp_path):
    marco = {
        "answers": ["Solnae"],
        "passages": {"is_selected": [0, 1], "passage_text": ["A town.", "In Solnae."], "url": ["x", "y"]},
        "query": "where",
        "query_id": 3,
        "query_type": "LOCATION",
        "wellFormedAnswers": [],
    }
    rows, _ = outcomes("msmarco", saved(tmp_path / "marco.jsonl", dumped(marco)))
    assert (rows[0].answer, rows[0].useful) == ("Solnae", (False, True))
    korquad = {"id": "1", "context": RIVER, "question": "길이는?", "answers": {"text": ["42km"], "answer_start": [9]}}
    rows, _ = outcomes("korquad1", saved(tmp_path / "korquad.jsonl", dumped(korquad)))
    assert rows[0].quotes() == ("42km",)


def test_articles_keep_paragraphs_and_lose_navigation(tmp_path):
    rows, _ = outcomes("articles", BUILDERS["articles"](tmp_path))
    saved_page = rows[1].documents[0]
    assert saved_page.title == "다리 1" and "다시 열렸다고 군청이 밝혔다" in saved_page.text
    assert "무단전재" not in saved_page.text and "첫 화면" not in saved_page.text
    assert rows[3].documents[0].text == "한들군에 새 길이 열렸다.\n길이는 5km이다."


def test_the_date_cut_and_the_columns_of_articles_are_options(tmp_path):
    lines = dumped({"link": "http://n.example/9", "when": "2023년 5월 6일", "본문": RIVER})
    path = saved(tmp_path / "a.jsonl", lines)
    columns = {"url": "link", "published": "when", "text": "본문"}
    rows, _ = outcomes("articles", path, columns=columns, since=date(2023, 5, 6))
    assert (rows[0].meta["published"], rows[0].meta["url"]) == ("2023-05-06", "http://n.example/9")
    assert outcomes("articles", path, columns=columns, since=date(2023, 5, 7))[0] == []


def test_conversations_need_no_history(tmp_path):
    rows, _ = outcomes("coqa", BUILDERS["coqa"](tmp_path), history=0)
    assert [r.question for r in rows] == ["What does Mina have?", "What color?", "Who made it?"]


def test_a_mapping_reaches_lists_in_json_lines_and_columns_of_tables(tmp_path):
    row = dumped({"body": RIVER, "items": [{"q": "길이는?", "a": "42km"}, {"q": "언제?", "a": "1987년"}]})
    lines = saved(tmp_path / "nested.jsonl", row)
    rows, _ = outcomes("documents", lines, mapping={"question": "items[].q", "answer": "items[].a", "context": "body"})
    assert [(r.quotes(), r.meta["row"]) for r in rows] == [
        (("42km",), "line 1.items[0]"),
        (("1987년",), "line 1.items[1]"),
    ]
    table = saved(tmp_path / "t.csv", "물음,답.글\n길이는?,42km\n".encode("cp949"))
    rows, _ = outcomes("documents", table, mapping={"question": "물음", "answer": "답.글", "title": "없음"})
    assert [(r.question, r.answer) for r in rows] == [("길이는?", "42km")]


def test_dates_in_an_article_are_not_its_date(tmp_path):
    undated = page("", 1).replace("다시 열렸다".encode(), "2024년 3월 5일에 다시 열렸다".encode())
    rows, rejected = outcomes("articles", saved(tmp_path / "a.html", undated))
    assert rows == [] and [r.reason for r in rejected] == ["no_date"]


@pytest.mark.parametrize(
    ("stated", "day"),
    [
        ("2024-03-01T09:00:00+09:00", date(2024, 3, 1)),
        ("2021.01.01. 오전 10:00", date(2021, 1, 1)),
        ("2024년 3월 5일", date(2024, 3, 5)),
        ("20240305093000", date(2024, 3, 5)),
        ("Mon, 04 Mar 2024 09:00:00 +0900", date(2024, 3, 4)),
        ("2024-13-01", None),
        ("1709251200", None),
        ("어제", None),
    ],
)
def test_stated_dates(stated, day):
    assert day_of(stated) == day


@pytest.mark.skipif("KOQAS_DATA" not in os.environ, reason="KOQAS_DATA names no folder of corpora")
def test_real_files_lose_no_question():
    folder = Path(os.environ["KOQAS_DATA"])
    rows, rejected = outcomes("korquad1", folder / "korquad_dev_a.json.xz")
    assert Counter(r.meta["offset"] for r in rows) == {"given": 2799}
    assert [r.reason for r in rejected] == ["no_questions"]
    rows, rejected = outcomes("precedents", folder / "precedents.jsonl.xz")
    assert len(rows) == 3831 and all(r.summary and r.meta["issue"] for r in rows) and rejected == []
