"""`train/preferences.py`: sampling with the embedded model, and the four ways to choose."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import asdict

import chat_server
import pytest
from conftest import ROOT

from koqas.koqas_types import KoQasError
from koqas.train.candidates import Candidates, SampledAnswer
from koqas.train.choices import blind_order
from koqas.train.pairs import COLUMNS, read_pairs
from koqas.train.preferences import main

FILLER = " ".join(f"장터 이야기 {n}번은 다음과 같다." for n in range(80))
ROWS = [
    ("새 다리는 언제 놓였나요?", "[1] 새 다리는 1987년에 놓였다.", "1987년에 놓였습니다."),
    ("도서관은 언제 쉬나요?", "[1] 솔내도서관은 월요일에 쉰다.\n[2] 버드내장은 오일장이다.", "월요일에 쉽니다."),
    ("상인은 모두 몇 명인가요?", f"[1] {FILLER}\n[2] 상인은 모두 130명이다.", "130명입니다."),
    ("물음 " * 300 + "?", "[1] 너무 긴 물음이다.", "긴 물음입니다."),
]
FOUND = [
    Candidates(q, c, (SampledAnswer(good), SampledAnswer(bad)), good)
    for q, c, good, bad in (
        (ROWS[0][0], ROWS[0][1], "새 다리는 1987년에 놓였습니다.", "새 다리는 1897년에 놓였습니다."),
        (ROWS[1][0], ROWS[1][1], "솔내도서관은 월요일에 쉽니다.", "그런 내용은 찾을 수 없습니다."),
        (
            "관장은 누구인가요?",
            ROWS[1][1],
            "문서에서는 관장을 찾을 수 없습니다.",
            "관장은 월요일에 쉬는 버드내입니다.",
        ),
        ("장은 며칠마다 서나요?", ROWS[1][1], "버드내장은 오일장입니다.", "버드내장은 칠일장입니다."),
    )
]


def run(*arguments):
    main([str(a) for a in arguments])


def command(*arguments, written=""):
    """Run the real command line with something typed into it."""
    line = [sys.executable, ROOT / "train" / "preferences.py", *map(str, arguments)]
    return subprocess.run(line, input=written, capture_output=True, text=True, check=False)


def read_choices(out):
    lines = out.with_name(out.name + ".choices.jsonl").read_text("utf-8").splitlines()
    return {c["id"]: c for c in map(json.loads, lines)}


@pytest.fixture
def rows_file(tmp_path):
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Question", "Context", "Answer", "Summary"])
        writer.writerows([*row, row[2]] for row in ROWS)
    return tmp_path / "rows.csv"


@pytest.fixture
def found_file(tmp_path):
    lines = [json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in FOUND]
    (tmp_path / "candidates.jsonl").write_text("".join(lines), "utf-8")
    return tmp_path / "candidates.jsonl"


def test_sampling_in_batches_goes_on_after_a_kill(rows_file, tmp_path, capsys):
    options = ("--rows", rows_file, "--answers", 3, "--max_new_tokens", 6, "--batch_size", 2, "--longest", 256)
    run("sample", *options, "--out", tmp_path / "whole.jsonl")
    assert "3 questions sampled, 0 done before, 1 with shortened passages, 1 too long" in capsys.readouterr().out
    whole = (tmp_path / "whole.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in whole.splitlines()]
    assert [(r["question"], r["context"], r["reference"]) for r in rows] == list(ROWS[:3]), (
        "the file keeps all passages"
    )
    assert all(len({a["answer"] for a in r["answers"]}) == len(r["answers"]) for r in rows)
    assert any(len(r["answers"]) == 3 for r in rows)

    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(whole.encode()[: len("".join(whole.splitlines(True)[:2]).encode()) + 40])
    run("sample", *options, "--out", torn)
    assert "2 done before" in capsys.readouterr().out and torn.read_text("utf-8") == whole
    with pytest.raises(KoQasError, match="out"):
        run("sample", "--rows", rows_file, "--limit", 1, "--max_new_tokens", 6, "--out", torn)


def test_summaries_are_drawn_before_answers(rows_file, tmp_path):
    options = ("--rows", rows_file, "--limit", 2, "--answers", 2, "--max_new_tokens", 5, "--summaries", "true")
    run("sample", *options, "--with_reference", "true", "--out", tmp_path / "c.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text("utf-8").splitlines()]
    assert all(any(a["summary"] for a in r["answers"][:-1]) for r in rows)
    assert [r["answers"][-1] for r in rows] == [{"answer": r[2], "summary": r[2]} for r in ROWS[:2]]


def test_a_person_chooses_in_a_terminal_and_goes_on_later(found_file, tmp_path, monkeypatch, capsys):
    out = tmp_path / "pairs.csv"
    shared = ("choose", "--by", "person", "--candidates", found_file, "--out", out)
    first = command(*shared, written="7\n1\ns\nq\n")
    assert first.returncode == 0, first.stderr
    assert "서로 다른 번호" in first.stdout and "1 pairs in" in first.stdout
    shown = re.findall(r"^  1\. (.+)$", first.stdout, re.MULTILINE)
    assert read_pairs(out)[0].chosen == shown[0], "the number means what was shown"
    monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))  # the terminal closes after it
    run(*shared)
    second = capsys.readouterr().out
    assert "2 chosen before, 2 to choose" in second and "1 still to choose" in second
    assert len(read_pairs(out)) == 2 and len(read_choices(out)) == 3
    with out.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)


def test_the_order_hides_the_place_and_stays(found_file):
    many = [Candidates(f"물음 {n}", "[1] 글.", FOUND[0].answers) for n in range(200)]
    first = sum(blind_order(f, 0)[0] == 0 for f in many)
    assert 70 < first < 130 and all(blind_order(f, 0) == blind_order(f, 0) for f in many)
    assert any(blind_order(f, 0) != blind_order(f, 1) for f in many)


def test_a_person_fills_in_a_sheet(found_file, tmp_path):
    out, sheet = tmp_path / "pairs.jsonl", tmp_path / "sheet.csv"
    shared = ("choose", "--by", "sheet", "--sheet", sheet, "--candidates", found_file, "--out", out)
    run(*shared)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["id"] for r in rows] == [f.id for f in FOUND] and "chosen" not in rows[0]

    def fill(**cells):
        for number, (best, worst) in cells.items():
            rows[int(number[1:])] |= {"best": best, "worst": worst}
        with sheet.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    fill(r0=("2", ""), r1=("s", ""), r2=("3", "1"))
    with pytest.raises(KoQasError, match="line 4"):
        run(*shared)
    fill(r2=("1", "2"))
    run(*shared)
    by_question = {p.question: p for p in read_pairs(out)}
    assert by_question[FOUND[0].question].chosen == rows[0]["answer_2"]
    assert by_question[FOUND[2].question].chosen == rows[2]["answer_1"] and len(by_question) == 2
    assert "best" in sheet.read_text("utf-8-sig") and rows[0]["id"] in sheet.read_text("utf-8-sig")


def judge(verdict):
    """Return what a judge model replies to a prompt, from the answers it shows."""

    def reply_to(prompt):
        shown = re.findall(r"^\[답 \d+\]\n--- \w+ 시작\n(.+)\n", prompt, re.MULTILINE)
        return verdict(shown)

    return reply_to


def knowing(shown):
    best = next(n for n, a in enumerate(shown, start=1) if a in {f.answers[0].answer for f in FOUND})
    return {"best": best, "worst": 3 - best}


def test_a_judge_chooses_and_is_asked_once(found_file, tmp_path, monkeypatch):
    monkeypatch.setattr(chat_server, "reply_to", judge(knowing))
    with chat_server.ChatServer() as server:
        shared = ("choose", "--by", "judge", "--model", "judge", "--base_url", server.url)
        shared = (*shared, "--cache", tmp_path / "cache", "--candidates", found_file)
        run(*shared, "--out", tmp_path / "pairs.csv")
        assert [p.chosen for p in read_pairs(tmp_path / "pairs.csv")] == [f.answers[0].answer for f in FOUND]
        assert sum(server.calls.values()) == 2 * len(FOUND), "each order once"
        run(*shared, "--out", tmp_path / "again.csv")
        assert sum(server.calls.values()) == 2 * len(FOUND), "replies are cached"


def test_a_judge_that_favours_a_place_decides_nothing(found_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chat_server, "reply_to", judge(lambda shown: {"best": 1, "worst": 2}))
    with chat_server.ChatServer() as server:
        server.troubles.append(chat_server.Trouble("관장", "prose", None))  # words around the JSON
        options = ("--model", "judge", "--base_url", server.url, "--cache", tmp_path / "cache")
        run("choose", "--by", "judge", *options, "--candidates", found_file, "--out", tmp_path / "pairs.csv")
    assert "0 pairs" in capsys.readouterr().out and not (tmp_path / "pairs.csv").exists()
    reasons = {c["reason"] for c in read_choices(tmp_path / "pairs.csv").values()}
    assert "verdict changes with the order" in reasons


def test_an_unanswered_question_stays_undecided(found_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(chat_server, "reply_to", judge(knowing))
    with chat_server.ChatServer() as server:
        server.troubles.append(chat_server.Trouble("관장", "500", None))
        options = ("--model", "judge", "--base_url", server.url, "--cache", tmp_path / "cache", "--max_retries", 1)
        options = ("choose", "--by", "judge", *options, "--backoff", 0.01, "--candidates", found_file)
        run(*options, "--out", tmp_path / "pairs.csv")
        assert "3 pairs" in (told := capsys.readouterr().out) and "1 still to choose" in told
        server.troubles.clear()
        run(*options, "--out", tmp_path / "pairs.csv")
    assert len(read_pairs(tmp_path / "pairs.csv")) == 4


def test_texts_do_not_leave_without_permission(found_file, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with pytest.raises(KoQasError, match="third_party"):
        run("choose", "--by", "judge", "--model", "m", "--candidates", found_file, "--out", tmp_path / "pairs.csv")


def test_measured_support_and_correctness(found_file, tmp_path):
    run("choose", "--by", "measure", "--candidates", found_file, "--out", tmp_path / "pairs.csv")
    assert [p.chosen for p in read_pairs(tmp_path / "pairs.csv")] == [f.answers[0].answer for f in FOUND]
    lines = [json.dumps(asdict(f) | {"reference": ""}, ensure_ascii=False) + "\n" for f in FOUND[:1]]
    found_file.write_text("".join(lines), "utf-8")
    run("choose", "--by", "measure", "--candidates", found_file, "--out", tmp_path / "support.csv")
    assert "1987" in read_pairs(tmp_path / "support.csv")[0].chosen, (
        "a number that stands in no passage counts against"
    )


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((), "command"),
        (("sample", "--temperature", 0), "temperature"),
        (("sample", "--answers", 1), "answers"),
        (("sample", "--rows", "none.csv"), "rows"),
        (("choose", "--candidates", "none.jsonl"), "candidates"),
        (("choose", "--out", "pairs.txt"), "out"),
        (("choose", "--by", "judge"), "model"),
    ],
)
def test_bad_arguments_are_refused(found_file, tmp_path, monkeypatch, arguments, field):
    monkeypatch.chdir(tmp_path)
    given = ("--candidates", found_file) if arguments[:1] == ("choose",) and "--candidates" not in arguments else ()
    with pytest.raises(KoQasError) as error:
        run(*arguments, *given)
    assert error.value.field == field


def test_damaged_files_are_named(found_file, tmp_path):
    out = tmp_path / "pairs.csv"
    out.with_name("pairs.csv.choices.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(KoQasError, match="choices.jsonl"):
        run("choose", "--by", "measure", "--candidates", found_file, "--out", out)
    with found_file.open("a") as file:
        file.write('{"question": "물음"}\n')
    with pytest.raises(KoQasError, match="line 5"):
        run("choose", "--by", "measure", "--candidates", found_file, "--out", tmp_path / "other.csv")
