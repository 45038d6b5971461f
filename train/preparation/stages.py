"""The stages of the data factory for one recipe: what each does and what its result depends on.

Comes in: a recipe. Goes out: stages that line.py can run. Row-wise steps go through an executor where the recipe says so.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.dedup.paraphrase import ParaphraseNetwork
from koqas.train.dedup.stage import DedupPolicy, deduplicate
from koqas.train.examples import Example
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.stage import TRANSIENT
from koqas.train.preparation.line import Stage, StageInput, digest_of
from koqas.train.preparation.settings import Recipe, SourceEntry
from koqas.train.preparation.steps import STEPS, benchmarks_of
from koqas.train.rejections import Rejection, RejectionLog
from koqas.train.sources.building import ReadOptions
from koqas.train.sources.reading import only_examples, read_source
from koqas.train.verification.stage import paired

NAMES = ("sources", "clean", "privacy", "dedup", "generate", "verify")
# Fields of the generation settings that change how rows are made, not what is made.
HOW = {"api_key_env", "batch_file", "cache", "concurrency", "price_in", "price_out", "requests_per_minute", "timeout"}
HOW |= {"max_retries", "tokens_per_minute", "backoff"}


def stages_of(recipe: Recipe) -> dict[str, Stage]:
    """Return the stages by name, in the order of `NAMES`."""
    given = recipe.arguments
    names = {"keep": sorted(recipe.keeps_names), "model": given.names_model, "keys": given.key_file}
    overlap = {
        "benchmarks": [[b.set, files_digest(Path(b.path))] for b in recipe.benchmarks],
        "titles": files_digest(Path(given.forbidden_titles)) if given.forbidden_titles else "",
    }
    entries = [{k: v for k, v in asdict(e).items() if k not in ("path", "names")} for e in recipe.sources]
    stages = (
        Stage("sources", "읽기 (sources)", partial(read, recipe), {"entries": entries}),
        Stage(
            "clean",
            "정제 (clean)",
            rowwise("clean", recipe),
            {"shortest": given.shortest, "en": sorted(recipe.foreign)},
        ),
        Stage("privacy", "개인정보 (privacy)", rowwise("privacy", recipe), names),
        Stage(
            "dedup",
            "중복 제거 (dedup)",
            partial(dedup, recipe),
            {"near": given.near_copies, "same": given.same_question, **overlap},
        ),
        Stage("generate", "생성 (generate)", rowwise("generate", recipe), what_is_made(recipe.generation), TRANSIENT),
        Stage(
            "verify", "검증 (verify)", rowwise("verify", recipe), {"support": given.least_support, **names, **overlap}
        ),
    )
    return {stage.name: stage for stage in stages}


def what_is_made(settings: GenerationSettings) -> dict[str, Any]:
    """Return the settings of generation that decide what is made."""
    return {k: v for k, v in asdict(settings).items() if k not in HOW}


def files_digest(path: Path) -> str:
    """Return a digest of the names, sizes and times of the files at a path."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return digest_of([[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files])


def read(recipe: Recipe, given: StageInput, log: RejectionLog) -> Iterator[Example]:
    """Read the sets of a recipe, one after the other; an id that came before is a duplicate."""
    seen: set[str] = set()
    for entry in recipe.sources:
        options = ReadOptions(mapping=entry.mapping, columns=entry.columns)
        with closing(read_source(entry.source, Path(entry.path), options)) as outcomes:
            rows = _before(only_examples(outcomes, log), entry, log)
            label = f"{given.label} {entry.set}"
            for row in tqdm(islice(rows, entry.limit or None), label, entry.limit or None, unit="행", disable=None):
                if row.id in seen:
                    log.add(_refused(row, "duplicate_id", "read before from another path of the recipe"))
                else:
                    seen.add(row.id)
                    yield row


def _before(rows: Iterable[Example], entry: SourceEntry, log: RejectionLog) -> Iterator[Example]:
    for row in rows:
        year = str(row.meta.get("published", ""))[:4]
        if entry.before and not (year.isdigit() and int(year) < entry.before):
            log.add(_refused(row, "after_cut", f"published {year or 'at no stated time'}, not before {entry.before}"))
        else:
            yield row


def _refused(row: Example, reason: str, detail: str) -> Rejection:
    place = {k: str(row.meta.get(k, "")) for k in ("file", "row")}
    return Rejection("sources", reason, detail, row.source, id=row.id, **place)


def dedup(recipe: Recipe, given: StageInput, log: RejectionLog) -> Iterator[Example]:
    """Choose among copies; needs all rows at once."""
    same = recipe.arguments.same_question
    policy = DedupPolicy(
        near=recipe.arguments.near_copies,
        questions=ParaphraseNetwork() if same else None,
        same_from=same or 1.0,
        benchmarks=benchmarks_of(recipe),
    )
    result = deduplicate(list(given.read(bar=True)), policy)
    log.add_all(result.rejected)
    yield from result.kept


def rowwise(name: str, recipe: Recipe) -> Callable[[StageInput, RejectionLog], Iterator[Example]]:
    """Return the work of a row-wise stage, here or through an executor."""
    return partial(_work, name, recipe)


def _work(name: str, recipe: Recipe, given: StageInput, log: RejectionLog) -> Iterator[Example]:
    rows: Iterable[Example] = given.read(bar=True)
    if name == "verify":
        rows = paired(partial(given.read, bar=True), log)
    executor = executor_for(name, recipe, given.count)
    if executor == "process":
        return STEPS[name](rows, recipe, log)
    try:  # here, since datatrove is an extra
        from koqas.train.preparation.distributed import ShardStep, spread
    except ImportError as error:
        hint = 'pip install "koqas[distributed]", or executor: process'
        raise KoQasError("executor", f"datatrove가 필요합니다: {error}", hint) from error

    # Key and shards belong together: what an earlier run left of other rows is not taken for this one's.
    key = digest_of([name, given.digest, what_is_made(recipe.generation), asdict(recipe.arguments)])
    folder = Path(recipe.arguments.out).resolve() / "stages" / f"{name}-{key}"
    return spread(ShardStep(name, recipe, folder), rows, executor, log)


def executor_for(name: str, recipe: Recipe, rows: int) -> str:
    """Return the executor of a stage.

    Calls to an endpoint and a key file go through one process: they wait for the network, or write one file.
    """
    given = recipe.arguments
    if (name == "generate" and recipe.generation.backend != "rules") or (name == "privacy" and given.key_file):
        return "process"
    if given.executor == "auto":
        return "local" if given.workers > 1 and rows >= given.large else "process"
    return given.executor
