"""The steps that need one row at a time: the same functions run here and on other machines.

Comes in: rows, a recipe, a log. Goes out: rows in the same order; refused ones leave a rejection. The dedup stage and the
pairing before verification look at the whole run; they are in stages.py.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from koqas.train.cleaning.quality import QualityPolicy
from koqas.train.cleaning.stage import CleaningPolicy, clean_example
from koqas.train.dedup.contamination import Benchmark
from koqas.train.examples import Example
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.stage import generate
from koqas.train.preparation.settings import Recipe
from koqas.train.privacy.findings import IDENTIFIERS
from koqas.train.privacy.keys import write_keys
from koqas.train.privacy.names import HubNames, KiwiNames, NameFinder
from koqas.train.privacy.stage import MaskedRow, PrivacyPolicy, mask_example
from koqas.train.rejections import Rejection, RejectionLog
from koqas.train.sources.catalog import source_named
from koqas.train.sources.reading import only_examples, read_source
from koqas.train.verification.stage import VerificationPolicy, Verifier

Step: TypeAlias = Callable[[Iterable[Example], Recipe, RejectionLog], Iterator[Example]]


def clean(rows: Iterable[Example], recipe: Recipe, log: RejectionLog) -> Iterator[Example]:
    """Clean rows; sets in another language are not asked for Hangul."""
    korean = QualityPolicy(shortest=recipe.arguments.shortest)
    policies = {False: CleaningPolicy(korean), True: CleaningPolicy(replace(korean, hangul=0.0))}
    for row in rows:
        yield from _kept(clean_example(row, policies[row.source in recipe.foreign]), log)


def mask(rows: Iterable[Example], recipe: Recipe, log: RejectionLog) -> Iterator[Example]:
    """Mask what identifies people; writes the key file if one is asked for."""
    names = name_finder(recipe)
    policies = {False: PrivacyPolicy(names=names), True: PrivacyPolicy(frozenset(IDENTIFIERS), names)}
    keys = []
    for row in rows:
        masked = mask_example(row, policies[row.source in recipe.keeps_names])
        if isinstance(masked, MaskedRow):
            if recipe.arguments.key_file and any(masked.key.places.values()):
                keys.append(masked.key)
            yield masked.row
        else:
            log.add(masked)
    if recipe.arguments.key_file:
        write_keys(Path(recipe.arguments.key_file), keys)


def write(rows: Iterable[Example], recipe: Recipe, log: RejectionLog) -> Iterator[Example]:
    """Generate with each row's own strategy; see `strategy_of`."""
    for strategy, group in groupby(rows, key=lambda row: strategy_of(row, recipe.generation)):
        yield from generate(group, replace(recipe.generation, strategy=strategy), log, progress=False)


def strategy_of(row: Example, settings: GenerationSettings) -> str:
    """Return the strategy for a row: answers are explained; documents are asked about as the recipe says.

    A model that is to ask by `question` needs a document's summary, so one without gets `article`; rules need none.
    """
    if row.question:
        return "summary"
    lacks_summary = settings.strategy == "question" and settings.backend != "rules" and not row.summary.strip()
    return "article" if lacks_summary else settings.strategy


def verify(rows: Iterable[Example], recipe: Recipe, log: RejectionLog) -> Iterator[Example]:
    """Check paired rows and give each its certificate."""
    policy = VerificationPolicy(
        least_support=recipe.arguments.least_support,
        names=name_finder(recipe),
        keeps_names=recipe.keeps_names,
        foreign=recipe.foreign,
        benchmarks=benchmarks_of(recipe),
    )
    verifier = Verifier(policy)
    for row in rows:
        yield from _kept(verifier.check(row), log)


STEPS: dict[str, Step] = {"clean": clean, "privacy": mask, "generate": write, "verify": verify}


def _kept(outcome: Example | Rejection, log: RejectionLog) -> Iterator[Example]:
    if isinstance(outcome, Example):
        yield outcome
    else:
        log.add(outcome)


def name_finder(recipe: Recipe) -> NameFinder:
    """Return the finder of names that the recipe asks for."""
    model = recipe.arguments.names_model
    return _hub_names(model) if model else KiwiNames()


@lru_cache(maxsize=1)
def _hub_names(model: str) -> NameFinder:
    return HubNames(model)


def benchmarks_of(recipe: Recipe) -> tuple[Benchmark, ...]:
    """Read the benchmarks of a recipe; forbidden titles are one more."""
    found = [_benchmark(e.set, e.path) for e in recipe.benchmarks]
    if recipe.arguments.forbidden_titles:
        digests = Path(recipe.arguments.forbidden_titles).read_text("utf-8").split()
        found.append(Benchmark("forbidden titles", frozenset(digests)))
    return tuple(found)


@lru_cache(maxsize=8)
def _benchmark(name: str, path: str) -> Benchmark:
    rows = list(only_examples(read_source(source_named(name), Path(path)), RejectionLog()))
    benchmark = Benchmark(f"{name} {Path(path).name}")
    benchmark.add((d.text for row in rows for d in row.documents), (row.question for row in rows if row.question))
    return benchmark
