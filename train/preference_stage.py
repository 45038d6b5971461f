"""The preference stage of the embedded adapter: is it better with than without?

    python train/preference_stage.py --data DIR        # writes results/preference_stage.json, about half an hour on a CPU

Answers to written training questions are sampled from the SFT adapter, the better and the worse one are chosen by measure
(support by the passage, the known answer), train/dpo.py goes on from the adapter, and both adapters read the written
development questions with their passages. The stage is kept only if the whole system's exact matches rise: the lower end
of the paired 95 % interval is above 0. Steps whose file is there are not done again.
"""

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser

from koqas.koqas_pipeline import KoQasPipeline, load
from koqas.koqas_types import KoQasError
from koqas.train.corpora import written_passages
from koqas.train.evaluation.bench import drawn
from koqas.train.evaluation.intervals import difference_of
from koqas.train.evaluation.korquad import GOLD
from koqas.train.evaluation.ledger import Ledger, Row, weights_digest
from koqas.train.evaluation.questions import Asked, read_written
from koqas.train.evaluation.reading import answer_row, summary_of
from koqas.train.provenance import record_of

ROOT = Path(__file__).resolve().parent.parent
PREFERRED = "preferred"
READERS: dict[str, dict[str, Any]] = {"whole": {}, "model_alone": {"ranker": False}}


@dataclass
class StageArguments:
    """What to sample, learn and measure.

    Args:
        data (`str`): Folder of the corpora.
        sampled (`int`): Training questions whose answers are sampled.
        answers (`int`): Draws for each.
        epochs (`float`): Passes of DPO over the pairs.
        questions (`int`): Development questions read.
        work (`str`): Folder of the steps' files.
        out (`str`): JSON file.
        seed (`int`): Seed of draws, sampling and training.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    sampled: int = 600
    answers: int = 6
    epochs: float = 1.0
    questions: int = 300
    work: str = "runs/preference_stage"
    out: str = "results/preference_stage.json"
    seed: int = 0


def write_questions(args: StageArguments, path: Path) -> int:
    """Write a draw of the answerable training questions with their passages; return how many."""
    found = [(p, q) for p in written_passages(Path(args.data), "train") for q in p.questions if q.answer]
    random.Random(args.seed).shuffle(found)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("Context", "Question", "Summary", "Answer"))
        for passage, q in found[: args.sampled]:
            context = " ".join(passage.text.split())
            rows.writerow((f"[1] {context}", q.question, q.summary or q.evidence or q.answer, q.answer))
    return min(args.sampled, len(found))


def run_step(done: Path, command: Sequence[str], resumes: bool = False) -> None:
    """Run a command of train/ unless the file it leaves is there; one that `resumes` goes on with its file.

    Raises:
        KoQasError: It failed.
    """
    if done.is_file() and not resumes:
        return
    finished = subprocess.run([sys.executable, *command], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if finished.returncode or not done.is_file():
        raise KoQasError(Path(command[0]).name, "단계가 실패했습니다 (a step failed).", finished.stderr[-1500:])


def learn(args: StageArguments, work: Path) -> Path:
    """Sample, choose, learn; return the folder of the new adapter."""
    rows, candidates, pairs, out = (work / n for n in ("rows.csv", "candidates.jsonl", "pairs.csv", "adapter"))
    sample = ["train/preferences.py", "sample", "--rows", os.fspath(rows), "--out", os.fspath(candidates)]
    sample += ["--answers", str(args.answers), "--max_new_tokens", "24", "--seed", str(args.seed)]
    choose = ["train/preferences.py", "choose", "--by", "measure", "--candidates", os.fspath(candidates)]
    if not pairs.is_file():
        write_questions(args, rows)
        run_step(candidates, sample, resumes=True)
    run_step(pairs, [*choose, "--out", os.fspath(pairs)])
    dpo = [
        "train/dpo.py",
        "--config",
        "train/recipes/embedded/dpo.yaml",
        "--adapter",
        os.fspath(ROOT),
        "--self_play",
        "0",
    ]
    dpo += ["--pairs", os.fspath(pairs), "--held_out", "0.2", "--num_train_epochs", str(args.epochs)]
    run_step(out / "dpo.json", [*dpo, "--output_dir", os.fspath(out), "--seed", str(args.seed)])
    return out


def read_alone(qa: KoQasPipeline, options: dict[str, Any], asked: Asked) -> Row:
    """Ask a question of its own document alone."""
    return answer_row(qa, asked, qa.build_index([asked.document]), options)


def readings(args: StageArguments, qa: KoQasPipeline, adapter: Path, asked: Sequence[Asked]) -> dict[str, list[Row]]:
    """Read the questions with both adapters, by the whole system and by the language model alone."""
    basis = {"weights": weights_digest(ROOT), "preferred": weights_digest(adapter), "seed": args.seed}
    ledger = Ledger(Path(args.work) / "rows.jsonl", basis)
    qa.model.load_adapter(os.fspath(adapter), adapter_name=PREFERRED)
    rows: dict[str, list[Row]] = {}
    for name in ("default", PREFERRED):
        qa.model.set_adapter(name)
        for reader, options in READERS.items():
            part = f"{reader}, {name}"
            rows[part] = ledger.rows(part, asked, partial(read_alone, qa, GOLD | options))
    ledger.close()
    return rows


def compared(rows: dict[str, list[Row]], seed: int) -> dict[str, Any]:
    """Return means of every arm and the paired differences that the stage makes."""
    report: dict[str, Any] = {}
    for reader in READERS:
        before, after = rows[f"{reader}, default"], rows[f"{reader}, {PREFERRED}"]
        report[reader] = {
            "without": summary_of(before, seed),
            "with": summary_of(after, seed),
            "difference": {
                k: difference_of([r[k] for r in after], [r[k] for r in before], seed).to_dict() for k in ("em", "f1")
            },
        }
    return report


def kept(report: dict[str, Any]) -> bool:
    """Tell whether the stage is worth keeping: the whole system surely finds more exact answers with it."""
    return bool(report["whole"]["difference"]["em"]["low"] > 0)


def main(args: StageArguments) -> None:
    """Learn, measure, decide, record."""
    work = Path(args.work)
    work.mkdir(parents=True, exist_ok=True)
    adapter = learn(args, work)
    learned = json.loads((adapter / "dpo.json").read_text("utf-8"))
    asked = drawn(read_written(Path(args.data)).answerable, args.questions, args.seed)
    report = compared(readings(args, load(os.fspath(ROOT)), adapter, asked), args.seed)
    record = record_of(args) | {
        "n": len(asked),
        "seed": args.seed,
        "pairs": learned["learned"],
        "held_out": learned["held_out"],
        "reading": report,
        "kept": kept(report),
    }
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps({k: record[k] for k in ("pairs", "held_out", "reading", "kept")}, ensure_ascii=False))


if __name__ == "__main__":
    try:
        main(HfArgumentParser(StageArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
