"""Speed beside TRL's own command: both really train the same tokens."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.training_tables import overall_accuracy, training_sentences
from koqas.train.throughput import Run, described, run_of

PRINTS = "\nprint({'loss': '1.5', 'num_tokens': '1200'})\nprint({'loss': '1.25', 'num_tokens': '2400'})\n"


def test_a_run_is_read_from_what_the_trainer_prints(tmp_path):
    script = PRINTS + "print({'train_runtime': '12', 'train_loss': '1.4'})"
    found = run_of([sys.executable, "-c", script], tmp_path)
    assert (found.tokens, found.seconds, found.loss) == (2400, 12.0, 1.25) and found.megabytes > 1
    assert found.tokens_per_second == 200


@pytest.mark.parametrize("script", [PRINTS, PRINTS + "print({'train_runtime': '12'}); raise SystemExit(3)"])
def test_a_run_that_failed_says_so(script, tmp_path):
    with pytest.raises(KoQasError, match=r"failed.*2400|2400.*failed|실패"):
        run_of([sys.executable, "-c", script], tmp_path)


def test_an_arm_is_its_median():
    runs = [Run(1000, seconds, size, 1.0) for seconds, size in ((10, 90), (5, 100), (20, 110))]
    assert described(runs) == {
        "tokens": 1000,
        "tokens_per_second": 100.0,
        "peak_megabytes": 100,
        "last_loss": 1.0,
        "each": [100.0, 200.0, 50.0],
    }


def test_accuracy_counts_every_pair_once():
    held = {
        name: {"after": {"pairs": n, "accuracy": a}} for name, n, a in (("written", 30, 0.5), ("self_play", 60, 1))
    }
    assert overall_accuracy(held, "after") == pytest.approx(75 / 90)


def test_the_three_commands_reached_what_the_card_says():
    record = json.loads((ROOT / "results" / "training.json").read_text("utf-8"))
    sft, dpo = record["sft"]["loss"], record["dpo"]
    assert sft["last"] < sft["first"] and dpo["loss"]["last"] < dpo["loss"]["first"]
    before, after = (overall_accuracy(dpo["held_out"], when) for when in ("before", "after"))
    assert after > before and record["seconds"]["sft"] < 300 and not record["dirty"]
    assert f"{before:.3f} → {after:.3f}" in training_sentences(record)


@pytest.mark.slow
def test_both_commands_train_the_same_tokens(tmp_path):
    out = tmp_path / "throughput.json"
    command = [sys.executable, str(ROOT / "train" / "throughput.py"), "--epochs", "1", "--repeats", "1"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    arms = json.loads(out.read_text("utf-8"))["arms"]
    assert arms["trl sft"]["tokens"] == arms["train/sft.py"]["tokens"] > 10_000
