"""Damaged files and wild values: nothing but the project's own error comes out (short form of benchmarks/fuzzing.py)."""

import json
import random
import subprocess
import sys
import time

import pytest
from conftest import DOCUMENTS, ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koqas.benchmarks import damage
from koqas.benchmarks.damage import Tally, attempt, damaged
from koqas.benchmarks.fuzzing import FuzzingArguments, fuzz_files, fuzz_index, fuzz_sources, fuzz_values
from koqas.koqas_documents import load_documents
from koqas.koqas_options import ASK_FIELDS
from koqas.koqas_types import KoQasError

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "title", "text", "x"]), inner),
    max_leaves=6,
)


def crashes(tallies):
    assert all(t.inputs for t in tallies.values())
    return [c for t in tallies.values() for c in t.crashes]


def test_damaged_files_are_read_or_refused(tmp_path):
    tallies = fuzz_files(FuzzingArguments(rounds=6, seed=1), tmp_path)
    assert {"document .hwpx", "document .hwp", "document .pdf", "document .docx", "document .xlsx"} <= set(tallies)
    assert crashes(tallies) == [] and sum(t.refused for t in tallies.values()) > 20


def test_damaged_downloads_are_read_or_rejected(tmp_path):
    tallies = fuzz_sources(FuzzingArguments(rounds=9, seed=1), tmp_path)
    assert len(tallies) > 20 and crashes(tallies) == []


def test_values_and_indexes_are_taken_or_refused(qa, tmp_path):
    args = FuzzingArguments(rounds=20, calls=25, seed=1)
    assert crashes(fuzz_values(args, qa)) == []
    tallies = fuzz_index(args, qa, tmp_path)
    assert crashes(tallies) == [] and tallies["saved index"].refused > 5


@settings(max_examples=150, deadline=None)
@given(ANY)
def test_documents_of_any_type(value):
    try:
        found = load_documents(value)
    except KoQasError as error:
        assert error.field and str(error)
    else:
        assert found and all(d.text.strip() for d in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=st.dictionaries(st.sampled_from(sorted(ASK_FIELDS)), ANY, min_size=1, max_size=3))
def test_arguments_of_any_type(qa, options):
    try:
        result = qa("한들강의 길이는?", **options)
    except KoQasError as error:
        assert error.field
    else:
        assert set(result) >= {"answer", "answered", "evidence"}


def test_a_crash_and_a_hang_are_noticed(monkeypatch):
    tally = Tally()
    attempt(tally, "fine", lambda: None)
    attempt(tally, "refused", lambda: load_documents(None))
    attempt(tally, "broken", lambda: {}["missing"])
    monkeypatch.setattr(damage, "LONGEST", 1)
    attempt(tally, "slow", lambda: time.sleep(5))
    assert (tally.inputs, tally.refused) == (4, 1)
    assert [c.split(":")[0] for c in tally.crashes] == ["broken", "slow"] and "KeyError" in tally.crashes[0]


def test_damage_is_real_and_repeatable():
    raw = json.dumps(DOCUMENTS).encode()
    rows = [damaged(raw, random.Random(n)) for n in range(30)]
    assert rows == [damaged(raw, random.Random(n)) for n in range(30)] and sum(r != raw for r in rows) > 25


@pytest.mark.slow
def test_the_command_finds_nothing_open(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "fuzzing.py"),
        "--rounds",
        "60",
        "--calls",
        "80",
        "--seed",
        "7",
    ]
    done = subprocess.run([*command, "--out", str(tmp_path / "f.json")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
