"""Reading: the answers of a pipeline beside the gold answers.

Comes in: questions and options of a call. Goes out: a row for each question and their means with intervals.
"""

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from koqas.koqas_pipeline import KoQasPipeline, verify
from koqas.koqas_retrieval import Index
from koqas.koqas_text import answer_candidates, sentences_of
from koqas.train.evaluation.answers import normalized_2, score
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.intervals import interval_of
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.questions import Asked

MEANS = ("em", "f1", "em_korquad2", "f1_korquad2", "evidence_hit", "answered", "literal")
WITH_INTERVAL = ("em", "f1", "evidence_hit")


def answer_row(qa: KoQasPipeline, asked: Asked, where: Index, options: dict[str, Any]) -> Row:
    """Ask one question; scores are 0 for abstentions and for questions without an answer."""
    result = qa(asked.question, documents=where, **options)
    said = result["answer"] if result["answered"] else ""
    gold = asked.answers or ("",)
    first, second = score(said, gold), score(said, gold, normalized_2)
    quotes = " ".join(e["quote"] for e in result["evidence"])
    literal = not result["answered"] or (
        verify(result, where) and re.sub(r"\s+", " ", said) in re.sub(r"\s+", " ", quotes)
    )
    return {
        "said": said,
        "em": first.em if asked.answers else 0.0,
        "f1": first.f1 if asked.answers else 0.0,
        "em_korquad2": second.em if asked.answers else 0.0,
        "f1_korquad2": second.f1 if asked.answers else 0.0,
        "evidence_hit": float(any(g in quotes for g in asked.answers)),
        "answered": float(result["answered"]),
        "literal": float(literal),
        "confidence": result["confidence"] if result["answered"] else 0.0,
        "seconds": result["timings"]["total"],
    }


def reading(
    bench: Bench, part: str, asked: Sequence[Asked], index: Index | None, options: dict[str, Any] | None = None
) -> Report:
    """Return the means of a reading; `index=None` asks each question's own document alone."""
    qa = bench.qa
    rows = bench.ledger.rows(
        part, asked, lambda a: answer_row(qa, a, index or qa.build_index([a.document]), options or {})
    )
    return summary_of(rows, bench.evaluation.seed)


def summary_of(rows: Sequence[Row], seed: int) -> Report:
    """Return means of rows, with 95 % intervals of the main ones and the median of the seconds."""
    means = {name: round(float(np.mean([r[name] for r in rows])), 4) for name in MEANS}
    ends = {}
    for name in WITH_INTERVAL:
        found = interval_of([r[name] for r in rows], seed)
        ends[name] = [round(found.low, 4), round(found.high, 4)]
    seconds = round(float(np.median([r["seconds"] for r in rows])), 3)
    return {"n": len(rows)} | means | {"median_seconds": seconds, "interval": ends}


def random_span(asked: Sequence[Asked], seed: int) -> Report:
    """Return EM and F1 of a random candidate of the gold passage."""
    rng = random.Random(seed)
    scores = []
    for a in asked:
        spans = [s.text[c.start : c.end] for s in sentences_of(a.document.text) for c in answer_candidates(s)]
        scores.append(score(rng.choice(spans or [""]), a.answers))
    em, f1 = (float(np.mean([getattr(s, name) for s in scores])) for name in ("em", "f1"))
    return {"n": len(scores), "em": round(em, 4), "f1": round(f1, 4)}
