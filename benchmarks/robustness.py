"""Measure how searchers cope with Korean spellings, and write results/robustness.json.

python benchmarks/robustness.py                              # BM25 baselines and this project's index
python benchmarks/robustness.py --halves development         # while changing the normalization
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.benchmarks.searchers import KoQas, PlainBm25, Searcher, bigram_tokens, whitespace_tokens
from koqas.benchmarks.suite import HALVES, SUITE, Scores, measured, read_suite
from koqas.koqas_types import KoQasError
from koqas.train.provenance import record_of


@dataclass
class RobustnessArguments:
    """What `benchmarks/robustness.py` needs to know.

    Args:
        repository (`str`): Repository folder.
        halves (`list[str]`): Halves to show and record.
        out (`str`): Where the record goes.
    """

    repository: str = "."
    halves: list[str] = field(default_factory=lambda: list(HALVES))
    out: str = "results/robustness.json"


def searchers_of(repository: str) -> dict[str, Callable[[], Searcher]]:
    """Return the searchers by name."""
    return {
        "whitespace_bm25": lambda: PlainBm25(whitespace_tokens),
        "bigram_bm25": lambda: PlainBm25(bigram_tokens),
        "ko_qas_without_normalization": lambda: KoQas(repository, normalized=False),
        "ko_qas": lambda: KoQas(repository),
    }


def table(report: dict[str, Scores], half: str) -> str:
    """Return Hit@5 by category as Markdown."""
    names = list(report)
    lines = [f"| {half}, Hit@5 | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for category in report[names[0]][half]:
        shown = " | ".join(f"{report[n][half][category]['hit@5']:.3f}" for n in names)
        lines.append(f"| {category} | {shown} |")
    return "\n".join(lines)


def main(args: RobustnessArguments) -> None:
    """Measure every searcher and write the record.

    Raises:
        KoQasError: An unknown half.
    """
    if unknown := set(args.halves) - set(HALVES):
        raise KoQasError("halves", f"알 수 없는 절반입니다: {sorted(unknown)}", f"some of {', '.join(HALVES)}")
    suite = read_suite(SUITE)
    report: dict[str, Scores] = {}
    for name, make in tqdm(searchers_of(args.repository).items(), desc="robustness", unit="searcher"):
        report[name] = {h: rows for h, rows in measured(make(), suite).items() if h in args.halves}
    for half in args.halves:
        print(table(report, half), end="\n\n")
    counts = {"documents": len(suite.documents), "questions": len(suite.cases)}
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(record_of(args) | counts | {"report": report}, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


if __name__ == "__main__":
    main(HfArgumentParser(RobustnessArguments).parse_args_into_dataclasses()[0])
