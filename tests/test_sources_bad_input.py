"""Broken downloads: each fault is reported with its file and place, costs no other row, and is never silent."""

import gzip
import json
import lzma
import os
import unicodedata
import zipfile
from collections import Counter

import pytest
from source_files import BUILDERS
from source_files_squad import RIVER, dumped, labelled, saved, squad, zipped
from test_sources import outcomes, run

from koqas.koqas_types import KoQasError
from koqas.train.sources.catalog import source_named
from koqas.train.sources.locating import locate
from koqas.train.sources.names import readable_name, split_of
from koqas.train.sources.opening import Limits
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


@pytest.mark.parametrize("content", [b'{"data": []}', b"[]"])
def test_an_empty_set_is_reported(content, tmp_path):
    rows, rejected = outcomes("korquad1", saved(tmp_path / "empty.json", content))
    assert rows == [] and [r.reason for r in rejected] == ["empty_set"]
    done = run("read", "korquad1", tmp_path / "empty.json")
    assert done.returncode == 1 and "empty_set 1" in done.stderr


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-8-sig"])
def test_other_encodings_are_recognized(encoding, tmp_path):
    rows, rejected = outcomes("korquad1", squad_file(tmp_path, encoding=encoding))
    assert only_good(rows) and rows[0].documents[0].text == RIVER and rejected == []


def test_bytes_of_no_encoding_are_pointed_at(tmp_path):
    content = dumped({"data": [squad(RIVER, [GOOD]), squad("읽지 못할 글", [GOOD])]})
    at = content.index("읽지".encode())
    rows, rejected = outcomes("korquad1", saved(tmp_path / "x.json", content[:at] + b"\xff" + content[at:]))
    assert only_good(rows) and rejected[0].reason == "wrong_encoding" and f"at byte {at};" in rejected[0].detail


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


def test_archive_names_that_escape_are_refused(tmp_path):
    good = dumped({"data": [squad(RIVER, [GOOD])]})
    names = ["../out.json", "/etc/out.json", "a/../../out.json", "C:/out.json", "fine.json"]
    rows, rejected = outcomes("korquad1", zipped(tmp_path / "slip.zip", dict.fromkeys(names, good)))
    assert only_good(rows) and Counter(r.reason for r in rejected) == {"path_escape": 4}


def test_links_that_leave_the_folder_are_refused(tmp_path):
    squad_file(tmp_path / "in")
    outside = squad_file(tmp_path / "out", name="outside.json")
    (tmp_path / "in" / "link.json").symlink_to(outside)
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    rows, rejected = outcomes("korquad1", tmp_path / "in")
    assert only_good(rows) and {r.file: r.reason for r in rejected} == dict.fromkeys(
        ("folder", "link.json"), "path_escape"
    )


@pytest.mark.parametrize("name", ["bomb.json.gz", "bomb.json.xz", "bomb.zip"])
def test_bombs_are_refused_and_the_rest_is_read(name, tmp_path):
    content = b'{"data": [' + b" " * (64 << 20) + b"]}"
    squad_file(tmp_path, name="z.json")
    if name.endswith("zip"):
        zipped(tmp_path / name, {"bomb.json": content})
    else:
        pack = gzip.compress if name.endswith("gz") else lzma.compress
        saved(tmp_path / name, pack(content))
    rows, rejected = outcomes("korquad1", tmp_path)
    assert only_good(rows)
    assert [(r.reason, r.file.startswith(name)) for r in rejected] == [("zip_bomb", True)]


def test_archives_in_archives_end_somewhere(tmp_path):
    path = zipped(tmp_path / "0.zip", {"x.json": dumped({"data": [squad(RIVER, [GOOD])]})})
    for depth in range(1, 5):
        path = zipped(tmp_path / f"{depth}.zip", {path.name: path.read_bytes()})
    assert only_good(outcomes("korquad1", tmp_path / "2.zip")[0])
    rows, rejected = outcomes("korquad1", path)
    assert rows == [] and [r.reason for r in rejected] == ["zip_bomb"]


