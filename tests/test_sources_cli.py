"""The two commands of `python -m koqas.train.sources`, run as a user runs them."""

import json
import re
import subprocess
import sys

import pytest
from source_files import BUILDERS
from source_files_squad import saved
from test_sources import MAPPING

from koqas.train.examples import read_examples
from koqas.train.sources.catalog import SOURCES


def run(*arguments):
    command = [sys.executable, "-m", "koqas.train.sources", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_list_prints_every_set_and_counts_rows(tmp_path):
    done = run("list", "--path", f"aihub_admin={BUILDERS['aihub_admin'](tmp_path)}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [re.split(r"\s{2,}", line)[0] for line in lines] == ["set", *(s.name for s in SOURCES)]
    assert "5 (-5)" in next(line for line in lines if line.startswith("aihub_admin "))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_read_writes_rows_and_rejections(suffix, tmp_path):
    out, rejected = tmp_path / f"rows.{suffix}", tmp_path / "rejected.jsonl"
    folder = BUILDERS["aihub_news"](tmp_path / "download")
    done = run("read", "aihub_news", folder, "--out", out, "--rejected", rejected)
    assert done.returncode == 0, done.stderr
    assert [r.answer for r in read_examples(out)] == ["42km", "큰물", "한들강"]
    assert [json.loads(line)["reason"] for line in rejected.read_text("utf-8").splitlines()] == ["repaired_json"]
    assert "rows: 3 (reading 3)" in done.stderr and "rejected: 1 (repaired_json 1)" in done.stderr
    assert run("read", "aihub_news", folder, "--out", folder / "rows.jsonl").returncode == 2  # it would be read again


def test_read_stops_at_the_limit_and_prints_without_out(tmp_path):
    done = run("read", "squad2", BUILDERS["squad2"](tmp_path), "--limit", "1")
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == ["Solnae"]


def test_read_with_a_mapping_file(tmp_path):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("\n".join(f"{field}: {path}" for field, path in MAPPING.items()), encoding="utf-8")
    path = BUILDERS["economy_sports"](tmp_path)
    done = run("read", "economy_sports", path, "--mapping", mapping)
    assert [json.loads(line)["answer"] for line in done.stdout.splitlines()] == ["42km", "1987년"]


def test_read_fails_when_there_is_no_row(tmp_path):
    done = run("read", "korquad1", saved(tmp_path / "empty.json", b'{"data": []}'))
    assert done.returncode == 1 and "empty_set 1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["read", "nothing", "x.json"], "[source]"),
        (["read", "korquad1", "missing.json"], "[path]"),
        (["read", "korquad1", __file__, "--out", "rows.txt"], "[out]"),
        (["read", "korquad1", __file__, "--mapping", "missing.yaml"], "[mapping]"),
        (["read", "korquad1", __file__, "--limit", "0"], "[limit]"),
        (["list", "--path", "korquad1"], "[path]"),
    ],
)
def test_wrong_arguments_are_named(arguments, field):
    done = run(*arguments)
    assert done.returncode == 2 and field in done.stderr and "Traceback" not in done.stderr
