"""Which numbers of results/*.json a model card quotes, and what they are called there.

One row of `MEASURES` for each number: file, path in the file, names. Numbers that a record does not have are left out.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koqas.koqas_types import KoQasError

READING, RETRIEVAL, JUDGING = "question-answering", "text-retrieval", "text-classification"


@dataclass(frozen=True)
class Measure:
    """One number of a record.

    Args:
        file (`str`): Record in results/.
        path (`str`): Keys down to the number, joined by `/`.
        task (`str`): Task id of the hub.
        task_name (`str`): What was done.
        metric (`str`): Metric id.
        name (`str`): What the metric is called.
        dataset (`str`): Dataset id.
        dataset_name (`str`): What the data are called; the number of questions is added.
        percent (`bool`): Shown as a percentage.
        split (`str | None`): Split of the dataset.
        count (`str`): Keys down to the number of cases, where that is not `n` beside the number.
    """

    file: str
    path: str
    task: str
    task_name: str
    metric: str
    name: str
    dataset: str
    dataset_name: str
    percent: bool = False
    split: str | None = None
    count: str = ""


def _korquad(part: str, key: str, task: str, task_name: str, metric: str, name: str, percent: bool = False) -> Measure:
    where = ("squad_kor_v1", "KorQuAD 1.0 dev (half)", percent, "validation")
    return Measure("korquad.json", f"report/{part}/{key}", task, task_name, metric, name, *where)


def _written(part: str, key: str, metric: str, name: str, count: str = "") -> Measure:
    where = ("ko-qas-written", "Written questions, development passages")
    path = f"report/{part}/{key}"
    return Measure("calibration.json", path, JUDGING, "Judgement", metric, name, *where, count=count)


UNANSWERABLE = "DocQuest AUROC, questions that their own passage does not answer"
MEASURES = (
    _korquad("gold_passage", "em", READING, "Gold passage", "exact_match", "EM with the gold passage", True),
    _korquad("gold_passage", "f1", READING, "Gold passage", "f1", "F1 with the gold passage", True),
    _korquad("end_to_end", "em", READING, "Open book", "exact_match", "EM end to end", True),
    _korquad("end_to_end", "f1", READING, "Open book", "f1", "F1 end to end", True),
    _korquad("end_to_end", "evidence_hit", READING, "Open book", "evidence_hit", "Evidence sentence found", True),
    _korquad("retrieval/fused", "ndcg@10", RETRIEVAL, "Retrieval", "ndcg_at_10", "nDCG@10"),
    _korquad("usefulness/neighbour", "auroc", JUDGING, "DocQuest", "roc_auc", "AUROC against BM25 neighbours"),
    _written("usefulness", "own_passage_auroc", "roc_auc", UNANSWERABLE, "report/relevance/positives"),
    _written("usefulness", "expected_calibration_error", "ece", "DocQuest expected calibration error"),
)


@dataclass(frozen=True)
class Measured:
    """A measure with its value, the number of questions and the day it was taken."""

    measure: Measure
    value: float
    n: int | None
    date: str

    @property
    def dataset_name(self) -> str:
        """Name of the data with the number of questions."""
        return f"{self.measure.dataset_name}{f', n={self.n}' if self.n else ''}"


def measured_in(folder: Path) -> list[Measured]:
    """Read the records of a folder; records and numbers that are not there are left out.

    Raises:
        KoQasError: A record is damaged.
    """
    found = []
    for measure in MEASURES:
        path = folder / measure.file
        if not path.is_file():
            continue
        try:
            record = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise KoQasError(f"results/{measure.file}", f"기록이 손상되었습니다: {error}", "measure again") from error
        value = _at(record, measure.path)
        if isinstance(value, (int, float)):
            shown = round(100 * value, 1) if measure.percent else value
            count = _at(record, measure.count or f"{measure.path.rpartition('/')[0]}/n")
            found.append(Measured(measure, shown, count, str(record.get("date", ""))[:10]))
    return found


def _at(record: Any, path: str) -> Any:  # noqa: ANN401
    for key in path.split("/"):
        record = record.get(key) if isinstance(record, dict) else None
    return record
