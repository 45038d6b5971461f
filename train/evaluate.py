"""Measure a repository; every number of the card comes from here or from train/calibrate.py.

    python train/evaluate.py --korquad FILE                     # the recipe train/recipes/embedded/evaluation.yaml
    python train/evaluate.py --config RECIPE --parts korquad    # one part, another recipe
    python train/evaluate.py --parts competition --backend openai --model NAME --base_url http://localhost:8000/v1

Parts, each of which writes results/PART.json:
    korquad      retrieval, DocQuest, reading and its ablations over a SQuAD-format file
    docquest     DocQuest against four levels of negatives, on the written questions (--data)
    claim        similarity search alone against our stages, one more at a time
    reliability  what probabilities, thresholds and promises are worth
    grounding    literal answers, citations, foreign script
    competition  the competition's two measures over preference pairs; --official FILE runs its own evaluator beside
    options      questions with options, such as KoBEST BoolQ (--options)
    beir         a retrieval set in BEIR layout (--beir)
A run that was stopped goes on where it was; changed weights, data or options start anew, changed code only with
`--redo true`.
KorQuAD, KoBEST and AutoRAG-ko are for measuring only.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from koqas.koqas_pipeline import load
from koqas.koqas_types import KoQasError
from koqas.train.evaluation.bench import Bench, Report
from koqas.train.evaluation.claim import claim
from koqas.train.evaluation.competition import competition
from koqas.train.evaluation.grounded import grounding
from koqas.train.evaluation.korquad import docquest, korquad
from koqas.train.evaluation.ledger import Ledger, Row, weights_digest
from koqas.train.evaluation.options import options
from koqas.train.evaluation.reliability import reliability
from koqas.train.evaluation.retrieval import beir
from koqas.train.evaluation.settings import FILES, Evaluation, parse
from koqas.train.preparation.line import file_digest
from koqas.train.provenance import record_of

PARTS: dict[str, Callable[[Bench], Report]] = {
    "korquad": korquad,
    "docquest": docquest,
    "claim": claim,
    "reliability": reliability,
    "grounding": grounding,
    "competition": competition,
    "options": options,
    "beir": beir,
}


def main(evaluation: Evaluation) -> list[Path]:
    """Take the measurements asked for; return the records written.

    Raises:
        KoQasError: An unknown part, a part without its data, a damaged repository.
    """
    arguments = evaluation.arguments
    if unknown := [p for p in arguments.parts if p not in PARTS] or not arguments.parts:
        raise KoQasError("parts", f"알 수 없는 측정입니다: {unknown}", f"some of {', '.join(PARTS)}")
    qa = load(arguments.repository)
    rows = Path(arguments.work) / "rows.jsonl"
    if arguments.redo:
        rows.unlink(missing_ok=True)
    ledger = Ledger(rows, basis_of(evaluation))
    bench = Bench(qa, evaluation, ledger)
    written = [write_record(evaluation, part, PARTS[part](bench)) for part in arguments.parts]
    ledger.close()
    return written


def basis_of(evaluation: Evaluation) -> Row:
    """Return what measured rows depend on: options, data, weights."""
    arguments = evaluation.arguments
    files = {name: Path(getattr(arguments, name)) for name in FILES if getattr(arguments, name)}
    passed_over = {
        "parts",
        "repository",
        "questions",
        "judged",
        "absent",
        "arms",
        "results",
        "work",
        "redo",
        "third_party",
        *FILES,
    }
    return {
        "options": {k: v for k, v in asdict(arguments).items() if k not in passed_over},
        "seed": evaluation.seed,
        "data": {name: file_digest(path) if path.is_file() else path.name for name, path in files.items()},
        "weights": weights_digest(Path(arguments.repository)),
    }


def write_record(evaluation: Evaluation, part: str, report: Report) -> Path:
    """Write results/PART.json: what was asked, when, with what, on what, and what came out."""
    record = record_of(evaluation.arguments) | {"arguments": evaluation.described(), "seed": evaluation.seed}
    path = Path(evaluation.arguments.results) / f"{part}.json"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(record | {"report": report}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{path}: {json.dumps(report, ensure_ascii=False)[:2000]}")
    return path


def run(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code: 0 measured, 2 something must be changed first."""
    try:
        main(parse(arguments))
    except KoQasError as error:
        sys.stderr.write(f"오류: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run())
