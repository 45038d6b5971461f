"""The whole line of train/prepare.py through its command line, on invented downloads."""

import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from chat_server import ChatServer, Trouble
from conftest import ROOT
from datasets import load_dataset
from hub_server import running_hub
from huggingface_hub import DatasetCard
from preparation_files import MAIL, PHONE, downloads

from koqas.train.examples import Example, read_examples
from koqas.train.preparation.stages import NAMES
from koqas.train.prepare import run
from koqas.train.verification.certificate import Certificate

EXPECTED = {  # (file, row or start of the id) → reason, of every row that must not come out
    ("news.jsonl", "line 8"): "exact_copy",
    ("news.jsonl", "line 9"): "too_short",
    ("news.jsonl", "line 10"): "no_passage",
    ("news.jsonl", "line 11"): "broken_json",
    ("precedents.jsonl", "line 2"): "after_cut",
}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The arguments that read the downloads."""
    return downloads(tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def made(given, tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("made")
    assert run([*given, "--out", str(folder), "--report", str(folder / "kept" / "factory.json")]) == 0
    return folder


def kept(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "rows").glob("*.parquet"))}


def rows_of(folder):
    return [row for path in sorted((folder / "rows").glob("*.parquet")) for row in read_examples(path)]


def rejected(folder):
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text("utf-8").splitlines()]


def states(folder):
    return [json.loads((folder / "stages" / f"{i}-{name}.json").read_text("utf-8")) for i, name in enumerate(NAMES, 1)]


def test_rows_are_valid_and_certified(made):
    rows = rows_of(made)
    assert {r.source for r in rows} == {"precedents", "laws", "news_reports"} and len(rows) >= 12
    for row in rows:
        certificate = Certificate.of(row)
        assert row.problems() == [] and row.summary and certificate.summary
        texts = {d.id: d.text for d in row.documents}
        place = texts[certificate.answer_document][certificate.answer_start : certificate.answer_end]
        assert certificate.answer == "derived" or row.answer in place or place in row.answer
        assert certificate.benchmarks and certificate.personal_data == 0
        whole = json.dumps([row.question, row.summary, *texts.values()], ensure_ascii=False)
        assert PHONE not in whole and MAIL not in whole and "서윤목" not in whole
    masked = [d.text for row in read_examples(made / "stages" / "4-dedup.parquet") for d in row.documents]
    assert any("전화 [전화번호1]로" in text and "문의는 [이메일1]로" in text for text in masked)


def test_every_rejected_row_has_its_place_and_reason(made):
    found = {(r["file"], r["row"]): r["reason"] for r in rejected(made)}
    assert EXPECTED.items() <= found.items()
    assert {"benchmark_passage", "benchmark_title"} <= set(found.values())
    assert all(r["file"] and r["row"] and r["detail"] for r in rejected(made))


def test_no_row_is_lost_on_the_way(made):
    for state in states(made)[1:4]:
        assert state["rows_in"] == state["rows_out"] + sum(state["rejected"].values())
    made_of = {row.meta["row"] + row.source for row in rows_of(made)}
    refused = {r["row"] + r["source"] for r in rejected(made)}
    read = [f"line {n}news_reports" for n in range(1, 12)] + [f"line {n}precedents" for n in (1, 2)]
    assert set(read) | {"line 1laws"} <= made_of | refused


def test_the_folder_is_a_dataset_with_a_card(made, tmp_path):
    loaded = load_dataset(str(made), cache_dir=str(tmp_path))
    rows = {row.id: row for row in rows_of(made)}
    assert sum(map(len, loaded.values())) == len(rows) and set(loaded) <= {"train", "validation"}
    for record in loaded["train"]:
        assert Example.from_dict({**record, "meta": json.loads(record["meta"])}) == rows[record["id"]]
    card = DatasetCard.load(made / "README.md")
    assert card.data.language == ["ko"] and card.data.license == "other"
    assert all(f"| {s['stage']} | {s['rows_in']} | {s['rows_out']} |" in card.text for s in states(made))


def test_the_report_says_how_it_came_about(made):
    report = json.loads((made / "report.json").read_text("utf-8"))
    assert report["n"] == len(rows_of(made)) and report["seed"] == 0 and report["git"] and report["date"]
    assert [(s["stage"], s["rejected"]) for s in report["stages"]] == [
        (s["stage"], s["rejected"]) for s in states(made)
    ]
    assert str(made.parent) not in json.dumps(report)  # paths mean nothing elsewhere
    assert (made / "report.png").stat().st_size > 10_000
    assert json.loads((made / "kept" / "factory.json").read_text("utf-8")) == report


def test_a_second_run_does_only_what_changed(given, made, tmp_path, capsys):
    folder = shutil.copytree(made, tmp_path / "again")
    assert run([*given, "--out", str(folder)]) == 0
    assert capsys.readouterr().err.count("done before") == len(NAMES) and kept(folder) == kept(made)
    assert run([*given, "--out", str(folder), "--least_support", "0.99"]) == 0
    assert capsys.readouterr().err.count("done before") == len(NAMES) - 1
    (folder / "stages" / "6-verify.parquet").write_bytes(b"spoiled")
    assert run([*given, "--out", str(folder)]) == 0 and kept(folder) == kept(made)


def test_a_killed_run_continues_to_the_same_rows(given, made, tmp_path):
    folder = tmp_path / "killed"
    stopped_after = f"{random.randint(1, 5)}-*.json"
    command = [sys.executable, str(ROOT / "train" / "prepare.py"), *given, "--out", str(folder)]
    victim = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(folder.glob(f"stages/{stopped_after}")) and victim.poll() is None:
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL and not (folder / "rows").exists()
    assert run([*given, "--out", str(folder)]) == 0
    assert kept(folder) == kept(made) and rejected(folder) == rejected(made)


def test_a_dry_run_counts_and_writes_no_rows(given, made, tmp_path, capsys):
    folder = shutil.copytree(made, tmp_path / "dry", ignore=shutil.ignore_patterns("rows", "5-*", "6-*"))
    remote = ["--backend", "openai", "--model", "tiny", "--base_url", "http://127.0.0.1:9/v1"]
    assert run([*given, *remote, "--out", str(folder), "--dry_run", "true"]) == 0
    shown = (
        capsys.readouterr().err
    )  # one document has a summary; the others are asked about and checked: two calls each
    assert "question: 1행, 요청 1개" in shown and "article: 6행, 요청 12개" in shown and "summary:" not in shown
    assert run([*given, *remote, "--out", str(folder), "--batch_requests", str(tmp_path / "jobs.jsonl")]) == 0
    jobs = {p.name: len(p.read_text("utf-8").splitlines()) for p in tmp_path.glob("jobs*")}
    assert jobs == {"jobs-question.jsonl": 1, "jobs-article.jsonl": 6}
    assert not (folder / "rows").exists()


def test_a_failing_endpoint_is_asked_again_and_nothing_is_paid_twice(given, made, tmp_path):
    folder = shutil.copytree(made, tmp_path / "endpoint", ignore=shutil.ignore_patterns("rows"))
    with ChatServer() as server:
        server.troubles = [Trouble("메밀쌈국", "500", None)]
        remote = ["--backend", "openai", "--model", "tiny", "--base_url", server.url, "--max_retries", "0"]
        arguments = [*given, *remote, "--out", str(folder), "--cache", str(tmp_path / "cache")]
        run(arguments)
        assert states(folder)[4]["rejected"].get("endpoint_failed") == 1 and not states(folder)[4]["complete"]
        server.troubles = []
        run(arguments)
        assert states(folder)[4]["complete"] and "endpoint_failed" not in states(folder)[4]["rejected"]
        assert sorted(server.calls.values())[-2:] == [1, 2]  # the failed one alone was sent again


def test_rows_are_pushed_and_loaded_back_by_their_id(given, made, tmp_path):
    out = shutil.copytree(made, tmp_path / "out")
    with running_hub() as hub:
        environment = {**os.environ, **hub.environment, "HF_HOME": str(tmp_path / "home")}
        allowed = ["--push_to_hub", "someone/rows", "--allow_third_party", "precedents", "laws", "news_reports"]
        command = [sys.executable, str(ROOT / "train" / "prepare.py"), *given, "--out", str(out), *allowed]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        files = hub.files("datasets/someone/rows")
        assert hub.repositories["datasets/someone/rows"].private and not [n for n in files if n.startswith("stages")]
        script = (
            "from datasets import load_dataset; print([r['id'] for r in load_dataset('someone/rows', split='train')])"
        )
        loaded = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment
        )
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    ids = ast.literal_eval(loaded.stdout.splitlines()[-1])
    assert ids == [row.id for row in read_examples(made / "rows" / "train.parquet")] and len(ids) > 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sorces": []}, "[config]"),
        ({"near_copies": [3]}, "[near_copies]"),
        ({"workers": 0}, "[workers]"),
        ({"executor": "spark"}, "[executor]"),
        ({"executor": "slurm"}, "[slurm_partition]"),
        ({"sources": []}, "[sources]"),
        ({"sources": [{"set": "laws"}]}, "[sources]"),
        ({"sources": [{"set": "laws", "path": __file__, "pages": 3}]}, "[sources]"),
        ({"sources": [{"set": "laws", "path": "missing.jsonl"}]}, "[sources laws: path]"),
        ({"sources": [{"set": "laws", "path": __file__, "limit": "ten"}]}, "[sources laws: limit]"),
        ({"sources": [{"set": "novels", "path": __file__}]}, "[source]"),
        ({"forbidden_titles": "missing.sha1"}, "[forbidden_titles]"),
        ({"redo": "polish"}, "[redo]"),
        ({"backend": "openai"}, "[model]"),
        ({"batch_requests": "jobs.jsonl"}, "[batch_requests]"),
        ({"push_to_hub": "org/rows"}, "[push_to_hub"),
    ],
)
def test_a_wrong_recipe_is_refused_before_any_work(changes, field, tmp_path, capsys):
    recipe = {"sources": [{"set": "aihub_news", "path": __file__}], "out": str(tmp_path / "out"), **changes}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    assert run(["--config", str(tmp_path / "data.yaml")]) == 2
    assert field in capsys.readouterr().err and not (tmp_path / "out" / "rows").exists()


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [", "", None])
def test_a_file_that_is_no_recipe_is_refused(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "data.yaml").write_text(content, encoding="utf-8")
    assert run(["--config", str(tmp_path / "data.yaml")]) == 2
    assert "오류: [" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "ray"])
def test_two_workers_keep_what_one_process_keeps(executor, given, made, tmp_path):
    pytest.importorskip("datatrove")
    if executor == "ray":
        pytest.importorskip("ray")
    command = [sys.executable, str(ROOT / "train" / "prepare.py"), *given, "--out", str(tmp_path / "out")]
    command += ["--executor", executor, "--workers", "2", "--shard_rows", "6"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RAY_ADDRESS": "local"})
    assert done.returncode == 0, done.stderr[-3000:]
    assert kept(tmp_path / "out") == kept(made) and rejected(tmp_path / "out") == rejected(made)
    assert not list((tmp_path / "out" / "stages").glob("*-*/"))  # shards are gone
