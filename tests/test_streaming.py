"""Events of one question: their order, that the last one is the result of a call, stopping early, the command line."""

import subprocess
import sys
import threading

import pytest
from conftest import DOCUMENTS, ROOT

from koqas.koqas_events import AnswerPiece, Done, Retrieved, Scored, SummaryPiece
from koqas.koqas_sections import Sections
from koqas.koqas_types import KoQasError
from koqas.koqas_verification import verify

QUESTION = "열람실은 몇 석인가?"


def without_time(result):
    return {k: v for k, v in result.items() if k != "timings"}


def test_events_come_in_order_and_end_in_what_a_call_returns(qa):
    events = list(qa.stream(QUESTION))
    assert [type(e) for e in events[:2]] == [Retrieved, Scored] and isinstance(events[-1], Done)
    result = events[-1].result.to_dict()
    assert without_time(result) == without_time(qa(QUESTION)) and verify(result, DOCUMENTS)
    assert "".join(e.text for e in events if isinstance(e, SummaryPiece)) == result["summary"] != ""
    assert "".join(e.text for e in events if isinstance(e, AnswerPiece)) == result["answer"] == "200석"


def test_retrieved_chunks_have_no_judgement_yet(qa):
    stream = qa.stream(QUESTION)
    first = next(stream)
    assert all(c.usefulness is None and not c.kept for c in first.chunks)
    assert all(c.usefulness is not None for c in next(stream).chunks)


def test_every_round_is_told_and_an_abstention_writes_nothing(qa):
    events = list(qa.stream("달의 지름은?", threshold=1.0, top_k=1, max_rounds=2))
    assert [e.round for e in events if isinstance(e, Scored)] == [1, 2]
    assert len(events) == 5 and not events[-1].result.answered


def test_free_text_comes_word_by_word_and_closing_stops_the_writer(qa):
    asked = {"grounding": "cited", "max_new_tokens": 400}
    stream = qa.stream(QUESTION, **asked)
    first = next(e for e in stream if isinstance(e, (SummaryPiece, AnswerPiece)))
    assert first.text
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "koqas-writing"]


def test_bad_input_is_refused_before_the_first_event(qa):
    with pytest.raises(KoQasError) as caught:
        qa.stream("")
    assert caught.value.field == "question"


def test_the_readers_time_is_not_counted(qa):
    stream = qa.stream(QUESTION)
    next(stream)
    threading.Event().wait(0.6)
    assert list(stream)[-1].result.timings["judgement"] < 0.6


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("text", "summary", "answer"),
    [
        ("요약:\n한들강은 길다. [1]\n\n답변:\n42km", "한들강은 길다. [1]", "42km"),
        ("**요약:** 길다. **답변:** 42km", "길다.", "42km"),
        ("한들강은 답을 안다.\n답변: 그렇다", "한들강은 답을 안다.", "그렇다"),
        ("끝이 답", "끝이 답", ""),
        ("답변: 없다", "", "없다"),
    ],
)
def test_sections_are_the_same_however_the_text_is_cut(text, summary, answer, size):
    told, pieces = Sections(both=True), []
    for start in range(0, len(text), size):
        pieces += told.read(text[start : start + size])
    pieces += told.end()
    assert (told.summary, told.answer) == (summary, answer)
    assert "".join(p.text for p in pieces if isinstance(p, SummaryPiece)) == summary
    assert "".join(p.text for p in pieces if isinstance(p, AnswerPiece)) == answer


@pytest.mark.slow
def test_the_command_line_tells_what_happens(tmp_path):
    (tmp_path / "library.txt").write_text(DOCUMENTS[1]["text"])
    command = [sys.executable, "-m", "koqas.koqas_demo", QUESTION, "--documents", str(tmp_path), "--threshold", "0.01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    lines = [line.split("  ")[0] for line in done.stdout.strip().splitlines()]
    assert lines[:5] == ["질문", "검색", "요약", "답변", "확신"] and "검증 통과" in done.stdout
