"""The trial behind `claim` and `reliability`: questions whose articles are in the index, and questions whose are not.

Comes in: a SQuAD-format file and the recipe's arms. Goes out: for each question the row of every arm, and one asked without
any refusal, with the usefulness of all chunks found.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from koqas.koqas_promise import agrees
from koqas.koqas_retrieval import Index
from koqas.koqas_types import KoQasError
from koqas.train.evaluation.bench import Bench, drawn
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.memory import shared_reading
from koqas.train.evaluation.questions import Asked
from koqas.train.evaluation.reading import answer_row
from koqas.train.preparation.line import digest_of

LEFT_OUT = 0.25  # share of the articles
UNREFUSED: dict[str, Any] = {"threshold": 0.0, "answer_threshold": 0.0, "first_pass": False, "max_rounds": 1}


@dataclass(frozen=True)
class Trial:
    """An index, questions that its documents answer, and questions whose articles were left out of it."""

    index: Index
    present: list[Asked]
    absent: list[Asked]


@dataclass(frozen=True)
class TrialRows:
    """For each question, in order, the rows of all arms by name; `UNREFUSED_ARM` is among them."""

    present: list[Row]
    absent: list[Row]

    def arm(self, name: str) -> "TrialRows":
        """Return the rows of one arm."""
        return TrialRows([r[name] for r in self.present], [r[name] for r in self.absent])


UNREFUSED_ARM = "unrefused"


def trial_of(bench: Bench) -> Trial:
    """Leave articles out, index the others, draw the questions.

    Raises:
        KoQasError: Fewer than four articles.
    """
    articles = sorted({a.article for a in bench.squad.asked})
    if len(articles) < 4:
        raise KoQasError("korquad", f"글이 {len(articles)}편뿐입니다.", "some are left out: four or more are needed")
    seed = bench.evaluation.seed
    random.Random(seed).shuffle(articles)
    left_out = set(articles[: max(round(LEFT_OUT * len(articles)), 1)])
    inside = {a.document.id for a in bench.squad.asked if a.article not in left_out}
    present = [a for a in bench.squad.answerable if a.article not in left_out]
    absent = [a for a in bench.squad.answerable if a.article in left_out]
    index = bench.qa.build_index([d for d in bench.squad.documents if d.id in inside], progress=True)
    return Trial(index, drawn(present, bench.arguments.questions, seed), drawn(absent, bench.arguments.absent, seed))


def trial_rows(bench: Bench, trial: Trial) -> TrialRows:
    """Ask every question in every arm."""
    arms: Mapping[str, dict[str, Any]] = {a.name: a.options for a in bench.evaluation.arms}
    name = f"trial {digest_of(arms)[:6]}"

    def work(asked: Asked, answers: tuple[str, ...]) -> Row:
        case = Asked(asked.question, answers, asked.document, asked.article)
        with shared_reading(bench.qa):
            rows = {arm: answer_row(bench.qa, case, trial.index, options) for arm, options in arms.items()}
            return rows | {UNREFUSED_ARM: unrefused_row(bench, case, trial.index)}

    return TrialRows(
        bench.ledger.rows(name, trial.present, lambda a: work(a, a.answers)),
        bench.ledger.rows(f"{name} absent", trial.absent, lambda a: work(a, ())),
    )


def unrefused_row(bench: Bench, asked: Asked, index: Index) -> Row:
    """Ask without refusing; keep the confidence and each retrieved chunk's usefulness with whether it holds the answer."""
    result = bench.qa(asked.question, documents=index, **UNREFUSED)
    texts = {(c.document, c.number): c.text for c in index.chunks}
    chunks = [
        [
            d["usefulness"],
            d["id"] == asked.document.id and any(a in texts[d["id"], d["chunk"]] for a in asked.answers),
        ]
        for d in result["documents"]
        if d["usefulness"] is not None
    ]
    right = result["answered"] and agrees(result["answer"], asked.answers)
    sure = result["confidence"] if result["answered"] else 0.0
    return {"answered": result["answered"], "right": right, "confidence": sure, "chunks": chunks}
