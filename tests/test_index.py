"""Saved indexes: whole after every interruption, refused when they do not fit; and the table that spares re-reading."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import DOCUMENTS, ROOT, edit

from koqas import koqas_inquiry
from koqas.koqas_inquiry import Inquiry
from koqas.koqas_pipeline import verify
from koqas.koqas_storage import standing
from koqas.koqas_types import KoQasError

QUESTION = "열람실은 몇 석인가?"
# Replaces the folder argv[1] by a copy of argv[2], and is killed at the moment argv[3].
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from koqas.koqas_storage import replace_folder

place, whole = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
rename, remove = os.rename, shutil.rmtree

def dying_rename(source, target):
    if sys.argv[3] == "before the new one takes the place" and Path(target) == place:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

def dying_remove(path, **options):
    if sys.argv[3] == "before the old one is deleted" and Path(path).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    remove(path, **options)

os.rename, shutil.rmtree = dying_rename, dying_remove
replace_folder(place, lambda folder: shutil.copytree(whole, folder, dirs_exist_ok=True))
"""


@pytest.fixture
def saved(qa, tmp_path):
    """A saved index."""
    qa.save_index(tmp_path / "index")
    return tmp_path / "index"


def refused(qa, folder):
    with pytest.raises(KoQasError) as caught:
        qa(QUESTION, documents=folder)
    assert caught.value.field == "index"
    return str(caught.value)


def test_saved_index_answers_alike(qa, saved):
    drop = {"timings"}
    direct, again = qa(QUESTION), qa(QUESTION, documents=saved)
    assert {k: v for k, v in again.items() if k not in drop} == {k: v for k, v in direct.items() if k not in drop}


def test_another_retriever_is_refused(qa, saved):
    edit(saved / "koqas_index.json", fingerprint="other")
    assert "다른 검색기" in refused(qa, saved)


def test_an_older_format_is_refused(qa, saved):
    head = (saved / "koqas_index.json").read_text().replace('"format": 5,', "")
    (saved / "koqas_index.json").write_text(head)
    assert "형식 1" in refused(qa, saved)


@pytest.mark.parametrize("name", ["tokens.npz", "chunks.jsonl", "dense.faiss", "lexical/indices.csc.index.npy"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_file_is_refused_by_name(qa, saved, name, damage):
    raw = (saved / name).read_bytes()
    half = len(raw) // 2
    (saved / name).write_bytes(
        raw[:half] if damage == "cut" else raw[:half] + bytes([raw[half] ^ 1]) + raw[half + 1 :]
    )
    if damage == "gone":
        (saved / name).unlink()
    told = refused(qa, saved)
    assert name in told and ("파일이 없습니다" if damage == "gone" else "손상되었습니다") in told


@pytest.mark.parametrize("moment", ["before the new one takes the place", "before the old one is deleted"])
def test_a_kill_while_replacing_leaves_a_whole_index(qa, saved, tmp_path, moment):
    before = qa(QUESTION, documents=saved)["evidence"]
    qa.save_index(tmp_path / "new")
    arguments = [str(saved), str(tmp_path / "new"), moment]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert qa(QUESTION, documents=saved)["evidence"] == before
    qa.save_index(saved)
    assert standing(saved) == saved and qa(QUESTION, documents=saved)["evidence"] == before
    assert not (tmp_path / ".index.replaced").exists()


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failed_write_changes_nothing(qa, tmp_path, monkeypatch, earlier):
    if earlier:
        qa.save_index(tmp_path / "index")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(qa.index.lexical, "save", full_disk)
    with pytest.raises(OSError):
        qa.save_index(tmp_path / "index")
    assert [p.name for p in tmp_path.iterdir()] == (["index"] if earlier else [])
    if earlier:
        assert qa(QUESTION, documents=tmp_path / "index")["documents"]


def test_a_failed_rename_puts_the_old_index_back(qa, saved, monkeypatch):
    rename = os.rename

    def denied(source, target):
        if target == saved.resolve() and not str(source).endswith(".replaced"):
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", denied)
    with pytest.raises(PermissionError):
        qa.save_index(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["index"]


def test_something_else_is_never_replaced(qa, tmp_path):
    (tmp_path / "file").write_text("글")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("글")
    for name in ("file", "folder"):
        with pytest.raises(KoQasError):
            qa.save_index(tmp_path / name)
    assert (tmp_path / "folder" / "notes.txt").read_text() == "글"


def test_a_long_text_without_a_line_break_is_a_document(qa):
    text = "한들강은 길이가 42km이다. " * 20
    assert verify(qa("한들강의 길이는?", documents=text), text)


def test_coverage_from_the_table_is_that_of_the_words(qa):
    inquiry = Inquiry("새 다리를 설계한 사람은 누구인가?", qa.index, qa._defaults)
    found = qa.index.search(inquiry.query, 10)
    pairs = [(s.chunk.text, s.chunk.title) for s in found] + [(x.text, "") for s in found for x in s.chunk.sentences]
    analyzed = [inquiry.coverage(*pair) for pair in pairs]
    inquiry.meet(found)
    assert [inquiry.coverage(*pair) for pair in pairs] == pytest.approx(analyzed, abs=1e-12)
    assert max(analyzed) > 0.2 > min(analyzed)


def test_no_document_is_analyzed_again_for_coverage(qa, monkeypatch):
    def read_again(text):
        raise AssertionError(f"analyzed again: {text}")

    monkeypatch.setattr(koqas_inquiry, "sentences_of", read_again)
    assert verify(qa("새 다리를 설계한 사람은?"), DOCUMENTS)
