"""Calls to an OpenAI-compatible endpoint: many at once, within its limits, retried, and never twice.

Comes in: requests. Goes out: replies, each in the cache before anybody sees it. A request that fails for good raises
`CallFailed`, which costs its row and no other; what would fail every row (a wrong key, a used-up quota) raises
`KoQasError`. Knows nothing of prompts.
"""

import asyncio
import random
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, TypeVar

import openai
from aiolimiter import AsyncLimiter

from koqas.koqas_types import KoQasError
from koqas.train.generation.cache import ReplyCache
from koqas.train.generation.chat import CallFailed, ChatRequest, Reply, reply_of
from koqas.train.generation.settings import GenerationSettings

LONGEST_WAIT = 600.0  # seconds; a longer Retry-After is taken for a mistake
LONGEST_BACKOFF = 60.0
LAST_SECONDS = 10.0  # for answers under way when a run is stopped
REFUSED = frozenset({400, 413, 415, 422})  # the request itself is wrong: no use to repeat it
FATAL = {
    401: ("api_key_env", "키가 받아들여지지 않았습니다", "check the key"),
    403: ("api_key_env", "이 키로는 쓸 수 없습니다", "check what the key may do"),
    404: ("model", "주소나 모델을 찾을 수 없습니다", "check base_url (up to /v1) and model"),
}
T = TypeVar("T")


@dataclass
class CallCounts:
    """What happened so far: replies received, taken from the cache, and attempts repeated."""

    called: int = 0
    cached: int = 0
    retried: int = 0


@dataclass(frozen=True)
class _Failure:
    """One failed attempt: what happened and how long the endpoint asks to wait (seconds, None: it did not say)."""

    detail: str
    wait: float | None = None


