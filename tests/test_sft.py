"""`accelerate launch train/sft.py` as the training guide prints it, on the sample data."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean

import pytest
from conftest import ROOT
from safetensors.numpy import load_file


def train(folder, *arguments):
    """Run the command from an unrelated folder; return its record and the adapter's weights."""
    accelerate = Path(sys.executable).with_name("accelerate")
    done = subprocess.run(
        [accelerate, "launch", ROOT / "train" / "sft.py", *arguments],
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    out = folder / "runs" / "sample"
    return json.loads((out / "sft.json").read_text("utf-8")), load_file(out / "adapter_model.safetensors")


def test_the_command_line_overrides_the_recipe(tmp_path):
    record, weights = train(tmp_path, "--max_steps", "2", "--per_device_train_batch_size", "1")
    assert record["log"][-1]["step"] == 2
    # LoRA's second factor starts at zero: what is not zero was learned.
    assert all(abs(w).max() > 0 for name, w in weights.items() if "lora_B" in name)


def test_an_unknown_argument_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="max_stpes"):
        train(tmp_path, "--max_stpes", "2")


@pytest.mark.slow
def test_the_bare_command_learns_the_sample(tmp_path):
    """Three passes over 100 rows: minutes on two cores."""
    record, _ = train(tmp_path)
    losses = [entry["loss"] for entry in record["log"] if "loss" in entry]
    assert mean(losses[-4:]) < mean(losses[:4])
