"""What a run would ask for, without asking: cost estimates and input files of batch jobs.

Comes in: rows and the replies known so far. Goes out: the requests whose reply is missing. A request that depends on a
missing reply (a check, a repair) shows itself only when that reply has come: estimates add what is likely, a batch
takes as many rounds as a row has steps.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example
from koqas.train.generation.cache import Entry, ReplyCache
from koqas.train.generation.chat import CallFailed, ChatRequest, Reply, reply_of
from koqas.train.generation.settings import GenerationSettings
from koqas.train.generation.terms import refused_sources
from koqas.train.generation.writing import enrich, is_complete, misfit
from koqas.train.rejections import Rejection, RejectionLog

ASSUMED_REPLY_TOKENS = 250  # a question, an answer and two sentences with quotes; a check is shorter
MOST_BATCH_REQUESTS = 50_000  # limits of the OpenAI Batch API for one input file
MOST_BATCH_BYTES = 200_000_000
BATCH_URL = "/v1/chat/completions"


@dataclass(frozen=True)
class CostEstimate:
    """What a run would ask for.

    Args:
        rows (`int`): Rows read.
        requests (`int`): Calls that must be paid; repairs of unusable replies come on top.
        cached (`int`): Calls whose reply is in the cache already.
        prompt_tokens (`int`): Tokens sent in the calls to be paid.
        reply_tokens (`int`): Tokens expected back.
        cost (`float | None`): In the currency of the prices; None without prices.
        basis (`str`): `measured` on replies of this model in the cache, or `assumed` from characters (rather too much).
    """

    rows: int
    requests: int
    cached: int
    prompt_tokens: int
    reply_tokens: int
    cost: float | None
    basis: str


class Planner:
    """Answers from the cache and notes the requests that it cannot answer."""

    def __init__(self, cache: ReplyCache) -> None:
        self._cache = cache
        self.missing: dict[str, ChatRequest] = {}
        self.cached: set[str] = set()

    async def ask(self, request: ChatRequest) -> Reply:
        """Return a known reply.

        Raises:
            CallFailed: `not_in_batch`: there is none, the request is noted.
        """
        key = request.key
        if reply := self._cache.get(key):
            self.cached.add(key)
            return reply
        self.missing[key] = request
        raise CallFailed("not_in_batch", "neither the batch output nor the cache holds a reply")


def wanted(rows: Iterable[Example], settings: GenerationSettings) -> Iterator[Example]:
    """Yield the rows that the strategy would send to the endpoint."""
    for row in rows:
        usable = not misfit(row, settings.strategy) and not is_complete(row, settings.strategy)
        if usable and not refused_sources([row.source], settings):
            yield row


def plan(rows: Iterable[Example], settings: GenerationSettings, cache: ReplyCache) -> Planner:
    """Return a planner that has seen every request of the rows."""
    planner = Planner(cache)

    async def see() -> None:
        for row in wanted(rows, settings):
            await enrich(row, settings, planner.ask)

    asyncio.run(see())
    return planner


def estimate_of(planner: Planner, rows: int, settings: GenerationSettings, cache: ReplyCache) -> CostEstimate:
    """Sum up what a planner has noted; with `article`, each text to be written will be checked once."""
    measured = cache.measured(settings.model)
    factor = measured.factor if measured else 1.0
    reply_tokens = min(measured.reply_tokens if measured else ASSUMED_REPLY_TOKENS, settings.max_tokens)
    requests, prompt = 0, 0.0
    for request in planner.missing.values():
        requests += 1
        prompt += request.assumed_tokens * factor
        if settings.strategy == "article" and request.step == "write":
            requests += 1
            prompt += request.assumed_tokens * factor + reply_tokens
    reply = requests * reply_tokens
    cost = None
    if settings.price_in is not None and settings.price_out is not None:
        cost = (prompt * settings.price_in + reply * settings.price_out) / 1e6
    basis = "measured" if measured else "assumed"
    return CostEstimate(rows, requests, len(planner.cached), round(prompt), round(reply), cost, basis)


def write_requests(requests: Iterable[ChatRequest], path: Path) -> list[Path]:
    """Write requests as batch input, split where the API's limits demand; returns the files, none without requests."""
    written: list[Path] = []
    lines: list[bytes] = []
    size = 0
    for request in requests:
        job = {"custom_id": request.key, "method": "POST", "url": BATCH_URL, "body": request.body}
        line = json.dumps(job, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        if lines and (len(lines) == MOST_BATCH_REQUESTS or size + len(line) > MOST_BATCH_BYTES):
            written.append(_write(lines, path, len(written)))
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        written.append(_write(lines, path, len(written)))
    return written


def _write(lines: list[bytes], path: Path, number: int) -> Path:
    target = path if number == 0 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"".join(lines))
    return target


@dataclass(frozen=True)
class BatchReply:
    """One line of a batch output: the key of its request, and the reply."""

    key: str
    reply: Reply


def read_batch_output(path: Path) -> Iterator[BatchReply | Rejection]:
    """Yield the replies of a batch output file, or of all `.jsonl` files of a folder; bad lines become rejections.

    Raises:
        KoQasError: No such file, or a folder without one.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(f.is_file() for f in files):
        raise KoQasError("batch_file", f"배치 결과 파일이 없습니다: {path}", "pass the output file of the batch job")
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _batch_reply(line, file, number)


def _batch_reply(line: bytes, file: Path, number: int) -> BatchReply | Rejection:
    def rejection(detail: str, key: str = "") -> Rejection:
        return Rejection("generation", "batch_line", detail, file=str(file), row=f"line {number}", id=key)

    try:
        job = json.loads(line.decode("utf-8"))
        key, response = str(job["custom_id"]), job.get("response") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return rejection(f"{type(error).__name__}: {error}")
    if job.get("error") or response.get("status_code") != 200:
        return rejection(f"not answered: {str(job.get('error') or response)[:300]}", key)
    try:
        return BatchReply(key, reply_of(response.get("body")))
    except ValueError as error:
        return rejection(str(error), key)


def import_batch(path: Path, settings: GenerationSettings, cache: ReplyCache, log: RejectionLog) -> int:
    """Put the replies of a batch job into the cache; returns how many."""
    count = 0
    group: list[Entry] = []
    for outcome in read_batch_output(path):
        if isinstance(outcome, Rejection):
            log.add(outcome)
            continue
        group.append(Entry(outcome.key, settings.model, 0, outcome.reply))
        count += 1
        if len(group) == 1000:
            cache.put_all(group)
            group = []
    cache.put_all(group)
    return count