class Caller:
    """Runs an event loop in a thread of its own, so that replies come in while the caller's rows are worked on.

    Args:
        settings (`GenerationSettings`): Endpoint and limits.
        cache (`ReplyCache`): Left to the caller until that is closed.
    """

    def __init__(self, settings: GenerationSettings, cache: ReplyCache) -> None:
        self.counts = CallCounts()
        self._settings = settings
        self._cache = cache
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key(), base_url=settings.base_url, timeout=settings.timeout, max_retries=0
        )
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._requests = limiter(settings.requests_per_minute)
        self._tokens = limiter(settings.tokens_per_minute)
        self._under_way: dict[str, asyncio.Task[Reply]] = {}
        self._sent: set[asyncio.Task[Reply | _Failure]] = set()
        self._hopeless: KoQasError | None = None  # once set, nothing more is sent
        self._resume_at = 0.0
        self._failed_in_a_row = 0
        self._most_failures = max(4, 2 * settings.concurrency)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="generation", daemon=True)

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start work on the loop; its result may be waited for from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def ask(self, request: ChatRequest) -> Reply:
        """Return the reply to a request, from the cache or the endpoint.

        Raises:
            CallFailed: No reply after all attempts, or the endpoint is taken for dead.
            KoQasError: No request can succeed with these settings, or the cache cannot be written.
        """
        key = request.key
        if key not in self._under_way:  # else an equal row asks already
            if reply := self._cache.get(key):
                self.counts.cached += 1
                return reply
            self._under_way[key] = asyncio.create_task(self._call(request))
            self._under_way[key].add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(self._under_way[key])

    async def _call(self, request: ChatRequest) -> Reply:
        async with self._slots:
            return await self._attempts(request)

    async def _attempts(self, request: ChatRequest) -> Reply:
        failure = _Failure("not tried")
        for attempt in range(self._settings.max_retries + 1):
            if self._failed_in_a_row >= self._most_failures:
                detail = f"{self._failed_in_a_row} requests in a row got no answer; last: {failure.detail}"
                raise CallFailed("endpoint_down", detail)
            await self._turn(request)
            if self._hopeless:
                raise self._hopeless
            sent = asyncio.create_task(self._attempt(request))
            self._sent.add(sent)
            sent.add_done_callback(self._sent.discard)
            outcome = await asyncio.shield(sent)
            if isinstance(outcome, Reply):
                return outcome
            failure = outcome
            if attempt < self._settings.max_retries:
                self.counts.retried += 1
                await self._back_off(failure, attempt)
        self._failed_in_a_row += 1
        raise CallFailed("endpoint_failed", f"{self._settings.max_retries + 1} attempts; last: {failure.detail}")

    async def _turn(self, request: ChatRequest) -> None:
        """Wait until the endpoint's pause is over and the rate limits have room."""
        while (pause := self._resume_at - self._loop.time()) > 0:
            await asyncio.sleep(pause)
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            tokens: float = request.assumed_tokens + self._settings.max_tokens
            while tokens > 0:  # a request may be larger than what the limiter lets through at once
                part = min(tokens, self._tokens.max_rate)
                await self._tokens.acquire(part)
                tokens -= part

    async def _attempt(self, request: ChatRequest) -> Reply | _Failure:
        """Send once; a reply is in the cache before it is returned."""
        try:
            # The client's own timeout starts anew with every byte; this one is for the whole answer.
            create: Any = self._client.chat.completions.create
            reply = reply_of(await asyncio.wait_for(create(**request.body), self._settings.timeout))
        except openai.APIStatusError as error:
            return self._status_failure(error)
        except (openai.APITimeoutError, asyncio.TimeoutError):
            return _Failure(f"no answer within {self._settings.timeout:g} s")
        except openai.APIConnectionError as error:
            return _Failure(f"connection: {error.__cause__ or error}")
        except (openai.OpenAIError, ValueError) as error:  # a body that is no chat completion, or half of one
            return _Failure(f"garbage: {error}")
        await self._cache.keep(request, reply)
        self._failed_in_a_row = 0
        self.counts.called += 1
        return reply

    def _status_failure(self, error: openai.APIStatusError) -> _Failure:
        status, told = error.status_code, str(error)[:300]
        if status in FATAL or (status == 429 and error.code == "insufficient_quota"):
            field, message, fix = FATAL.get(status, ("api_key_env", "한도를 다 썼습니다", "add credit"))
            self._hopeless = KoQasError(
                field, f"{message}: {told}", f"{fix} and run again; answered requests are kept"
            )
            raise self._hopeless
        if status in REFUSED:
            raise CallFailed("request_refused", told)
        wait = retry_after(error.response.headers)
        return _Failure(f"HTTP {status}: {told}", wait)

    async def _back_off(self, failure: _Failure, attempt: int) -> None:
        if failure.wait is not None:  # meant for all requests, not for this one alone
            self._resume_at = max(self._resume_at, self._loop.time() + failure.wait)
            return
        wait = min(self._settings.backoff * 2**attempt, LONGEST_BACKOFF)
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))

    def __enter__(self) -> "Caller":
        """Start the loop."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what is being answered arrive, give up the rest and stop the loop."""
        self.submit(self._finish()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _finish(self) -> None:
        """Start nothing more, but wait a little for what is being answered: it will have to be paid for."""
        sent = set(self._sent)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others - sent:
            task.cancel()
        if sent:
            await asyncio.wait(sent, timeout=LAST_SECONDS)
        for task in sent:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()
        await self._loop.shutdown_default_executor()


def limiter(per_minute: int) -> AsyncLimiter | None:
    """Return a limiter that lets through at most a second's worth of the rate at once, or one unit; None for 0."""
    if not per_minute:
        return None
    burst = max(1.0, per_minute / 60)
    return AsyncLimiter(burst, burst * 60 / per_minute)


def retry_after(headers: Any) -> float | None:  # noqa: ANN401 - any mapping of header names
    """Return the seconds that a Retry-After header asks for (number or date), None without a usable one."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            then = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (then - datetime.now(then.tzinfo or timezone.utc)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)
