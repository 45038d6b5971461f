"""What the app shows and keeps, without a browser: rendering, feedback, merging. test_browser.py drives the page itself."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import DOCUMENTS
from hub_server import running_hub

from koqas.interface.feedback import FeedbackBook, feedback_of
from koqas.interface.rendering import View, answer_html, bars_html, evidence_html, marked, shelf_html
from koqas.interface.shelf import Shelf, shelved
from koqas.interface.words import ENGLISH, KOREAN
from koqas.koqas_types import KoQasError
from koqas.train.feedback import merged, read_opinions
from koqas.train.pairs import PreferencePair, read_pairs
from koqas.train.preferences import main as preferences

FILES = Path(__file__).parent / "documents"
QUESTION = "새 다리를 설계한 사람은?"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """The tags and the visible text of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Keep a tag."""
        self.tags.append(tag)

    def handle_data(self, data):
        """Keep text."""
        self.text += data


def asked(qa, question=QUESTION, **options):
    result = qa(question, **options)
    return View(question, result["summary"], result["answer"], "", result, qa.index.documents)


def test_the_answer_stands_under_its_summary_and_the_quote_is_marked(qa):
    view = asked(qa)
    answer = Tags(answer_html(view, KOREAN, 0.0)).text
    assert answer.index(view.summary) < answer.rindex(view.answer)
    html = evidence_html(view, KOREAN, 0.0)
    assert Tags(html).tags.count("mark") == len(view.result["evidence"]) == html.count('href="#kq-quote-')
    assert '<mark id="kq-quote-' in html and f"<strong>{view.answer}</strong>" in html


@pytest.mark.parametrize("name", ["library.hwpx", "library.hwp", "library.pdf", "library.docx"])
def test_uploads_of_every_kind_are_shelved_and_quotes_say_where_they_stand(qa, name):
    shelf = shelved(qa, Shelf(), [str(FILES / name), str(FILES / "library_locked.pdf")])
    assert list(shelf.documents) == [name] and "암호" in shelf.problems[0]
    result = qa("책을 빌리는 기간은 며칠인가?", documents=shelf.index, threshold=0.0)
    view = View("", "", result["answer"], "", result, shelf.index.documents)
    assert result["answer"] == "14일"
    assert "<small>제3조 2항" in evidence_html(view, KOREAN, 0.0)


def test_the_threshold_takes_evidence_away_and_gives_it_back(qa):
    view = asked(qa)
    best = max(d["usefulness"] for d in view.result["documents"] if d["kept"])
    assert KOREAN.absent in answer_html(view, KOREAN, best + 0.001)
    assert ENGLISH.below in answer_html(view, ENGLISH, best + 0.001)
    assert Tags(evidence_html(view, KOREAN, best + 0.001)).tags.count("mark") == 0
    assert view.answer in answer_html(view, KOREAN, best)
    bars = bars_html(view, KOREAN, best)
    assert bars.count("kq-on") == 1 and f"left:{100 * best:.1f}%" in bars


def test_an_abstention_says_so_in_both_languages(qa):
    view = asked(qa, "달의 지름은?", threshold=1.0)
    assert KOREAN.absent in answer_html(view, KOREAN, 1.0) and ENGLISH.absent in answer_html(view, ENGLISH, 1.0)
    assert evidence_html(view, KOREAN, 1.0) == ""


def test_html_in_documents_questions_and_names_is_text(qa):
    documents = [{"id": f"a{SCRIPT}", "title": SCRIPT, "text": f"{SCRIPT} 한들강은 길이가 42km이다. {SCRIPT}"}]
    result = qa("한들강의 길이는?", documents=documents)
    sources = qa.build_index(documents).documents
    view = View(f"뭐? {SCRIPT}", result["summary"], result["answer"], SCRIPT, result, sources)
    pages = [f(view, KOREAN, 0.0) for f in (answer_html, bars_html, evidence_html)]
    for html in [*pages, shelf_html(1, [SCRIPT], [SCRIPT], KOREAN)]:
        assert html and not {"script", "img"} & set(Tags(html).tags)
    assert "<script>alert(1)</script>" in Tags(evidence_html(view, KOREAN, 0.0)).text


def test_a_long_source_is_shown_around_its_quotes():
    text = "가" * 20_000 + "<b>근거</b>" + "나" * 20_000
    html = marked(text, [(20_000, 20_009, "k")], "근거")
    assert "&lt;b&gt;<strong>근거</strong>&lt;/b&gt;</mark>" in html and len(html) < 3000
    short = "앞 근거 뒤"
    assert Tags(marked(short, [(2, 4, "k")], "")).text == short


def test_one_bad_file_costs_nothing_else(qa, tmp_path):
    (tmp_path / "a.txt").write_text(DOCUMENTS[1]["text"])
    (tmp_path / "bad.txt").write_bytes(b"\x00\x01")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text(DOCUMENTS[2]["text"])
    heard = []
    paths = [str(p) for p in tmp_path.rglob("*.txt")]
    shelf = shelved(qa, Shelf(), paths, lambda n, of: heard.append((n, of)))
    assert (
        set(shelf.documents) == {"a.txt", "a.txt (2)"} and len(shelf.problems) == 1 and "bad.txt" in shelf.problems[0]
    )
    assert heard[-1] == (3, 3)
    assert qa("열람실은 몇 석인가?", shelf.index)["answer"] == "200석"
    again = shelved(qa, shelf, [str(tmp_path / "bad.txt")])
    assert again.index is shelf.index and again.documents == shelf.documents


# ---- feedback ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def opinions(qa, tmp_path):
    """Three opinions about one answer, one about another, written by two processes' books."""
    sources = {d.id: d for d in qa.index.documents.values()}
    bridge, seats = qa(QUESTION), qa("열람실은 몇 석인가?")
    first, second = FeedbackBook(tmp_path, masking=False), FeedbackBook(tmp_path, masking=False)
    first.keep(feedback_of(bridge, sources, "down"))
    first.keep(feedback_of(bridge, sources, "better", "박서준이 새 다리를 설계하였다."))
    second.keep(feedback_of(bridge, sources, "down"))
    second.keep(feedback_of(seats, sources, "up"))
    return tmp_path


