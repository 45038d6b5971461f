"""What this repository's probabilities are worth: DocQuest's, the threshold's and the confidence of answers.

Comes in: the trial's questions, asked without any refusal. Goes out: a reliability diagram of DocQuest over retrieved
chunks, how the threshold trades useful chunks for useless ones, risk–coverage of answers, and promises
(koqas_promise.py) with how often they were kept on questions that were not used for them.
"""

import random
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from koqas.koqas_promise import Outcome, promise_of
from koqas.train.calibrate import calibration_error
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.trial import UNREFUSED_ARM, trial_of, trial_rows
from koqas.train.evaluation.trust import area_under_risk, refused_at, reliability_bins, risk_coverage, rounded

SHARES = (0.05, 0.1, 0.2, 0.3)  # of wrong answers, promised
LABELLED, SPLITS = 100, 200  # questions a promise is fitted on, and how often


def reliability(bench: Bench) -> Report:
    """Draw the curves."""
    asked = trial_rows(bench, trial_of(bench)).arm(UNREFUSED_ARM)
    present, absent = asked.present, asked.absent
    sure = [r["confidence"] for r in present]
    rows = [*present, *absent]
    given = [r for r in rows if r["answered"]]
    confidences, wrong = [r["confidence"] for r in given], [not r["right"] for r in given]
    unsure = [r["confidence"] for r in absent]
    return {
        "n": len(rows),
        "unanswerable": len(absent),
        "docquest": docquest_report(rows),
        "threshold": {"repository": bench.qa.settings.threshold, "curve": threshold_curve(present, absent)},
        "answers": {
            "n": len(given),
            "wrong": round(float(np.mean(wrong)), 4),
            "area_under_risk": round(area_under_risk(confidences, wrong), 4),
            "unanswerable_refused_at_5_percent": round(refused_at(0.05, sure, unsure), 4) if unsure else None,
            "curve": rounded(risk_coverage(confidences, wrong, len(rows))),
        },
        "promises": [promise_report(rows, share, bench.evaluation.seed) for share in SHARES],
    }


def docquest_report(rows: Sequence[Row]) -> Report:
    """Return how DocQuest's probabilities agree with whether retrieved chunks hold the answer."""
    chances, truths = np.asarray([c for r in rows for c in r["chunks"]], dtype=float).T
    truth = truths.astype(bool)
    return {
        "n": len(truth),
        "useful": int(truth.sum()),
        "auroc": round(float(roc_auc_score(truth, chances)), 4),
        "expected_calibration_error": round(calibration_error(chances, truth), 4),
        "bins": rounded(reliability_bins(chances.tolist(), truth.tolist())),
    }


def threshold_curve(present: Sequence[Row], absent: Sequence[Row]) -> list[dict[str, float]]:
    """Return what each threshold keeps and drops.

    Shares of useful chunks kept, of useless ones dropped, of answerable questions that keep a useful chunk, and of
    unanswerable ones that keep nothing.
    """
    chunks = np.asarray([c for r in [*present, *absent] for c in r["chunks"]], dtype=float)
    useful = chunks[:, 1] > 0
    found = [max((c[0] for c in r["chunks"] if c[1]), default=-1.0) for r in present]
    best = [max((c[0] for c in r["chunks"]), default=-1.0) for r in absent]
    curve = []
    for threshold in np.linspace(0, 1, 41):
        kept = chunks[:, 0] >= threshold
        curve.append(
            {
                "threshold": round(float(threshold), 4),
                "useful_kept": round(float(kept[useful].mean()), 4),
                "useless_dropped": round(float(1 - kept[~useful].mean()), 4),
                "answerable_with_evidence": round(float(np.mean(np.asarray(found) >= threshold)), 4),
                "unanswerable_refused": round(float(np.mean(np.asarray(best) < threshold)), 4) if best else 0.0,
            }
        )
    return curve


def promise_report(rows: Sequence[Row], most_wrong: float, seed: int) -> Report:
    """Return a promise fitted on all rows, and how promises of a part of the rows fared on the others."""
    outcomes = [Outcome(r["confidence"] if r["answered"] else None, r["right"]) for r in rows]
    promise = promise_of(outcomes, most_wrong)
    report: Report = {
        "most_wrong": most_wrong, "certainty": promise.certainty, "answered": round(promise.answered, 4),
        "wrong": round(promise.wrong, 4), "least_confidence": promise.least_confidence,
    }  # fmt: skip
    if len(outcomes) >= 1.5 * LABELLED:
        report["held_out"] = _held_out(outcomes, most_wrong, seed)
    return report


def _held_out(outcomes: Sequence[Outcome], most_wrong: float, seed: int) -> Report:
    """Fit on `LABELLED` questions drawn, test on the rest, many times."""
    rng = random.Random(seed)
    answered, wrong, given, made = 0, 0, 0, 0
    for _ in range(SPLITS):
        order = rng.sample(list(outcomes), len(outcomes))
        promise = promise_of(order[:LABELLED], most_wrong)
        if not promise.answered:
            continue
        made += 1
        taken = [o for o in order[LABELLED:] if (o.confidence or 0.0) >= promise.least_confidence]
        answered += len(taken)
        wrong += sum(not o.right for o in taken)
        given += len(order) - LABELLED
    return {
        "labelled": LABELLED,
        "splits": SPLITS,
        "made": round(made / SPLITS, 4),
        "answered": round(answered / given, 4) if given else 0.0,
        "wrong": round(wrong / answered, 4) if answered else 0.0,
    }
