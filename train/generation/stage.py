"""The generation stage: rows in, enriched rows out; what could not be used leaves a rejection.

A run can be stopped at any moment: replies are in the cache before they are used, so the next run repeats no call that
was answered. Rejections whose reason is in `TRANSIENT` are no verdict on the row: run again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import Future
from pathlib import Path

from tqdm import tqdm

from koqas.train.examples import Example
from koqas.train.generation.cache import ReplyCache
from koqas.train.generation.client import Caller
from koqas.train.generation.planning import (
    CostEstimate,
    Planner,
    estimate_of,
    import_batch,
    plan,
    read_batch_output,
    write_requests,
)
from koqas.train.generation.rules import RuleBackend
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.terms import check_permissions, refused_sources
from koqas.train.generation.writing import Outcome, enrich, is_complete, misfit, rejected
from koqas.train.rejections import RejectionLog

__all__ = ["TRANSIENT", "CostEstimate", "estimate", "generate", "read_batch_output", "write_batch_file"]

# Reasons of the endpoint, not of the row.
TRANSIENT = frozenset({"endpoint_failed", "endpoint_down", "not_in_batch"})
WINDOW = 4  # rows begun for each request that may be under way: one slow row must not let the others wait


def generate(
    rows: Iterable[Example], settings: GenerationSettings, log: RejectionLog, progress: bool = True
) -> Iterator[Example]:
    """Yield rows enriched by the strategy, in the order of the given ones.

    Rows that need nothing (a summary is there, or no answer to explain) pass unchanged. Every row that gives nothing
    leaves a rejection; so does each question of a document that fails while others succeed.

    Args:
        rows (`Iterable[Example]`): Read as they are needed.
        settings (`GenerationSettings`): What to do; checked first.
        log (`RejectionLog`): Takes the rejections.
        progress (`bool`): Whether to show a bar.

    Raises:
        KoQasError: Settings that cannot work, a refused key, a used-up quota, an unusable cache. What was answered so
            far is kept.
    """
    settings.check()
    check_permissions(settings)
    with tqdm(rows, "생성 (generating)", len(rows) if isinstance(rows, Sized) else None, disable=not progress) as bar:
        if settings.backend == "rules":
            outcomes = _by_rules(bar, settings)
        elif settings.batch_file:
            outcomes = _by_batch(bar, settings, log)
        else:
            outcomes = _by_calls(bar, settings)
        for outcome in outcomes:
            if isinstance(outcome, Example):
                yield outcome
            else:
                log.add(outcome)


def estimate(rows: Iterable[Example], settings: GenerationSettings) -> CostEstimate:
    """Count what `generate` would ask for; makes no call and needs no key.

    Raises:
        KoQasError: Settings that cannot work, or an unusable cache.
    """
    settings.check()
    check_permissions(settings)
    counted = _Counted(rows)
    if settings.backend == "rules":
        for _ in counted:
            pass
        return CostEstimate(counted.count, 0, 0, 0, 0, 0.0, "rules")
    with ReplyCache(settings.cache_file) as cache:
        planner = plan(counted, settings, cache)
        return estimate_of(planner, counted.count, settings, cache)


def write_batch_file(rows: Iterable[Example], settings: GenerationSettings, path: Path) -> list[Path]:
    """Write the requests whose reply is not known yet as input files of an OpenAI batch job.

    With `settings.batch_file` the replies of the last round are read first, so that checks and repairs follow.

    Returns:
        `list[Path]`: Files written: `path`, and more beside it where one would be too large; none when all is known.

    Raises:
        KoQasError: Settings that cannot work, or an unusable cache.
    """
    settings.check()
    check_permissions(settings)
    with ReplyCache(settings.cache_file) as cache:
        if settings.batch_file:
            import_batch(Path(settings.batch_file), settings, cache, RejectionLog())
        return write_requests(plan(rows, settings, cache).missing.values(), path)


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Example]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Example]:
        for row in self._rows:
            self.count += 1
            yield row


def _settled(row: Example, settings: GenerationSettings) -> Outcome | None:
    """Return what becomes of a row without any work, None where work is needed."""
    if refusal := misfit(row, settings.strategy):
        return refusal
    if is_complete(row, settings.strategy):
        return row
    if refused := refused_sources([row.source], settings):
        return rejected(row, "terms_forbid_third_party", refused[row.source])
    return None


def _by_rules(rows: Iterable[Example], settings: GenerationSettings) -> Iterator[Outcome]:
    backend = RuleBackend(settings)
    for row in rows:
        settled = _settled(row, settings)
        yield from [settled] if settled else backend.enrich(row)


def _by_batch(rows: Iterable[Example], settings: GenerationSettings, log: RejectionLog) -> Iterator[Outcome]:
    """Use the replies of a batch job and of the cache, and no others."""
    with ReplyCache(settings.cache_file) as cache:
        import_batch(Path(settings.batch_file), settings, cache, log)
        planner = Planner(cache)
        for row in rows:
            settled = _settled(row, settings)
            yield from [settled] if settled else asyncio.run(enrich(row, settings, planner.ask))


def _by_calls(rows: "tqdm[Example]", settings: GenerationSettings) -> Iterator[Outcome]:
    waiting: deque[Outcome | Future[list[Outcome]]] = deque()
    with ReplyCache(settings.cache_file) as cache, Caller(settings, cache) as caller:
        for row in rows:
            waiting.append(_settled(row, settings) or caller.submit(enrich(row, settings, caller.ask)))
            while len(waiting) > WINDOW * settings.concurrency or waiting and _is_done(waiting[0]):
                yield from _result(waiting.popleft())
            counts = caller.counts
            rows.set_postfix(called=counts.called, cached=counts.cached, retried=counts.retried, refresh=False)
        while waiting:
            yield from _result(waiting.popleft())


def _is_done(item: Outcome | Future[list[Outcome]]) -> bool:
    return not isinstance(item, Future) or item.done()


def _result(item: Outcome | Future[list[Outcome]]) -> list[Outcome]:
    return item.result() if isinstance(item, Future) else [item]
