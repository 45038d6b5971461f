"""Broken downloads: each fault is reported with its file and place, costs no other row, and is never silent."""

import gzip
import json
import zipfile

import pytest
from source_files import BUILDERS
from source_files_articles import FEED
from source_files_squad import RIVER, dumped, saved, squad, zipped
from test_sources import outcomes

from koqas.koqas_types import KoQasError
from koqas.train.sources.catalog import source_named
from koqas.train.sources.locating import locate
from koqas.train.sources.reading import read_source

GOOD = {"id": "g", "question": "길이는?", "answers": [{"text": "42km", "answer_start": 9}]}


def squad_file(folder, *qas, name="set.json", encoding="utf-8"):
    return saved(folder / name, dumped({"data": [squad(RIVER, [*qas, GOOD])]}, encoding))


def only_good(rows):
    return [r.meta["native_id"] for r in rows] == ["g"]


def test_a_truncated_file_keeps_its_whole_documents_and_names_the_byte(tmp_path):
    content = dumped({"data": [squad(RIVER, [GOOD]), squad(RIVER, [GOOD])]}, "utf-8-sig")
    rows, rejected = outcomes("korquad1", saved(tmp_path / "cut.json", content[:-30]))
    assert only_good(rows)
    assert [(r.reason, r.file) for r in rejected] == [("truncated_json", "cut.json")]
    assert f"at byte {len(content) - 30};" in rejected[0].detail


def test_broken_json_names_the_byte_even_far_into_the_file(tmp_path):
    documents = [squad(f"{RIVER} {n}", [GOOD]) for n in range(2000)]
    content = dumped({"data": documents})
    at = content.index(b'"paragraphs"', 300_000)
    broken = content[:at] + b"!" + content[at:]
    rows, rejected = outcomes("korquad1", saved(tmp_path / "broken.json", broken))
    assert len(rows) == content[:at].count(b'"paragraphs"')
    assert [r.reason for r in rejected] == ["broken_json"] and f"at byte {at};" in rejected[0].detail


def test_strings_left_open_are_closed_wherever_they_are(tmp_path):
    content = json.dumps({"data": [squad(f"{RIVER} {n}", [GOOD]) for n in range(900)]}, ensure_ascii=False, indent=1)
    places = [content.index('"title": "한들강",\n', start) for start in (0, 100_000)]
    for place in reversed(places):
        content = content[:place] + content[place:].replace('한들강",\n', "한들강\n", 1)
    rows, rejected = outcomes("korquad1", saved(tmp_path / "open.json", content.encode()))
    assert len(rows) == 900 and [r.reason for r in rejected] == ["repaired_json"] * 2
    offsets = [int(r.detail.rsplit(" ", 1)[1]) for r in rejected]
    assert [content.encode()[o : o + 1] for o in offsets] == [b"\n", b"\n"] and offsets[1] > 1 << 16


def test_an_answer_that_is_not_in_its_context_is_rejected_with_its_place(tmp_path):
    bad = {"id": "b", "question": "누구인가?", "answers": [{"text": "박서준", "answer_start": 3}]}
    rows, rejected = outcomes("korquad1", squad_file(tmp_path, bad))
    assert only_good(rows)
    assert [(r.reason, r.row) for r in rejected] == [("answer_not_in_context", "data[0].paragraphs[0].qas[0]")]


@pytest.mark.parametrize(
    ("start", "how"), [("9", "given"), (9.0, "given"), (None, "found"), ("없음", "found"), (-1, "found"), (4, "moved")]
)
def test_offsets_of_any_type_are_checked(start, how, tmp_path):
    qa = {"id": "q", "question": "길이?", "answers": [{"text": "42km", "answer_start": start}]}
    rows, rejected = outcomes("korquad1", squad_file(tmp_path, qa))
    assert rows[0].quotes() == ("42km",) and rows[0].meta["offset"] == how and rejected == []


@pytest.mark.parametrize("answer", ["42km", ["42km"], {"text": "42km"}, [{"answer_text": "42km"}]])
def test_answers_come_in_many_shapes(answer, tmp_path):
    rows, _ = outcomes("korquad1", squad_file(tmp_path, {"id": "q", "question": "길이?", "answer": answer}))
    assert rows[0].answer == "42km"


