"""train/sft.py over two processes, and after a kill: the result is that of one unbroken process. Minutes on two cores."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from safetensors.numpy import load_file

from koqas.train.saving import is_whole

pytestmark = pytest.mark.slow
SHORT = ("--logging_steps", "1", "--warmup_steps", "0", "--max_length", "256")


def command(folder, *arguments, launcher=("--num_processes", "1")):
    accelerate = Path(sys.executable).with_name("accelerate")
    line = [accelerate, "launch", *launcher, ROOT / "train" / "sft.py", *SHORT, *arguments, "--output_dir", folder]
    return [str(word) for word in line], {**os.environ, "OMP_NUM_THREADS": "1"}


def train(folder, *arguments, **options):
    line, env = command(folder, *arguments, **options)
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "sft.json").read_text("utf-8")), load_file(folder / "adapter_model.safetensors")


@pytest.mark.parametrize("layout", ["completions", "trees"])
def test_two_processes_learn_what_one_does(tmp_path, layout):
    options = ("--layout", layout, "--max_steps", "3", "--lora_dropout", "0")  # dropout draws differ between processes
    config = ROOT / "train" / "recipes" / "accelerate" / "cpu_ddp.yaml"
    one, alone = train(tmp_path / "one", *options, "--per_device_train_batch_size", "4")
    two, shared = train(
        tmp_path / "two", *options, "--per_device_train_batch_size", "2", launcher=("--config_file", config)
    )
    assert (one["processes"], two["processes"]) == (1, 2)
    curves = [[entry["loss"] for entry in record["log"] if "loss" in entry] for record in (one, two)]
    assert len(curves[0]) == 3 and curves[1] == pytest.approx(curves[0], rel=1e-4)
    for name, weights in alone.items():
        assert np.abs(weights - shared[name]).max() < 1e-4, name


def test_a_killed_training_ends_at_the_same_adapter(tmp_path):
    options = ("--layout", "completions", "--max_steps", "8", "--per_device_train_batch_size", "2")
    options = (*options, "--save_strategy", "steps", "--save_steps", "2", "--save_total_limit", "2")
    record, whole = train(tmp_path / "whole", *options)
    folder = tmp_path / "killed"
    line, env = command(folder, *options)
    running = subprocess.Popen(
        line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    begun = time.monotonic()
    while not ((folder / "checkpoint-4").is_dir() and is_whole(folder / "checkpoint-4")):
        assert running.poll() is None and time.monotonic() - begun < 300
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (folder / "adapter_model.safetensors").exists(), "killed before the end: no adapter, not half of one"
    resumed, weights = train(folder, *options, "--resume_from_checkpoint", "latest")
    assert resumed["resumed"] in ("checkpoint-4", "checkpoint-6") and record["resumed"] is None
    losses = [[e["loss"] for e in r["log"] if "loss" in e] for r in (record, resumed)]
    assert losses[0] == losses[1]
    assert whole.keys() == weights.keys() and all((whole[n] == weights[n]).all() for n in whole)
