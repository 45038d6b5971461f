"""Archives and folders as they come: garbled names, hostile names, bombs, damage, litter."""

import gzip
import lzma
import os
import unicodedata
import zipfile
from collections import Counter

import pytest
from source_files_squad import RIVER, dumped, labelled, saved, squad, zipped
from test_sources import outcomes
from test_sources_bad_input import GOOD, only_good, squad_file

from koqas.train.sources.catalog import source_named
from koqas.train.sources.names import readable_name, split_of
from koqas.train.sources.opening import Limits
from koqas.train.sources.reading import read_source


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


def test_a_source_folder_alone_has_no_questions(tmp_path):
    raw = labelled(RIVER)
    raw["paragraphs"][0].pop("qas")
    rows, rejected = outcomes("aihub_admin", saved(tmp_path / "TS_span.json", dumped({"data": [raw]})))
    assert rows == [] and [r.reason for r in rejected] == ["no_questions"]
