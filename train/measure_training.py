"""Run the three commands of the training guide in a fresh clone and record what they reach.

    python train/measure_training.py                 # writes results/training.json

SFT, then DPO, then publishing to a folder, which opens the result by the pipeline call and asks it once. The clone holds
what is committed, and nothing else of this checkout takes part.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError
from koqas.train.provenance import record_of

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "sft": ("accelerate", "launch", "train/sft.py"),
    "dpo": ("accelerate", "launch", "train/dpo.py"),
    "publish": ("python", "train/publish.py", "--adapter", "runs/sample-dpo", "--out", "runs/published"),
}
EDGE = 4  # logged losses at either end of a training whose means are compared


@dataclass
class MeasureArguments:
    """Where the record goes.

    Args:
        out (`str`): JSON file.
    """

    out: str = "results/training.json"


def ran(name: str, clone: Path, environment: dict[str, str]) -> float:
    """Run a command in the clone; return its seconds.

    Raises:
        KoQasError: It failed.
    """
    program, *arguments = COMMANDS[name]
    begun = time.monotonic()
    line = [os.fspath(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(line, cwd=clone, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise KoQasError(name, "명령이 실패했습니다.", done.stderr[-1500:])
    return round(time.monotonic() - begun, 1)


def curve(record: dict[str, Any]) -> dict[str, Any]:
    """Return the losses of a training and the means at both ends."""
    losses = [round(entry["loss"], 4) for entry in record["log"] if "loss" in entry]
    return {"first": round(mean(losses[:EDGE]), 4), "last": round(mean(losses[-EDGE:]), 4), "losses": losses}


def main(args: MeasureArguments) -> None:
    """Clone, run, record."""
    with tempfile.TemporaryDirectory() as folder:
        clone, packages = Path(folder) / "clone", Path(folder) / "packages"
        subprocess.run(["git", "clone", "--quiet", os.fspath(ROOT), os.fspath(clone)], check=True)
        packages.mkdir()
        (packages / "koqas").symlink_to(clone)  # goes before an installed koqas, which may be this checkout
        environment = {**os.environ, "PYTHONPATH": os.fspath(packages), "HF_HUB_OFFLINE": "1"}
        seconds = {name: ran(name, clone, environment) for name in COMMANDS}
        sft = json.loads((clone / "runs" / "sample" / "sft.json").read_text("utf-8"))
        dpo = json.loads((clone / "runs" / "sample-dpo" / "dpo.json").read_text("utf-8"))
    record = record_of(args) | {
        "commands": {name: " ".join(words) for name, words in COMMANDS.items()},
        "seconds": seconds,
        "sft": {"loss": curve(sft), "tokens": sft["tokens"]},
        "dpo": {"loss": curve(dpo), "pairs": dpo["learned"], "held_out": dpo["held_out"]},
    }
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps({k: record[k] for k in ("seconds", "sft", "dpo")}, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main(HfArgumentParser(MeasureArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
