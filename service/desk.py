"""Let several clients ask one pipeline: a few at a time, a few more waiting, the others sent away at once.

The pipeline works in threads, so that the service stays awake. A client that leaves stops the work for it. Knows
asyncio and the pipeline; knows nothing about HTTP.
"""

import asyncio
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread

from koqas.koqas_events import Event
from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_retrieval import Index
from koqas.service.asking import Ask
from koqas.service.files import documents_of

MOST_INDEXES = 4  # of documents that came with questions: a conversation sends the same ones again and again


class Busy(Exception):
    """Too many are waiting already."""


class Desk:
    """Answers questions.

    Args:
        qa (`KoQasPipeline`): The pipeline, with or without documents of its own.
        concurrency (`int`): Questions worked on at the same time.
        waiting (`int`): Questions that may wait for their turn.
    """

    def __init__(self, qa: KoQasPipeline, concurrency: int, waiting: int) -> None:
        self.qa = qa
        self.served = 0
        self._room = concurrency + waiting
        self._present = 0
        self._turns = asyncio.Semaphore(concurrency)
        self._threads = CapacityLimiter(concurrency + 1)  # one more, so that leaving never waits for a thread
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def present(self) -> int:
        """Clients that are being served or wait."""
        return self._present

    def check_room(self) -> None:
        """Send a client away before its body is read.

        Raises:
            Busy: There is no room.
        """
        if self._present >= self._room:
            raise Busy

    @asynccontextmanager
    async def events(self, ask: Ask) -> AsyncIterator[AsyncIterator[Event]]:
        """Wait for a turn, check the question and give its events; leaving the block ends the work.

        Raises:
            Busy: There is no room.
            KoQasError: Bad question, documents or options.
        """
        self.check_room()
        self._present += 1
        try:
            async with self._turns:
                stream = await to_thread.run_sync(self._open, ask, limiter=self._threads)
                try:
                    yield self._each(stream)
                finally:
                    with anyio.CancelScope(shield=True):
                        await to_thread.run_sync(stream.close, limiter=self._threads)
                self.served += 1
        finally:
            self._present -= 1

    async def _each(self, stream: Iterator[Event]) -> AsyncIterator[Event]:
        while (event := await to_thread.run_sync(next, stream, None, limiter=self._threads)) is not None:
            yield event

    def _open(self, ask: Ask) -> Any:  # noqa: ANN401  (the generator behind the iterator, which can be closed)
        documents = None if ask.documents is None else self._index_of(ask.documents)
        return self.qa.stream(ask.question, documents, **ask.options)

    def _index_of(self, documents: list[dict[str, Any]]) -> Index:
        key = hashlib.sha256(json.dumps(documents, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            if key in self._indexes:
                self._indexes.move_to_end(key)
                return self._indexes[key]
        index = self.qa.build_index(documents_of(documents))
        with self._lock:
            self._indexes[key] = index
            while len(self._indexes) > MOST_INDEXES:
                self._indexes.popitem(last=False)
        return index
