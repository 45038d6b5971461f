"""Questions with given options, KoBEST BoolQ among them: the likeliest option is the answer.

Comes in: rows `{context, question, options, answer}`, or BoolQ's `{paragraph, question, label}`. Goes out: accuracy and
macro F1. An option is scored by the log-likelihood of its tokens with the end token, after the repository's answer prompt.
KoBEST's test split is for measuring only.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sklearn.metrics import f1_score

from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_types import KoQasError
from koqas.train.evaluation.bench import Bench, Report, drawn, required
from koqas.train.evaluation.intervals import interval_of
from koqas.train.evaluation.ledger import Row

YES_NO = ("아니요", "예")  # in the order of BoolQ's labels 0 and 1


@dataclass(frozen=True)
class OptionQuestion:
    """A question about a context with options; `answer` is the place of the right one."""

    context: str
    question: str
    options: tuple[str, ...]
    answer: int


def options(bench: Bench) -> Report:
    """Measure a file of questions with options."""
    asked = read_options(Path(required(bench.arguments, "options")))
    sample = drawn(asked, bench.arguments.questions, bench.evaluation.seed)
    rows = bench.ledger.rows("options", sample, lambda q: option_row(bench.qa, q))
    chosen, right = [r["chosen"] for r in rows], [r["answer"] for r in rows]
    most = max(right.count(a) for a in set(right)) / len(right)
    return {
        "n": len(rows),
        "accuracy": interval_of([c == a for c, a in zip(chosen, right)], bench.evaluation.seed).to_dict(),
        "macro_f1": round(float(f1_score(right, chosen, average="macro")), 4),
        "most_frequent": round(most, 4),
    }


def option_row(qa: KoQasPipeline, asked: OptionQuestion) -> Row:
    """Return the place of the likeliest option, and of the right one."""
    chat = qa.chat
    header = chat.sections.get("answer", chat.sections["summary"])
    context = chat.context([asked.context])[: qa.settings.context_tokens]
    scores = qa.extractive.score([*context, *chat.question(asked.question), *header], asked.options)
    return {"chosen": int(np.argmax(scores)), "answer": asked.answer, "scores": scores}


def read_options(path: Path) -> list[OptionQuestion]:
    """Read a .jsonl, .tsv or .parquet file.

    Raises:
        KoQasError: Not such a file, or a row is bad (numbered).
    """
    try:
        rows = _rows(path)
    except (OSError, ValueError, csv.Error) as error:
        raise KoQasError("options", f"읽을 수 없는 파일입니다: {path}", str(error)) from error
    if not rows:
        raise KoQasError("options", f"행이 없습니다: {path}", "pass a file with rows")
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_question(row))
        except (KeyError, TypeError, ValueError) as error:
            raise KoQasError(
                f"options: {path.name} row {number}", "선택지 질문이 아닙니다.",
                f"{type(error).__name__} {error}; columns: context, question, options, answer or paragraph, question, label",
            ) from error  # fmt: skip
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    with path.open(encoding="utf-8-sig", newline="") as lines:
        if path.suffix == ".tsv":
            return list(csv.DictReader(lines, delimiter="\t"))
        return [json.loads(line) for line in lines if line.strip()]


def _question(row: dict[str, Any]) -> OptionQuestion:
    if "label" in row:
        given = OptionQuestion(str(row["paragraph"]), str(row["question"]), YES_NO, int(row["label"]))
    else:
        offered = tuple(str(o) for o in row["options"])
        answer = row["answer"]
        place = offered.index(answer) if isinstance(answer, str) else int(answer)
        given = OptionQuestion(str(row["context"]), str(row["question"]), offered, place)
    if not given.question.strip() or len(set(given.options)) < 2 or not 0 <= given.answer < len(given.options):
        raise ValueError("an empty question, fewer than two options, or an answer that is none of them")
    return given
