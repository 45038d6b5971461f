"""The README says what results/ says."""

import json
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.plots import PICTURES, draw_all, outdated
from koqas.train.readme import filled


@pytest.fixture
def copy(tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "results", tmp_path / "results")
    return tmp_path


def run(folder, *flags):
    command = [sys.executable, str(ROOT / "train" / "readme.py"), "--repository", str(folder), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_readme_and_the_records_agree():
    assert filled(ROOT / "README.md", ROOT / "results") == (ROOT / "README.md").read_text("utf-8")


def test_a_new_measurement_changes_table_prose_and_metadata(copy):
    record = json.loads((copy / "results" / "korquad.json").read_text("utf-8"))
    record["report"]["gold_passage"]["em"] = 0.9876
    (copy / "results" / "korquad.json").write_text(json.dumps(record), "utf-8")
    assert run(copy, "--check").returncode == 1
    assert run(copy).returncode == 0
    text = (copy / "README.md").read_text("utf-8")
    assert "value: 98.8" in text and "| 0.988 / " in text and "99%" in text
    assert run(copy, "--check").returncode == 0


def test_the_pictures_show_the_numbers_of_their_records(copy):
    assert all((ROOT / "results" / f"{name}.png").is_file() for name in PICTURES) and not outdated(ROOT / "results")
    path = copy / "results" / "claim.json"
    record = json.loads(path.read_text("utf-8"))
    record["report"]["arms"][0]["f1"]["mean"] = 0.1234
    path.write_text(json.dumps(record), "utf-8")
    picture = copy / "results" / "claim.png"
    assert outdated(copy / "results") == [picture]
    before = picture.read_bytes()
    assert draw_all(copy / "results") == [picture] and not outdated(copy / "results")
    assert picture.read_bytes() != before


def test_a_missing_number_is_named(copy):
    (copy / "results" / "calibration.json").write_text('{"report": {}}', "utf-8")
    with pytest.raises(KoQasError, match=r"own_passage_auroc") as caught:
        filled(copy / "README.md", copy / "results")
    assert caught.value.field == "results/calibration.json"
