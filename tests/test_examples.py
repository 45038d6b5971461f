"""A row of training data holds its rules, keeps its id, and survives JSON lines and Parquet."""

import json
import unicodedata
from dataclasses import replace

import pytest
from datasets import load_dataset

from koqas.koqas_types import Document, KoQasError
from koqas.train.examples import EvidenceSpan, Example, read_examples, stable_id, write_examples
from koqas.train.rejections import Rejection, RejectionLog

RIVER = Document("r", "한들강은 길이가 42km이다.", "한들강")
MARKET = Document("m", "버드내장은 오일장이다.", "버드내장")
READING = Example(
    id="x-1",
    source="x",
    license="CC0-1.0",
    domain="지리",
    question="길이는?",
    documents=(RIVER, MARKET),
    useful=(True, False),
    summary="한들강은 길이가 42km이다.",
    answer="42km",
    evidence=(EvidenceSpan("r", 9, 13),),
    answerable=True,
    meta={"file": "가.json", "turn": 3, "options": ["가", "나"], "nested": {"a": None}},
)
DOCUMENT = replace(READING, id="x-2", question="", answer="", answerable=False)
CLOSED = replace(READING, id="x-3", documents=(), useful=(), evidence=(), summary="")


def test_shapes_and_quotes():
    assert [r.shape for r in (READING, DOCUMENT, CLOSED)] == ["reading", "document", "closed book"]
    assert READING.quotes() == ("42km",)
    assert [r.problems() for r in (READING, DOCUMENT, CLOSED)] == [[], [], []]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": " "}, "id is empty"),
        ({"license": ""}, "license is empty"),
        ({"useful": (True,)}, "1 usefulness labels for 2 documents"),
        ({"useful": (False, False), "evidence": ()}, "no document is useful"),
        ({"documents": (RIVER, replace(MARKET, id="r"))}, "share an id"),
        ({"documents": (RIVER, replace(MARKET, text=" "))}, "'m' is empty"),
        ({"evidence": (EvidenceSpan("r", 9, 99),)}, "outside 16 characters"),
        ({"evidence": (EvidenceSpan("r", 9, 9),)}, "outside 16 characters"),
        ({"evidence": (EvidenceSpan("m", 0, 2),)}, "no useful document"),
        ({"answer": ""}, "no answer"),
        ({"answerable": False}, "an answer in an unanswerable row"),
        ({"answerable": False, "answer": ""}, "evidence in an unanswerable row"),
        ({"question": ""}, "answerable without a question"),
        ({"question": "", "documents": (), "useful": (), "evidence": ()}, "neither a question nor documents"),
    ],
)
def test_every_rule_is_held(change, problem):
    broken = replace(READING, **change)
    assert any(problem in found for found in broken.problems()), broken.problems()
    with pytest.raises(KoQasError, match="row"):
        Example.from_dict(broken.to_dict())


@pytest.mark.parametrize("change", [{"documents": None}, {"useful": 3}, {"id": None}, {"extra": 1}])
def test_columns_of_another_type_are_named(change):
    with pytest.raises(KoQasError, match="columns: id, source"):
        Example.from_dict({**READING.to_dict(), **change})


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_files_give_back_the_rows(suffix, tmp_path):
    path = tmp_path / f"rows{suffix}"
    rows = [READING, DOCUMENT, CLOSED] * 500  # more than one Parquet row group
    assert write_examples(path, iter(rows)) == 1500
    assert list(read_examples(path)) == rows
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_datasets_loads_the_parquet_with_its_columns(tmp_path):
    write_examples(tmp_path / "rows.parquet", [READING])
    files = str(tmp_path / "rows.parquet")
    row = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))[0]
    assert {**row, "meta": json.loads(row["meta"])} == READING.to_dict()


def test_a_broken_write_leaves_no_file(tmp_path):
    def rows():
        yield READING
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_examples(tmp_path / "rows.jsonl", rows())
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_bad_line_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_examples(path, [READING])
    path.write_text(path.read_text("utf-8") + '{"id": 1}\n', encoding="utf-8")
    with pytest.raises(KoQasError, match="rows.jsonl line 2"):
        list(read_examples(path))


def test_ids_are_equal_in_any_normal_form_and_differ_by_part():
    nfd = unicodedata.normalize("NFD", "한들강")
    assert stable_id("x", "한들강") == stable_id("x", nfd) == "x-" + stable_id("y", "한들강")[2:]
    assert len({stable_id("x", "ab", "c"), stable_id("x", "a", "bc"), stable_id("x", "abc")}) == 3


def test_rejections_are_counted_and_written(tmp_path):
    path = tmp_path / "rejected.jsonl"
    with RejectionLog(path) as log:
        log.add_all([Rejection("sources", "no_answer", "열쇠: 가", file="a.json", row="data[0]")] * 2)
    assert log.counts == {"no_answer": 2}
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert rows[1]["row"] == "data[0]" and rows[1]["detail"] == "열쇠: 가"
