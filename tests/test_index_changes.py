"""Adding, replacing and deleting documents: scores as if built anew, nothing read twice, whole after kill -9."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT

from koqas import koqas_retrieval
from koqas.koqas_retrieval import Index, IndexSettings, query_of
from koqas.koqas_types import Document, KoQasError

SETTINGS = IndexSettings(max_chars=40)
QUESTIONS = ["한들강의 길이는?", "열람실은 몇 석인가?", "느티나무는 어디에 있나?", "박물관은 언제 문을 열었나?"]
RIVER = Document(
    "river", "한들강은 길이가 42km이다. 1987년 홍수로 다리가 무너졌다. 새 다리는 박서준이 설계하였다.", "한들강"
)
LIBRARY = Document(
    "library", "솔내도서관은 2011년 3월에 문을 열었다. 열람실은 200석이다. 매주 월요일에 쉰다.", "솔내도서관"
)
MARKET = Document("market", "버드내장은 오일장이다. 상인은 모두 130명이다. 장터 입구에 느티나무가 있다.", "버드내장")
MUSEUM = Document("museum", "달빛박물관은 2015년에 문을 열었다. 유물은 삼천 점이다. ♥", "달빛박물관")
LONGER_RIVER = Document("river", "한들강은 길이가 51km로 다시 측정되었다. 강가에 느티나무 숲이 있다.", "한들강")
# Adds, replaces and deletes documents of the saved index argv[1] and saves it, without end.
CHANGING = """
import sys
from koqas.koqas_retrieval import Index, IndexSettings
from koqas.koqas_types import Document

settings = IndexSettings(max_chars=40)
index = Index.load(sys.argv[1], None, settings)
for turn in range(10**6):
    text = f"{turn}번째로 고친 글이다. 표식은 {turn}이다."
    index = index.changed([Document("turn", text), Document(f"extra{turn}", text)])
    index.save(sys.argv[1])
    index = index.changed(deleted=[f"extra{turn}"])
    index.save(sys.argv[1])
    print(turn, flush=True)
"""


@pytest.fixture(scope="module")
def encoder(qa):
    return qa.encoder


def build(documents, encoder=None):
    return Index.build(documents, encoder, SETTINGS)


def found(index):
    return [
        [(s.chunk, round(s.lexical, 5), s.dense and round(s.dense, 5)) for s in index.search(query_of(q), 20)]
        for q in QUESTIONS
    ]


@pytest.mark.parametrize("dense", [True, False])
def test_changes_score_like_a_new_index(encoder, dense, tmp_path):
    encoder = encoder if dense else None
    index = build([RIVER, LIBRARY, MARKET], encoder)
    before = found(index)
    changed = index.changed([LONGER_RIVER, MUSEUM], ["market"])
    again = build([LIBRARY, LONGER_RIVER, MUSEUM], encoder)
    assert found(changed) == found(again)
    assert list(changed.documents) == list(again.documents)
    assert changed.lexical.vocab_dict.keys() == again.lexical.vocab_dict.keys()
    weights = again.token_weights(query_of(QUESTIONS[2]).tokens)
    assert changed.token_weights(weights) == pytest.approx(weights)
    for chunk in again.chunks:
        assert changed.coverage(weights, chunk) == again.coverage(weights, chunk)
    assert found(index) == before, "an index that is being searched must not change"
    changed.save(tmp_path / "index")
    assert found(Index.load(tmp_path / "index", encoder, SETTINGS).changed()) == found(again)


def test_only_added_documents_are_read(encoder, monkeypatch):
    index, read = build([RIVER, LIBRARY], encoder), []
    cut = koqas_retrieval.cut_document
    monkeypatch.setattr(koqas_retrieval, "cut_document", lambda d, n: read.append(d.id) or cut(d, n))
    index.changed([MARKET, LONGER_RIVER]).changed(deleted=["library"])
    assert read == ["market", "river"]


@pytest.mark.parametrize(
    ("added", "deleted", "said"),
    [([], ["lake"], "lake"), ([MARKET, MARKET], [], "두 번"), ([], ["river", "library"], "남는 문장")],
)
def test_impossible_changes_are_refused(added, deleted, said):
    with pytest.raises(KoQasError, match=said) as caught:
        build([RIVER, LIBRARY]).changed(added, deleted)
    assert caught.value.field == "documents"


def test_a_pipeline_changes_its_index(qa, monkeypatch):
    monkeypatch.setattr(qa, "index", qa.index)  # put back afterwards
    qa.update_index([{"id": "museum", "title": MUSEUM.title, "text": MUSEUM.text}], delete=["market"])
    assert list(qa.index.documents) == ["river", "library", "museum"]
    assert qa("달빛박물관은 언제 문을 열었나?")["evidence"][0]["document"] == "museum"


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_kill_9_leaves_a_whole_index(tmp_path, times):
    folder, moment = tmp_path / "index", random.Random(0)
    build([RIVER, LIBRARY, Document("turn", "아직 고치지 않은 글이다.")]).save(folder)
    for killed in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", CHANGING, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline(), "the writer failed"
        time.sleep(moment.random() * 0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        index = Index.load(folder, None, SETTINGS)
        assert {"river", "library", "turn"} <= index.documents.keys()
        assert len(index.documents) <= 4 + killed, "each kill may leave the one document it kept from being deleted"
        assert found(index) == found(build(list(index.documents.values())))


def test_two_readers_and_a_writer(tmp_path):
    folder = tmp_path / "index"
    build([RIVER, LIBRARY, Document("turn", "아직 고치지 않은 글이다.")]).save(folder)
    command = [sys.executable, "-c", CHANGING, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline(), "the writer failed"
            with ThreadPoolExecutor(2) as readers:
                read = list(readers.map(lambda _: Index.load(folder, None, SETTINGS), range(200)))
        finally:
            writer.kill()
    assert all({"river", "library", "turn"} <= index.documents.keys() for index in read)
    for index in read:
        marks = [d.text for d in index.documents.values() if "표식" in d.text]
        held = [c.text for c in index.chunks if "표식" in c.text]
        assert len(held) == len(marks) and all(any(h in m for m in marks) for h in held), "files of two moments"
    assert len({index.documents["turn"].text for index in read}) > 1, "the writer wrote nothing meanwhile"


def test_two_writers(tmp_path):
    folder = tmp_path / "index"
    build([RIVER, LIBRARY, Document("turn", "아직 고치지 않은 글이다.")]).save(folder)
    command = [sys.executable, "-c", CHANGING, str(folder)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for writer in writers * 30:
            assert writer.stdout.readline(), "a writer failed"
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert {"river", "library", "turn"} <= Index.load(folder, None, SETTINGS).documents.keys()


REPLACING = """
import sys
from pathlib import Path
from koqas.koqas_storage import replace_folder

def write(folder):
    for name in "abcdefgh":
        (folder / name).write_text(sys.argv[2])

for _ in range(150):
    replace_folder(Path(sys.argv[1]), write)
"""


def test_four_processes_replace_one_folder(tmp_path):
    folder = tmp_path / "folder"
    command = [sys.executable, "-c", REPLACING, str(folder)]
    writers = [subprocess.Popen([*command, str(n)], cwd=ROOT) for n in range(4)]
    assert [writer.wait(timeout=300) for writer in writers] == [0, 0, 0, 0]
    assert len({file.read_text() for file in folder.iterdir()}) == 1 and len(list(folder.iterdir())) == 8
    assert list(tmp_path.iterdir()) == [folder], "nothing is left aside"
