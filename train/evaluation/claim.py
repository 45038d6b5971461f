"""The claim tested: similarity search alone, then our stages one at a time, over the same questions.

Comes in: the trial's rows. Goes out: for each arm of the recipe how often it is right where the documents hold the answer,
how often it answers where they do not, and the paired difference to the first arm. Reader and questions are the same in
all arms, so differences come from the stages.
"""

import numpy as np

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.intervals import difference_of, interval_of
from koqas.train.evaluation.trial import TrialRows, trial_of, trial_rows


def claim(bench: Bench) -> Report:
    """Run every arm.

    Raises:
        KoQasError: The recipe has no arms.
    """
    arms = bench.evaluation.arms
    if not arms:
        raise KoQasError(
            "arms", "견줄 방식이 없습니다.", "list arms such as {name: plain, docquest: false} in the recipe"
        )
    trial = trial_of(bench)
    rows = trial_rows(bench, trial)
    baseline = measures_of(rows.arm(arms[0].name))
    seed = bench.evaluation.seed
    return {
        "n": len(rows.present) + len(rows.absent),
        "unanswerable": len(rows.absent),
        "chunks": len(trial.index.chunks),
        "arms": [{"name": a.name} | _described(rows.arm(a.name), baseline, seed) for a in arms],
    }


def measures_of(rows: TrialRows) -> dict[str, list[float]]:
    """Return one value for each question and measure.

    `invented` is an answer where the documents hold none; `accuracy` counts exact answers where they hold one and
    abstentions where they do not.
    """
    values = {name: [r[name] for r in rows.present] for name in ("em", "f1", "evidence_hit", "answered")}
    if not rows.absent:
        return values
    invented = [r["answered"] for r in rows.absent]
    return values | {"invented": invented, "accuracy": [*values["em"], *(1 - x for x in invented)]}


def _described(rows: TrialRows, baseline: dict[str, list[float]], seed: int) -> Report:
    measures = measures_of(rows)
    given = [1 - r["em"] for r in rows.present if r["answered"]] + [1.0 for r in rows.absent if r["answered"]]
    return {
        **{k: interval_of(v, seed).to_dict() for k, v in measures.items()},
        "wrong_given": round(float(np.mean(given)), 4) if given else 0.0,
        "difference": {k: difference_of(v, baseline[k], seed).to_dict() for k, v in measures.items()},
    }
