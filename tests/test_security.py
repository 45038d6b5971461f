"""What SECURITY.md promises: no connection, process or unpickling, writes only where told, known weight files."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DOCUMENTS, ROOT

WEIGHTS = ("model.safetensors", "adapter_model.safetensors", "ranker.safetensors", "retriever/model.safetensors")
BY_CODE = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".h5", ".npy", ".npz"}


def audited(folder, *further):
    command = [sys.executable, str(ROOT / "tests" / "audited_run.py"), str(ROOT), json.dumps(DOCUMENTS), str(folder)]
    done = subprocess.run([*command, *further], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_touched_while_loading_indexing_answering(tmp_path):
    report = audited(tmp_path / "index")
    assert "2011년" in report["answers"][0]
    assert report["seen"] == []
    outside = [s for s in report["saving"] if not s.startswith(f"write {tmp_path}")]
    assert report["saving"] and outside == []


@pytest.mark.slow
def test_the_watch_notices_a_process(tmp_path):
    assert any(s.startswith("os.system") for s in audited(tmp_path / "index", "--forbidden")["seen"])


def test_every_weight_has_a_record_with_its_hash():
    recorded = json.loads((ROOT / "results" / "weights.json").read_text("utf-8"))["files"]
    assert set(recorded) == set(WEIGHTS)
    for name, expected in recorded.items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == expected, name


def test_no_file_that_runs_code_when_it_is_read():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    if listed == [""]:
        pytest.skip("a copy without git")
    assert [n for n in listed if Path(n).suffix in BY_CODE] == []


def test_every_locked_requirement_has_a_hash():
    lock = (ROOT / "requirements.lock.txt").read_text("utf-8").replace("\\\n", " ")
    pins = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
    assert pins and all("==" in p and "--hash=sha256:" in p for p in pins)
    locked = {p.split("==")[0].lower(): p.split("==")[1].split()[0] for p in pins}
    asked = [r.split("==") for r in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if "==" in r]
    assert {n: locked.get(n.lower().replace("_", "-"), "").split("+")[0] for n, _ in asked} == dict(asked)
