"""Tokens a second of train/sft.py beside TRL's own `trl sft`: the same rows as token ids, the same base and settings.

    python train/throughput.py                 # writes results/throughput.json, about ten minutes on a CPU

Both are run as commands, in turns, so that a busy machine slows both. Tokens are those of the rows, without padding, as
SFTTrainer counts them (`num_tokens`); seconds are those of its training loop. What train/sft.py adds is named in OURS.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError
from koqas.train.completions import Mixture, completion_dataset, completions
from koqas.train.loading import load_tokenizer
from koqas.train.long_answers import read_long_answers
from koqas.train.provenance import record_of

ROOT = Path(__file__).resolve().parent.parent
BASE_FILES = (
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)
SHARED: dict[str, Any] = {
    "use_peft": True,
    "lora_r": 16,
    "lora_alpha": 16,
    "lora_dropout": 0.01,
    "lora_target_modules": ["q_proj", "v_proj", "o_proj"],
    "attn_implementation": "sdpa",
    "dtype": "float32",
    "per_device_train_batch_size": 4,
    "learning_rate": 4.0e-4,
    "max_length": 1024,
    "gradient_checkpointing": False,
    "bf16": False,
    "use_cpu": True,
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 1,
    "seed": 0,
}
# Rows of like length share a batch, and a step's rows come in two halves: less padding, less memory, the same step size.
OURS: dict[str, Any] = {
    "layout": "completions",
    "chat_style": "roles",
    "train_sampling_strategy": "group_by_length",
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
}
ARMS = ("trl sft", "train/sft.py")


@dataclass
class ThroughputArguments:
    """What to run.

    Args:
        rows (`str`): CSV with the columns Context, Question, Summary, Answer.
        epochs (`int`): Passes over the rows in each run.
        repeats (`int`): Runs of each command.
        out (`str`): JSON file.
    """

    rows: str = "data_sample/LongAnswer_100_public.csv"
    epochs: int = 2
    repeats: int = 3
    out: str = "results/throughput.json"


@dataclass(frozen=True)
class Run:
    """One training: tokens of its rows, seconds of its loop, peak memory of its process in MB, last loss."""

    tokens: int
    seconds: float
    megabytes: int
    loss: float

    @property
    def tokens_per_second(self) -> float:
        """Tokens without padding in a second."""
        return self.tokens / self.seconds


def bare_base(folder: Path) -> Path:
    """Copy the embedded base without its adapter: `trl sft` would take the adapter for the model."""
    folder.mkdir()
    for name in BASE_FILES:
        shutil.copy(ROOT / name, folder / name)
    config = json.loads((ROOT / "config.json").read_text("utf-8"))
    plain = {k: v for k, v in config.items() if k not in ("koqas", "custom_pipelines")}
    (folder / "config.json").write_text(json.dumps(plain), "utf-8")
    return folder


def commands(folder: Path, args: ThroughputArguments) -> dict[str, list[str]]:
    """Write base, rows and recipes; return the command line of each arm."""
    base = bare_base(folder / "base")
    rows = Path(args.rows) if Path(args.rows).exists() else ROOT / args.rows
    mixture = Mixture(longest=SHARED["max_length"])
    made, _ = completions(load_tokenizer(os.fspath(base), "roles"), read_long_answers(rows), mixture)
    (folder / "rows").mkdir()
    completion_dataset(made).to_parquet(os.fspath(folder / "rows" / "train.parquet"))
    shared = SHARED | {"model_name_or_path": os.fspath(base), "num_train_epochs": args.epochs}
    theirs = shared | {"dataset_name": os.fspath(folder / "rows"), "output_dir": os.fspath(folder / "theirs")}
    ours = shared | OURS | {"rows": os.fspath(rows.resolve()), "output_dir": os.fspath(folder / "ours")}
    for name, recipe in (("theirs", theirs), ("ours", ours)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    programs = Path(sys.executable).parent
    launch = [os.fspath(programs / "accelerate"), "launch", os.fspath(ROOT / "train" / "sft.py")]
    return {
        "trl sft": [os.fspath(programs / "trl"), "sft", "--config", os.fspath(folder / "theirs.yaml")],
        "train/sft.py": [*launch, "--config", os.fspath(folder / "ours.yaml")],
    }


def run_of(command: list[str], folder: Path) -> Run:
    """Run a training command and read what its trainer prints.

    Raises:
        KoQasError: It failed, or printed no summary.
    """
    log = folder / "run.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=environment())
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text("utf-8", errors="replace")
    entries = [ast.literal_eval(found) for found in re.findall(r"\{'[^{}\n]*\}", text)]
    ends = [e for e in entries if "train_runtime" in e]
    if process.returncode or not ends:
        raise KoQasError(Path(command[0]).name, "명령이 실패했습니다 (the command failed).", text[-1500:])
    steps = [e for e in entries if "num_tokens" in e and "loss" in e]
    tokens = int(float(steps[-1]["num_tokens"]))
    return Run(tokens, float(ends[-1]["train_runtime"]), usage.ru_maxrss // 1024, float(steps[-1]["loss"]))


def environment() -> dict[str, str]:
    """Return the environment of both commands: offline, one process."""
    return {**os.environ, "HF_HUB_OFFLINE": "1", "ACCELERATE_USE_CPU": "true", "TOKENIZERS_PARALLELISM": "false"}


def described(runs: list[Run]) -> dict[str, Any]:
    """Return the medians of an arm and its single runs."""
    return {
        "tokens": runs[0].tokens,
        "tokens_per_second": round(median(r.tokens_per_second for r in runs), 1),
        "peak_megabytes": median(r.megabytes for r in runs),
        "last_loss": round(runs[-1].loss, 4),
        "each": [round(r.tokens_per_second, 1) for r in runs],
    }


def main(args: ThroughputArguments) -> None:
    """Run both commands in turns and record."""
    found: dict[str, list[Run]] = {arm: [] for arm in ARMS}
    with tempfile.TemporaryDirectory() as place:
        lines = commands(Path(place), args)
        for turn in tqdm(range(args.repeats * len(ARMS)), desc="runs"):
            # The first of a turn changes, so that neither always comes when the other has warmed the disk.
            arm = ARMS[(turn + turn // len(ARMS)) % len(ARMS)]
            found[arm].append(run_of(lines[arm], Path(place)))
    theirs, ours = (described(found[arm]) for arm in ARMS)
    record = record_of(args) | {
        "n": args.repeats,
        "seed": SHARED["seed"],
        "settings": SHARED,
        "ours_adds": OURS,
        "arms": dict(zip(ARMS, (theirs, ours), strict=True)),
        "speed_ratio": round(ours["tokens_per_second"] / theirs["tokens_per_second"], 3),
        "memory_ratio": round(ours["peak_megabytes"] / theirs["peak_megabytes"], 3),
    }
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps({k: record[k] for k in ("arms", "speed_ratio", "memory_ratio")}, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main(HfArgumentParser(ThroughputArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