def test_opinions_become_pairs_that_dpo_reads(opinions, tmp_path, capsys):
    preferences(["merge", "--feedback", str(opinions), "--out", str(tmp_path / "pairs.csv")])
    (pair,) = read_pairs(tmp_path / "pairs.csv")
    assert pair.question == QUESTION and pair.chosen == "박서준이 새 다리를 설계하였다." and "박서준" in pair.rejected
    assert pair.context.startswith("[1] 한들강 | 한들강은")
    assert "4 opinions: 1 without a counterpart yet, 1 pairs" in capsys.readouterr().out


def test_merging_adds_to_pairs_and_leaves_contradictions_out(opinions):
    found = merged(read_opinions(opinions)).pairs[0]
    turned = PreferencePair(found.question, found.context, found.rejected, found.chosen)
    assert merged(read_opinions(opinions), [turned]).pairs == [turned]
    other = PreferencePair("다른 질문", "[1] 글", "가", "나")
    assert merged(read_opinions(opinions), [other, found]).pairs == [other, found]


def test_every_opinion_is_whole_on_disk_when_it_is_kept(opinions):
    rows = [json.loads(line) for p in opinions.glob("*.jsonl") for line in p.read_text().splitlines()]
    assert sorted(r["vote"] for r in rows) == ["better", "down", "down", "up"]
    assert {"question", "context", "chosen", "rejected", "time"} <= set(rows[0])


def test_a_full_disk_leaves_no_half_line(opinions, qa, tmp_path, monkeypatch):
    book = FeedbackBook(tmp_path / "full", masking=False)
    opinion = feedback_of(qa(QUESTION), qa.index.documents, "up")
    book.keep(opinion)
    (path,) = (tmp_path / "full").iterdir()
    before = path.read_bytes()

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(KoQasError, match="쓸 수 없습니다"):
        book.keep(opinion)
    assert path.read_bytes() == before


def test_personal_data_are_masked_alike_in_all_texts(qa, tmp_path):
    documents = [{"id": "a", "text": "담당자 김민수의 전화는 010-1234-5678이다. 김민수는 매주 월요일에 쉰다."}]
    result = qa("담당자의 전화번호는?", documents=documents, threshold=0.0)
    book = FeedbackBook(tmp_path)
    kept = book.keep(feedback_of(result, qa.build_index(documents).documents, "better", "010-1234-5678 (김민수)"))
    written = next(tmp_path.glob("*.jsonl")).read_text()
    assert kept.masked and "1234" not in written and "김민수" not in written
    assert "[전화번호1]" in kept.chosen and "[전화번호1]" in kept.context


@pytest.mark.parametrize("better", ["", "  ", None, "가" * 3000])
def test_a_better_answer_must_be_one(qa, better):
    result = qa(QUESTION)
    better = f" {result['answer']} " if better is None else better
    with pytest.raises(KoQasError) as caught:
        feedback_of(result, qa.index.documents, "better", better)
    assert caught.value.field == "better"


def test_a_folder_without_opinions_and_a_broken_line_are_named(opinions, tmp_path):
    with pytest.raises(KoQasError, match="의견이 없습니다"):
        read_opinions(tmp_path / "nothing")
    path = next(opinions.glob("*.jsonl"))
    path.write_text(path.read_text() + '{"question": 1}\n')
    with pytest.raises(KoQasError, match=f"{path.name} line"):
        read_opinions(opinions)


@pytest.mark.slow
def test_opinions_are_pushed_to_a_private_dataset(opinions):
    book = (
        "from pathlib import Path; import sys; from koqas.interface.feedback import Feedback, FeedbackBook\n"
        "book = FeedbackBook(Path(sys.argv[1]), masking=False, repo_id='someone/feedback')\n"
        "book.keep(Feedback('뭐?', '[1] 글', '가', '나', 'better', '', False)); book.close()"
    )
    with running_hub() as hub:
        command = [sys.executable, "-c", book, str(opinions)]
        done = subprocess.run(command, env=os.environ | hub.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-1500:]
        files = hub.files("datasets/someone/feedback")
        assert hub.repositories["datasets/someone/feedback"].private
    pushed = [json.loads(line) for name, f in files.items() if "jsonl" in name for line in f.content.splitlines()]
    assert len(pushed) == 5 and all(n.startswith("data/") for n in files if n.endswith("jsonl"))
