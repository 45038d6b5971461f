"""Headings, places and locations of quotes; files read without further packages."""

import json

import pytest

from koqas.koqas_blocks import column_name
from koqas.koqas_chunks import cut_document
from koqas.koqas_documents import load_documents, read_documents, read_folder, write_documents
from koqas.koqas_locations import locate, outline_of
from koqas.koqas_tables import FlowCell, PlacedCell, laid_out, spread
from koqas.koqas_types import Document, KoQasError

RULES = """취업규칙
제1장 총칙
제1조(목적) 이 규칙은 근로조건을 정한다.
제2조에 따라 정한 것은 따로 둔다.
제2장 휴가
제3조(연차휴가) ① 직원은 15일의 휴가를 받는다.
② 3년 이상 일한 직원은 다음과 같다.
1. 1일을 더한다.
2. 서면으로 신청한다. 신청은 7일 전에 한다.
제4조의2(병가)
병가는 연 60일이다.
"""
PAGE = """<title>장 &amp; 곳</title><h1>요금</h1><p>안녕 <b>세상</b><br>둘째<script>x()</script>
<table><tr><th>구분<th>요금<tr><td rowspan=2>성인<td>1,500원<tr><td>2,000원<tr><td colspan=2>무료</table>
<p hidden>숨김</p><p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"""


def located(document):
    rows = [(c.chunk, s) for c in cut_document(document, 600) for s in c.chunk.sentences]
    return {s.text: locate(document, s.start, s.end, c.headings) for c, s in rows}


def test_a_quote_of_a_rule_names_article_paragraph_and_item():
    found = {text: place.label for text, place in located(Document("r", RULES, "취업규칙")).items()}
    assert found["제3조(연차휴가) ① 직원은 15일의 휴가를 받는다."] == "제3조 1항"
    assert found["신청은 7일 전에 한다."] == "제3조 2항 2호"
    assert found["병가는 연 60일이다."] == "제4조의2"
    assert found["제2조에 따라 정한 것은 따로 둔다."] == "제1조"  # a mention, no heading
    assert [h.text for h in outline_of(RULES)] == [
        "제1장 총칙",
        "제1조(목적)",
        "제2장 휴가",
        "제3조(연차휴가)",
        "제4조의2(병가)",
    ]


def test_chunks_end_at_headings_and_are_found_by_them():
    chunks = cut_document(Document("r", RULES, "취업규칙"), 600)
    assert [c.chunk.headings for c in chunks][1:] == [
        ("제1장 총칙", "제1조(목적)"),
        ("제2장 휴가", "제3조(연차휴가)"),
        ("제2장 휴가", "제4조의2(병가)"),
    ]
    assert "휴가" in chunks[3].title and "병가" not in chunks[3].title  # its own heading is in its sentences


def test_a_page_keeps_headings_and_table_cells_and_runs_nothing(tmp_path):
    (tmp_path / "장.html").write_text(PAGE, "utf-8")
    (document,) = load_documents(tmp_path)
    assert document.title == "장 & 곳" and "숨김" not in document.text and "x()" not in document.text
    assert "<script>alert(1)</script>" in document.text
    cells = {p.cell: document.text[p.start : p.end] for p in document.places if p.table}
    assert cells == {
        "A1": "구분", "B1": "요금", "A2": "성인", "B2": "1,500원", "A3": "성인", "B3": "2,000원", "A4": "무료", "B4": "무료",
    }  # fmt: skip
    assert located(document)["| 성인 | 2,000원 |"].label == "요금, 표 1 3행"


def test_markdown_text_stays_and_has_cells(tmp_path):
    text = "# 표\n\n본문이다.\n\n| 가 | 나 |\n|---|---|\n| 1\\|2 | 3 |\n"
    (tmp_path / "a.md").write_text(text, "utf-8")
    (document,) = load_documents(tmp_path / "a.md")
    assert document.text == text
    assert [(text[p.start : p.end], p.cell or p.paragraph) for p in document.places] == [
        ("본문이다.", 1), ("가", "A1"), ("나", "B1"), ("1\\|2", "A2"), ("3", "B2"),
    ]  # fmt: skip


def test_csv_in_cp949_keeps_every_cell(tmp_path):
    (tmp_path / "인원.csv").write_bytes('부서,인원\n"총무, 인사",12\n개발,34\n'.encode("cp949"))
    (document,) = load_documents(tmp_path)
    cells = {p.cell: document.text[p.start : p.end] for p in document.places}
    assert cells == {"A1": "부서", "B1": "인원", "A2": "총무, 인사", "B2": "12", "A3": "개발", "B3": "34"}


def test_json_lines_are_documents(tmp_path):
    rows = [{"id": "가", "title": "장", "text": "상인은 130명이다."}, {"이름": "한들강", "길이": {"km": 42}}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    first, second = load_documents(tmp_path)
    assert (first.id, first.title, first.text) == ("a.jsonl#가", "장", "상인은 130명이다.")
    assert second.text == "이름: 한들강\n길이.km: 42"
    (tmp_path / "a.jsonl").write_text('{"text": "가"}\n{"text": ', "utf-8")
    with pytest.raises(KoQasError, match=r"\[a.jsonl\] 2번째 줄"):
        load_documents(tmp_path)


def test_one_bad_file_does_not_lose_the_others(tmp_path):
    (tmp_path / "a.txt").write_text("한들강은 길다.", "utf-8")
    (tmp_path / "b.txt").write_bytes(b"\x00\x01")
    (tmp_path / "~$c.txt").write_bytes(b"\x00")
    reading = read_folder(tmp_path)
    assert [d.id for d in reading.documents] == ["a.txt"] and [e.field for e in reading.refused] == ["b.txt"]
    (tmp_path / "d.txt").write_text(" ", "utf-8")
    with pytest.raises(KoQasError, match="파일 2개를 읽지 못했습니다.*b.txt.*d.txt"):
        load_documents(tmp_path)


def test_places_are_saved_with_documents(tmp_path):
    (tmp_path / "장.html").write_text(PAGE, "utf-8")
    documents = load_documents(tmp_path)
    write_documents(documents, tmp_path / "saved.jsonl")
    assert read_documents(tmp_path / "saved.jsonl") == documents


def test_spans_are_bounded():
    assert laid_out([[FlowCell("가", 1, 9), FlowCell("나")], [FlowCell("다")]]) == [["가", "나"], ["가", "다"]]
    hostile = [PlacedCell(n, n, 0, 1000, 1000) for n in range(200)]
    assert sum(c is not None for row in spread(hostile, 200) for c in row) < 60_000
    assert [column_name(n) for n in (1, 26, 27, 703)] == ["A", "Z", "AA", "AAA"]
