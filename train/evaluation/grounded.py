"""The part `grounding`: both ways to answer, asked about the same questions and judged by grounding.py."""

from typing import Any

import numpy as np

from koqas.koqas_pipeline import KoQasPipeline, verify
from koqas.koqas_retrieval import Index
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.grounding import SCRIPTS, citations_of, leaked_scripts
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.questions import Asked

WAYS = ("extractive", "cited")
ASKING: dict[str, Any] = {"answer_threshold": 0.0, "threshold": 0.0, "first_pass": False, "max_rounds": 1}


def grounding(bench: Bench) -> Report:
    """Measure both ways; only answers count, abstentions are told."""
    report: Report = {}
    for way in WAYS:
        options = ASKING | {"grounding": way, "max_new_tokens": bench.arguments.new_tokens}
        rows = bench.ledger.rows(
            f"grounding {way} {bench.arguments.new_tokens}",
            bench.sample,
            lambda a, o=options: grounding_row(bench.qa, a, bench.index, o),  # type: ignore[misc]
        )
        report[way] = summary_of([r for r in rows if r["answered"]]) | {"asked": len(rows)}
    return report


def grounding_row(qa: KoQasPipeline, asked: Asked, index: Index, options: dict[str, Any]) -> Row:
    """Ask one question; passages are the kept chunks in the order in which they were numbered for the model."""
    result = qa(asked.question, documents=index, **options)
    chunks = {(c.document, c.number): c for c in index.chunks}
    kept = [chunks[d["id"], d["chunk"]] for d in result["documents"] if d["kept"]]
    texts = [f"{c.title}\n{c.text}" for c in kept]
    summary, answer = result["summary"], result["answer"] if result["answered"] else ""
    quotes = " ".join(" ".join(e["quote"] for e in result["evidence"]).split())
    found = citations_of(summary, texts, asked.question)
    return {
        "answered": result["answered"],
        "verified": verify(result, index),
        "literal": " ".join(answer.split()) in quotes,
        "leaked": leaked_scripts(f"{summary}\n{answer}", [*texts, asked.question]),
        "sentences": found.sentences, "supported": found.supported, "cited": found.cited, "needed": found.needed,
    }  # fmt: skip


def summary_of(rows: list[Row]) -> Report:
    """Return shares over answers: verified evidence, literal answers, leaked scripts, citation precision and recall."""
    if not rows:
        return {"n": 0}
    total = {k: sum(r[k] for r in rows) for k in ("sentences", "supported", "cited", "needed")}
    report: Report = {
        "n": len(rows),
        "verified": round(float(np.mean([r["verified"] for r in rows])), 4),
        "literal": round(float(np.mean([r["literal"] for r in rows])), 4),
        "leaked": round(float(np.mean([bool(r["leaked"]) for r in rows])), 4),
        "leaked_scripts": {n: sum(n in r["leaked"] for r in rows) for n in SCRIPTS},
    }
    if total["cited"]:
        report["citation_recall"] = round(total["supported"] / total["sentences"], 4)
        report["citation_precision"] = round(total["needed"] / total["cited"], 4)
    return report
