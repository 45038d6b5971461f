"""The Korean robustness suite: questions that write something otherwise than the document that answers them.

Comes in: tests/benchmarks/robustness.jsonl (described in its README). Goes out: cases, and how many of them a searcher
finds, by category and half.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from koqas.benchmarks.searchers import Searcher
from koqas.koqas_types import Document, KoQasError
from koqas.train.evaluation.intervals import interval_of
from koqas.train.evaluation.ranking import DEPTH, rank_score

SUITE = Path(__file__).resolve().parents[1] / "tests" / "benchmarks" / "robustness.jsonl"
HALVES = ("development", "held_out")


@dataclass(frozen=True)
class Case:
    """A question and the one document that answers it.

    Args:
        question (`str`): As a user may write it.
        document (`str`): Id of the document.
        category (`str`): What is written otherwise.
        half (`str`): `development` or `held_out`.
    """

    question: str
    document: str
    category: str
    half: str


@dataclass(frozen=True)
class Suite:
    """All documents, those that answer no question included, and the cases."""

    documents: list[Document]
    cases: list[Case]


def read_suite(path: Path = SUITE) -> Suite:
    """Read the suite.

    Raises:
        KoQasError: The file is missing, or a line is bad (named).
    """
    documents, cases = [], []
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise KoQasError("suite", f"파일을 읽을 수 없습니다: {path}", str(error)) from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            documents.append(Document(row["id"], row["document"], ""))
            if row["query"] is not None:
                if row["half"] not in HALVES:
                    raise ValueError(f"half is {row['half']!r}")
                cases.append(Case(row["query"], row["id"], row["category"], row["half"]))
        except (KeyError, TypeError, ValueError) as error:
            raise KoQasError(
                "suite", f"{path}:{number} 줄을 읽을 수 없습니다.", f"{type(error).__name__}: {error}"
            ) from error
    return Suite(documents, cases)


Scores = Mapping[str, Mapping[str, dict[str, float]]]


def measured(searcher: Searcher, suite: Suite) -> Scores:
    """Return Hit@5 and Hit@1 by half and category, and over all categories with the 95 % interval of Hit@5."""
    searcher.index(suite.documents)
    scores = [rank_score(searcher.search(c.question, DEPTH), {c.document: 1.0}) for c in suite.cases]
    found = list(zip(suite.cases, scores, strict=True))
    report: dict[str, dict[str, dict[str, float]]] = {}
    for half in HALVES:
        names = dict.fromkeys(c.category for c in suite.cases)
        rows = {n: [s for c, s in found if c.half == half and c.category == n] for n in names}
        report[half] = {n: _hits([(s.hit1, s.hit5) for s in own]) for n, own in rows.items() if own}
        whole = [(s.hit1, s.hit5) for own in rows.values() for s in own]
        interval = interval_of([five for _, five in whole]).to_dict()
        report[half]["all"] = _hits(whole) | {"low": interval["low"], "high": interval["high"]}
    return report


def _hits(rows: Sequence[tuple[float, float]]) -> dict[str, float]:
    one, five = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return {"n": len(rows), "hit@5": round(five, 4), "hit@1": round(one, 4)}