def test_members_that_overlap_are_refused(tmp_path):
    path = zipped(tmp_path / "overlap.zip", {"a.json": os.urandom(5000), "b.json": b"{}"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.filelist.extend(archive.filelist[:1] * 3)
        archive._didModify = True
    rows, rejected = outcomes("korquad1", path)
    assert rows == [] and [r.reason for r in rejected] == ["zip_bomb"]


@pytest.mark.parametrize("name", ["set.zip", "set.json.gz", "set.json.xz"])
def test_damaged_archives_are_reported(name, tmp_path):
    content = dumped({"data": [squad(RIVER * 50, [GOOD])]})
    pack = {"zip": None, ".gz": gzip.compress, ".xz": lzma.compress}[name[-3:]]
    path = saved(tmp_path / name, pack(content)) if pack else zipped(tmp_path / name, {"set.json": content})
    path.write_bytes(path.read_bytes()[:-40])
    squad_file(tmp_path, name="z.json")
    rows, rejected = outcomes("korquad1", tmp_path)
    assert only_good(rows) and len(rejected) == 1 and rejected[0].file == name


def test_a_limit_can_be_lowered(tmp_path):
    path = zipped(tmp_path / "a.zip", {f"{n}.json": b"{}" for n in range(5)})
    found = list(read_source(source_named("korquad1"), path, limits=Limits(members=4)))
    assert [(o.reason, o.detail) for o in found] == [("zip_bomb", "5 members")]


def test_what_is_not_data_is_named_and_litter_is_not(tmp_path):
    squad_file(tmp_path)
    saved(tmp_path / "설명서.pdf", b"%PDF")
    saved(tmp_path / "__MACOSX/._set.json", b"\0")
    rows, rejected = outcomes("korquad1", tmp_path)
    assert only_good(rows) and [(r.reason, r.file) for r in rejected] == [("other_file", "설명서.pdf")]


@pytest.mark.parametrize(
    ("garbled", "meant"),
    [
        ("라벨링데이터".encode().decode("cp437"), "라벨링데이터"),
        ("표 정보".encode().decode("cp866"), "표 정보"),
        ("퀴즈".encode("cp949").decode("cp437"), "퀴즈"),
        ("#Ud034#Uc988QA", "퀴즈QA"),
        (unicodedata.normalize("NFD", "행정 문서"), "행정 문서"),
        ("café.json", "café.json"),
        ("plain.json", "plain.json"),
    ],
)
def test_garbled_names_become_readable(garbled, meant):
    assert readable_name(garbled) == meant


def test_splits_are_read_off_names():
    assert split_of("2.Validation/라벨링데이터/VL_span.zip!span.json") == "validation"
    assert split_of("KorQuAD_v1.0_train.json") == "train" and split_of("train/dev-v2.0.json") == "validation"
    assert split_of("korean_culture_qa_V1.0_test+.json") == "test" and split_of("constrained.json") is None


def test_a_short_number_is_not_found_inside_another():
    assert locate("13명이 3번", "3").start == 5
    assert locate("13명", "3") is None and locate("13명", "3", 1).how == "given"


def test_titles_in_angle_brackets_are_no_tags(tmp_path):
    context = "그의 연극은 <강가의 밤>이다."
    qa = {"id": "1", "question": "연극은?", "answers": [{"text": "<강가의 밤>", "answer_start": 7}]}
    rows, _ = outcomes("korquad1", saved(tmp_path / "t.json", dumped({"data": [squad(context, [qa])]})))
    assert rows[0].answer == "<강가의 밤>" and "markup" not in rows[0].meta


def test_a_source_folder_alone_has_no_questions(tmp_path):
    raw = labelled(RIVER)
    raw["paragraphs"][0].pop("qas")
    rows, rejected = outcomes("aihub_admin", saved(tmp_path / "TS_span.json", dumped({"data": [raw]})))
    assert rows == [] and [r.reason for r in rejected] == ["no_questions"]


def test_truncated_columns_keep_whole_rows_and_name_the_byte(tmp_path):
    content = gzip.decompress(BUILDERS["msmarco"](tmp_path).read_bytes())[:-9]
    rows, rejected = outcomes("msmarco", saved(tmp_path / "cut.json", content))
    assert [r.question for r in rows] == ["who found it"] and f"at byte {len(content)}" in rejected[0].detail


@pytest.mark.parametrize("name", ["korsciqa1", "etri_law", "economy_sports"])
def test_unknown_formats_ask_for_a_mapping_and_show_the_keys(name, tmp_path):
    path = saved(tmp_path / "x.json", dumped({"목록": [{"물음": "길이는?", "대답": {"글": "42km"}}]}))
    with pytest.raises(KoQasError, match=r"목록\[\]\.대답\.글.*--mapping"):
        list(read_source(source_named(name), path))
    rows, _ = outcomes(name, path, mapping={"question": "목록[].물음", "answer": "목록[].대답.글"})
    assert [(r.question, r.answer, r.shape) for r in rows] == [("길이는?", "42km", "closed book")]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["read", "nothing", "x.json"], "[source]"),
        (["read", "korquad1", "missing.json"], "[path]"),
        (["read", "korquad1", __file__, "--out", "rows.txt"], "[out]"),
        (["read", "korquad1", __file__, "--mapping", "missing.yaml"], "[mapping]"),
        (["list", "--path", "korquad1"], "[path]"),
    ],
)
def test_wrong_arguments_are_named(arguments, field):
    done = run(*arguments)
    assert done.returncode == 2 and field in done.stderr and "Traceback" not in done.stderr


def test_a_mapping_with_an_unknown_field_is_refused(tmp_path):
    path = BUILDERS["economy_sports"](tmp_path)
    with pytest.raises(KoQasError, match="answr"):
        outcomes("economy_sports", path, mapping={"question": "set[].items[].q", "answr": "set[].items[].a"})


def test_rows_that_break_the_rules_of_a_row_are_rejected(tmp_path):
    passages = [{"is_selected": 0, "passage_text": "Nothing.", "url": "u"}]
    row = {"query": "where", "query_id": 1, "answers": ["Solnae"], "passages": passages}
    rows, rejected = outcomes("msmarco", saved(tmp_path / "m.jsonl", dumped(row)))
    assert rows == [] and [r.reason for r in rejected] == ["no_useful_document"]
