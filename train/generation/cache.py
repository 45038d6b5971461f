"""Replies on disk, keyed by the hash of their request: what was paid for once is never asked again.

Comes in: keys and replies. Goes out: replies. SQLite with a write-ahead log: a reply is on the disk before `put` or
`keep` returns, and a process killed in the middle of a write leaves all others readable. Not for network file systems.
"""

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from koqas.koqas_types import KoQasError
from koqas.train.generation.chat import ChatRequest, Reply

BUSY_SECONDS = 60  # another run may write to the same cache
TABLE = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, model TEXT, text TEXT, finish TEXT, prompt_tokens INTEGER, reply_tokens INTEGER,
    assumed_tokens INTEGER, written TEXT DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Measured:
    """What the replies of a model have shown.

    Args:
        factor (`float`): Prompt tokens for each assumed one.
        reply_tokens (`float`): Mean length of a reply.
    """

    factor: float
    reply_tokens: float


@dataclass(frozen=True)
class Entry:
    """A reply as it is stored; `assumed_tokens` is what the prompt was estimated at, 0 for unknown."""

    key: str
    model: str
    assumed_tokens: int
    reply: Reply


def entry_of(request: ChatRequest, reply: Reply) -> Entry:
    """Return what is stored of a reply to a request."""
    return Entry(request.key, request.body["model"], request.assumed_tokens, reply)


class ReplyCache:
    """The replies of all runs that share a folder.

    Args:
        path (`Path`): SQLite file; made with its folder if missing.

    Raises:
        KoQasError: The file is no reply cache, is damaged, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[Entry] = []
        self._turn = asyncio.Lock()
        self._broken: KoQasError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connection()
            self._writer.execute("PRAGMA journal_mode=WAL")
            # FULL: a reply that cost money also survives a power cut.
            self._writer.execute("PRAGMA synchronous=FULL")
            self._writer.execute(TABLE)
            self._reader = self._connection()  # its own: reading goes on while a write waits for the disk
            self._reader.execute("SELECT key, model, text, finish, assumed_tokens FROM replies LIMIT 1").fetchall()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    def _unusable(self, error: Exception) -> KoQasError:
        return KoQasError(
            "cache",
            f"응답 캐시를 쓸 수 없습니다: {self.path}",
            f"{error}; move the file away, free disk space or pass another folder",
        )

    def get(self, key: str) -> Reply | None:
        """Return the reply to a request, None where it was never answered."""
        try:
            found = self._reader.execute(
                "SELECT text, finish, prompt_tokens, reply_tokens FROM replies WHERE key = ?", (key,)
            ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return Reply(*found) if found else None

    def put(self, request: ChatRequest, reply: Reply) -> None:
        """Keep a reply; the first one to a request stays."""
        self.put_all([entry_of(request, reply)])

    async def keep(self, request: ChatRequest, reply: Reply) -> None:
        """Keep a reply without holding up the event loop; replies that come meanwhile share the next write.

        Raises:
            KoQasError: It could not be written: asking on would pay for replies that are lost.
        """
        entry = entry_of(request, reply)
        self._waiting.append(entry)
        async with self._turn:
            if self._broken:
                raise self._broken
            if not any(e is entry for e in self._waiting):
                return  # written together with the one before
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self.put_all, group)
            except KoQasError as error:
                self._broken = error
                raise

    def put_all(self, entries: list[Entry]) -> None:
        """Keep replies in one transaction.

        Raises:
            KoQasError: They could not be written.
        """
        rows = [
            (
                e.key,
                e.model,
                e.reply.text,
                e.reply.finish,
                e.reply.prompt_tokens,
                e.reply.reply_tokens,
                e.assumed_tokens,
            )
            for e in entries
        ]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany(
                "INSERT OR IGNORE INTO replies (key, model, text, finish, prompt_tokens, reply_tokens, assumed_tokens)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise self._unusable(error) from error

    def measured(self, model: str) -> Measured | None:
        """Return what replies of a model have shown; None before any has come."""
        count, prompt, assumed, reply = self._reader.execute(
            "SELECT COUNT(*), SUM(prompt_tokens), SUM(assumed_tokens), SUM(reply_tokens) FROM replies"
            " WHERE model = ? AND prompt_tokens > 0 AND assumed_tokens > 0",
            (model,),
        ).fetchone()
        return Measured(prompt / assumed, reply / count) if count else None

    def __len__(self) -> int:
        return int(self._reader.execute("SELECT COUNT(*) FROM replies").fetchone()[0])

    def __enter__(self) -> "ReplyCache":
        """Return the cache itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()
