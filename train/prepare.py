"""Prepare training rows: from downloaded sets to verified rows with certificates, a card and a report.

    python train/prepare.py --config train/recipes/data.yaml                       # the whole line
    python train/prepare.py --config train/recipes/data.yaml --dry_run             # counts and costs, no generation
    python train/prepare.py --config train/recipes/data.yaml --sources '{set: laws, path: laws.jsonl, limit: 100}'

A second run continues where the first one stopped; a changed setting or input redoes only what depends on it,
changed code nothing: `--redo STAGE`. In `out`:
`rows/` with README.md (`datasets.load_dataset(out)`), `rejected.jsonl`, `report.json`, `report.png`, `stages/`.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example
from koqas.train.generation.settings import STRATEGIES
from koqas.train.generation.stage import estimate, write_batch_file
from koqas.train.preparation.line import Line, StageInput, digest_of
from koqas.train.preparation.output import check_publishable, push, write_card, write_rows
from koqas.train.preparation.settings import Recipe, parse
from koqas.train.preparation.stages import NAMES, files_digest, stages_of
from koqas.train.preparation.steps import strategy_of

FREE = NAMES[: NAMES.index("generate")]  # stages that cost nothing but time
WHOLE_FILE = ("broken_archive", "broken_feed", "broken_json", "empty_set", "too_large", "unreadable_file", "zip_bomb")


def main(recipe: Recipe) -> int:
    """Run the line: sources → clean → privacy → dedup → generate → verify → rows; returns the number of rows."""
    folder = Path(recipe.arguments.out)
    if recipe.arguments.push_to_hub:
        check_publishable(recipe)
    if recipe.arguments.redo and recipe.arguments.redo not in NAMES:
        raise KoQasError("redo", f"모르는 단계입니다: {recipe.arguments.redo}", f"one of {', '.join(NAMES)}")
    line = Line(folder / "stages", recipe.arguments.redo)
    if recipe.arguments.dry_run or recipe.arguments.batch_requests:
        rows = run_stages(FREE, line, recipe)
        show_costs(rows, recipe)
        write_requests(rows, recipe)
        return rows.count
    rows = run_stages(NAMES, line, recipe)
    assert rows.path is not None
    written = write_rows(rows.path, recipe.arguments.validation_share, folder)
    write_card(folder, written, line.states, recipe)
    # Loaded here: matplotlib is slow to import, and a wrong argument should be answered at once.
    from koqas.train.preparation.report import report_of, write_report

    report = report_of(recipe, line.states, written)
    for path in {folder / "report.json", Path(recipe.arguments.report or folder / "report.json")}:
        write_report(path, report)
    if recipe.arguments.push_to_hub:
        say(f"허브에 올렸습니다 (uploaded): {push(folder, recipe)}")
    if not all(s.complete for s in line.states):
        say("끝나지 않은 요청이 있습니다. 다시 실행하면 이어서 합니다 (run again: some requests were not answered)")
    say(f"검증된 행 {rows.count}개: {folder} (verified rows; datasets.load_dataset reads the folder)")
    return rows.count


def run_stages(names: Sequence[str], line: Line, recipe: Recipe) -> StageInput:
    """Run stages in their order; rejected.jsonl is written even where no row is left.

    Raises:
        KoQasError: A stage made no row.
    """
    stages = stages_of(recipe)
    rows: StageInput | None = None
    try:
        for name in names:
            rows = line.run(stages[name], rows, digest_of([files_digest(Path(e.path)) for e in recipe.sources]))
            if name == "sources":
                show_problems(line)
    finally:
        write_rejected(line, Path(recipe.arguments.out))
    assert rows is not None
    return rows


def show_problems(line: Line) -> None:
    """Name the files that could not be read whole: nobody looks for them in a long list of rejected rows."""
    problems = (r for r in line.rejected() if r.reason in WHOLE_FILE)
    for problem in islice(problems, 10):
        place = f"{problem.file} {problem.row}".strip()
        say(f"읽지 못한 곳 (could not read): {problem.source} {place}: {problem.reason}, {problem.detail}")


def write_rejected(line: Line, folder: Path) -> None:
    """Join the rejections of all stages into rejected.jsonl."""
    unfinished = folder / "rejected.jsonl.part"
    with unfinished.open("w", encoding="utf-8") as lines:
        for rejection in line.rejected():
            lines.write(json.dumps(asdict(rejection), ensure_ascii=False) + "\n")
    os.replace(unfinished, folder / "rejected.jsonl")


def show_costs(rows: StageInput, recipe: Recipe) -> None:
    """Print what generation would ask for; makes no call."""
    for strategy in STRATEGIES:
        settings = replace(recipe.generation, strategy=strategy)
        cost = estimate(rows_for(strategy, rows, recipe), settings)
        if not cost.rows:
            continue
        money = "가격을 모름 (price_in, price_out)" if cost.cost is None else f"{cost.cost:.2f}"
        say(
            f"{strategy}: {cost.rows}행, 요청 {cost.requests}개 (캐시 {cost.cached}개), 토큰 {cost.prompt_tokens} + "
            f"{cost.reply_tokens} ({cost.basis}), 비용 {money} (rows, requests, tokens, cost)"
        )


def write_requests(rows: StageInput, recipe: Recipe) -> None:
    """Write the requests of generation as input files of a batch job, if the recipe asks for them."""
    if not recipe.arguments.batch_requests or recipe.arguments.dry_run:
        return
    given = Path(recipe.arguments.batch_requests)
    for strategy in STRATEGIES:
        settings = replace(recipe.generation, strategy=strategy)
        path = given.with_name(f"{given.stem}-{strategy}{given.suffix or '.jsonl'}")
        for written in write_batch_file(rows_for(strategy, rows, recipe), settings, path):
            say(f"요청 파일 (input of a batch job): {written}")


def rows_for(strategy: str, rows: StageInput, recipe: Recipe) -> Iterator[Example]:
    """Yield the rows that generation would give to a strategy."""
    return (row for row in rows.read() if strategy_of(row, recipe.generation) == strategy)


def say(message: str) -> None:
    """Write a message for the user; standard output stays free."""
    sys.stderr.write(message + "\n")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code: 0 rows were made, 2 something must be changed first."""
    try:
        main(parse(arguments))
    except KoQasError as error:
        say(f"오류: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run())