@pytest.mark.parametrize("shape", [17, "글", ["길이?"], {"question": "길이?", "answers": 3.5}, {"answers": []}])
def test_a_row_of_another_shape_costs_only_itself(shape, tmp_path):
    rows, rejected = outcomes("korquad1", squad_file(tmp_path, shape))
    assert only_good(rows) and len(rejected) == 1 and rejected[0].row == "data[0].paragraphs[0].qas[0]"


def test_a_question_read_before_is_a_duplicate(tmp_path):
    squad_file(tmp_path, name="a.json")
    squad_file(tmp_path, {**GOOD, "answers": [{"text": "길이가 42km", "answer_start": 5}]}, name="b.json")
    rows, rejected = outcomes("korquad1", tmp_path)
    assert only_good(rows)
    assert [(r.reason, r.file, r.id) for r in rejected] == [("duplicate_id", "b.json", rows[0].id)] * 2


def test_a_question_marked_answerable_needs_an_answer(tmp_path):
    marked = {"id": "q", "question": "길이?", "answers": [], "is_impossible": False}
    rows, rejected = outcomes("squad2", squad_file(tmp_path, marked))
    assert only_good(rows) and [r.reason for r in rejected] == ["no_answer"]


@pytest.mark.parametrize("content", [b'{"data": []}', b"[]"])
def test_an_empty_set_is_reported(content, tmp_path):
    rows, rejected = outcomes("korquad1", saved(tmp_path / "empty.json", content))
    assert rows == [] and [r.reason for r in rejected] == ["empty_set"]


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-8-sig"])
def test_other_encodings_are_recognized(encoding, tmp_path):
    rows, rejected = outcomes("korquad1", squad_file(tmp_path, encoding=encoding))
    assert only_good(rows) and rows[0].documents[0].text == RIVER and rejected == []


def test_bytes_of_no_encoding_are_pointed_at(tmp_path):
    content = dumped({"data": [squad(RIVER, [GOOD]), squad("읽지 못할 글", [GOOD])]})
    at = content.index("읽지".encode())
    rows, rejected = outcomes("korquad1", saved(tmp_path / "x.json", content[:at] + b"\xff" + content[at:]))
    assert only_good(rows) and rejected[0].reason == "wrong_encoding" and f"at byte {at};" in rejected[0].detail


def test_a_repair_that_does_not_help_is_given_up(tmp_path):
    content = b'{"data": [{"title": "x"\n"y": [1\n"a\n"b'  # a line break before a quote, but in no open string
    rows, rejected = outcomes("korquad1", saved(tmp_path / "x.json", content))
    assert rows == [] and [r.reason for r in rejected] == ["broken_json"]
    content = b'{"data": [{"title": "x\n"\n"\n"\n"\n"\n"\n"\n"\n"\n"'
    rows, rejected = outcomes("korquad1", saved(tmp_path / "y.json", content))
    assert rows == [] and rejected[-1].reason in ("broken_json", "truncated_json") and len(rejected) <= 6


def test_broken_bytes_in_a_table_cost_one_row(tmp_path):
    lines = ["질문,정답".encode(), "길이는?,42km".encode(), b"\xff?,x", "언제?,1987년".encode()]
    rows, rejected = outcomes("etri_quiz", saved(tmp_path / "q.csv", b"\n".join(lines)))
    assert [r.answer for r in rows] == ["42km", "1987년"]
    assert [(r.reason, r.row) for r in rejected] == [("wrong_encoding", "line 3")]


@pytest.mark.parametrize("member", ["xl/workbook.xml", "[Content_Types].xml"])
def test_damaged_workbooks_are_reported(member, tmp_path):
    book = next(BUILDERS["etri_quiz"](tmp_path / "whole").rglob("*.xlsx"))
    with zipfile.ZipFile(book) as archive:
        members = {n: archive.read(n) for n in archive.namelist() if n != member}
    zipped(tmp_path / "broken" / "b.xlsx", members)
    rows, rejected = outcomes("etri_quiz", tmp_path / "broken")
    assert rows == [] and [(r.reason, r.file) for r in rejected] == [("unreadable_file", "b.xlsx")]


