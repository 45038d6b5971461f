"""The parts over a SQuAD-format file and over the written questions: retrieval, DocQuest, reading and its ablations."""

import resource
from pathlib import Path
from typing import Any

from koqas.train.evaluation.bench import Bench, Report, drawn, required
from koqas.train.evaluation.questions import read_written
from koqas.train.evaluation.reading import random_span, reading
from koqas.train.evaluation.retrieval import Judged, retrieval
from koqas.train.evaluation.usefulness import usefulness

# The gold passage is known to hold the answer, so nothing is refused.
GOLD: dict[str, Any] = {"threshold": 0.0, "first_pass": False, "answer_threshold": 0.0, "docquest": False}
NEVER_REFUSING: dict[str, Any] = {"threshold": 0.0, "answer_threshold": 0.0}
NO_DOCQUEST: dict[str, Any] = {"docquest": False, "first_pass": False, "max_kept": 3, "answer_threshold": 0.0}
GOLD_ABLATIONS: dict[str, dict[str, Any]] = {
    "gold_passage": {},
    "gold_passage_no_summary": {"summary": False},
    "gold_passage_ranker_alone": {"reader": False},
    "gold_passage_model_alone": {"ranker": False},
}
WITHOUT_ADAPTER = ("gold_passage", "gold_passage_model_alone")


def korquad(bench: Bench) -> Report:
    """Measure everything over one file; the adapter is taken off last."""
    sample, index, qa = bench.sample, bench.index, bench.qa
    queries = [Judged(a.question, {a.document.id: 1.0}) for a in bench.squad.answerable]
    judged = drawn(bench.squad.answerable, bench.arguments.judged, bench.evaluation.seed)
    judged += [a for a in bench.squad.asked if not a.answers]
    report: Report = {
        "retrieval": retrieval(index, queries),
        "usefulness": usefulness(bench, "usefulness", index, judged, bench.squad.asked),
        "end_to_end": reading(bench, "end_to_end", sample, index),
        "end_to_end_never_refusing": reading(bench, "end_to_end_never_refusing", sample, index, NEVER_REFUSING),
        "end_to_end_no_docquest": reading(bench, "end_to_end_no_docquest", sample, index, NO_DOCQUEST),
    }
    report |= {part: reading(bench, part, sample, None, GOLD | how) for part, how in GOLD_ABLATIONS.items()}
    report["gold_passage_random_span"] = random_span(sample, bench.evaluation.seed)
    if hasattr(qa.model, "disable_adapters"):
        qa.model.disable_adapters()
        for part in WITHOUT_ADAPTER:
            name = f"{part}_no_adapter"
            report[name] = reading(bench, name, sample, None, GOLD | GOLD_ABLATIONS[part])
        qa.model.enable_adapters()
    report["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    return report


def docquest(bench: Bench) -> Report:
    """Measure DocQuest on the written questions of the development split, one in five of them unanswerable."""
    written = read_written(Path(required(bench.arguments, "data")))
    index = bench.qa.build_index(written.documents, progress=True)
    return usefulness(bench, "docquest", index, written.asked, written.asked)
