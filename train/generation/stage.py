"""The generation stage: rows in, enriched rows out; what could not be used leaves a rejection.

A run can be stopped at any moment: replies are in the cache before they are used, so the next run repeats no call that
was answered. Rejections whose reason is in `TRANSIENT` are no verdict on the row: run again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from koqas.train.examples import Example
from koqas.train.generation.settings import GenerationSettings
from koqas.train.rejections import RejectionLog

# Reasons of the endpoint, not of the row.
TRANSIENT = frozenset({"endpoint_failed", "endpoint_down", "not_in_batch"})


@dataclass(frozen=True)
class CostEstimate:
    """What a run would ask for.

    Args:
        rows (`int`): Rows read.
        requests (`int`): Calls that must be paid.
        cached (`int`): Calls whose reply is in the cache already.
        prompt_tokens (`int`): Tokens sent in the calls to be paid.
        reply_tokens (`int`): Tokens expected back.
        cost (`float | None`): In the currency of the prices; None without prices.
        basis (`str`): `measured` on replies in the cache, or `assumed`.
    """

    rows: int
    requests: int
    cached: int
    prompt_tokens: int
    reply_tokens: int
    cost: float | None
    basis: str


def generate(
    rows: Iterable[Example], settings: GenerationSettings, log: RejectionLog, progress: bool = True
) -> Iterator[Example]:
    """Yield rows enriched by the strategy, in the order of the given ones."""
    raise NotImplementedError


def estimate(rows: Iterable[Example], settings: GenerationSettings) -> CostEstimate:
    """Count what `generate` would ask for; makes no call."""
    raise NotImplementedError


def write_batch_file(rows: Iterable[Example], settings: GenerationSettings, path: Path) -> list[Path]:
    """Write the requests whose reply is not known yet as input files of an OpenAI batch job."""
    raise NotImplementedError