def test_bad_json_lines_cost_only_themselves(tmp_path):
    good = dumped({"id": "1", "text": "한들강은 길다."})
    lines = [good, b'{"id": "2", "text": ', b'{"id": "3", "text": "\xff\xff"}', b"", b"[4]"]
    rows, rejected = outcomes("documents", saved(tmp_path / "d.jsonl", b"\n".join(lines)))
    assert [r.meta["native_id"] for r in rows] == ["1"]
    assert [(r.reason, r.row) for r in rejected] == [
        ("broken_json", "line 2"),
        ("wrong_encoding", "line 3"),
        ("no_passage", "line 5"),
    ]
    assert f"byte {len(good) + 1 + len(lines[1]) + 1 + 21}" in rejected[1].detail


def test_a_short_number_is_not_found_inside_another():
    assert locate("13명이 3번", "3").start == 5
    assert locate("13명", "3") is None and locate("13명", "3", 1).how == "given"


def test_titles_in_angle_brackets_are_no_tags(tmp_path):
    context = "그의 연극은 <강가의 밤>이다."
    qa = {"id": "1", "question": "연극은?", "answers": [{"text": "<강가의 밤>", "answer_start": 7}]}
    rows, _ = outcomes("korquad1", saved(tmp_path / "t.json", dumped({"data": [squad(context, [qa])]})))
    assert rows[0].answer == "<강가의 밤>" and "markup" not in rows[0].meta


def test_truncated_columns_keep_whole_rows_and_name_the_byte(tmp_path):
    content = gzip.decompress(BUILDERS["msmarco"](tmp_path).read_bytes())[:-9]
    rows, rejected = outcomes("msmarco", saved(tmp_path / "cut.json", content))
    assert [r.question for r in rows] == ["who found it"] and f"at byte {len(content)}" in rejected[0].detail


def test_feeds_open_nothing_and_do_not_explode(tmp_path):
    target = saved(tmp_path / "target" / "secret.xml", FEED.encode("euc-kr"))
    saved(tmp_path / "feeds" / "path.xml", str(target).encode())
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    opening = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "aaaaaaaaaa">'
    item = "<item><title>&e9;</title><description>&file;</description></item>"
    bomb = f'{opening}{entities}<!ENTITY file SYSTEM "{target}">]><rss version="2.0"><channel>{item}</channel></rss>'
    saved(tmp_path / "feeds" / "bomb.xml", bomb.encode())
    rows, rejected = outcomes("articles", tmp_path / "feeds")
    assert rows == [] and {r.file for r in rejected if r.reason == "broken_feed"} == {"path.xml", "bomb.xml"}


@pytest.mark.parametrize("name", ["korsciqa1", "etri_law", "economy_sports"])
def test_unknown_formats_ask_for_a_mapping_and_show_the_keys(name, tmp_path):
    path = saved(tmp_path / "x.json", dumped({"목록": [{"물음": "길이는?", "대답": {"글": "42km"}}]}))
    with pytest.raises(KoQasError, match=r"목록\[\]\.대답\.글.*--mapping"):
        list(read_source(source_named(name), path))
    rows, _ = outcomes(name, path, mapping={"question": "목록[].물음", "answer": "목록[].대답.글"})
    assert [(r.question, r.answer, r.shape) for r in rows] == [("길이는?", "42km", "closed book")]


def test_a_mapping_with_an_unknown_field_is_refused(tmp_path):
    path = BUILDERS["economy_sports"](tmp_path)
    with pytest.raises(KoQasError, match="answr"):
        outcomes("economy_sports", path, mapping={"question": "set[].items[].q", "answr": "set[].items[].a"})


def test_rows_that_break_the_rules_of_a_row_are_rejected(tmp_path):
    passages = [{"is_selected": 0, "passage_text": "Nothing.", "url": "u"}]
    row = {"query": "where", "query_id": 1, "answers": ["Solnae"], "passages": passages}
    rows, rejected = outcomes("msmarco", saved(tmp_path / "m.jsonl", dumped(row)))
    assert rows == [] and [r.reason for r in rejected] == ["no_useful_document"]
