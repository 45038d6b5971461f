"""Damage for fuzzing: bytes and zip members that are changed, values of any type, and what became of them.

Comes in: whole files and seeded generators. Goes out: damaged copies, strange values, tallies. Knows nothing about who
reads them.
"""

import io
import random
import signal
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from koqas.koqas_types import KoQasError

LONGEST = 30  # seconds for one input
TRIPPING = (
    b"\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"NaN",
    b"-1",
    b"null",
    b"1e999",
    b"\xed\xa0\x80",
    b"{",
    b"<",
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**40, 0.5, -0.5, 1.5, float("nan"), float("inf"), "", " ", "0.5", "한들강", "\ud800", "\0",
    "가" * 5000, "<|eot_id|>", [], [1], {}, {"a": 1}, b"bytes", object, ("x",),
)  # fmt: skip


@dataclass
class Tally:
    """What became of the inputs of one target."""

    inputs: int = 0
    refused: int = 0
    crashes: list[str] = field(default_factory=list)


class TookTooLong(Exception):
    """An input kept its reader busy for too long."""


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise `TookTooLong` when the block takes longer."""

    def stop(*_: object) -> None:
        raise TookTooLong(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def attempt(tally: Tally, name: str, work: Callable[..., object], *given: Any, **options: Any) -> None:  # noqa: ANN401
    """Run one input and count what comes out."""
    tally.inputs += 1
    try:
        with limited(LONGEST):
            work(*given, **options)
    except KoQasError:
        tally.refused += 1
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
        last = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{name}: {type(error).__name__}: {str(error)[:160]} ({Path(last.filename).name}:{last.lineno})"
        tally.crashes.append(told)


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four damages; one zip in two is damaged inside a member."""
    if raw[:2] == b"PK" and rng.random() < 0.5:
        return _member_damaged(raw, rng)
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] = rng.randrange(256)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at : at + rng.randint(1, 64)]
        elif kind == 3:
            data[at:at] = data[max(at - rng.randint(1, 200), 0) : at] * rng.randint(1, 5)
        else:
            data[at : at + rng.randint(0, 6)] = rng.choice(TRIPPING)
    return bytes(data)


def _member_damaged(raw: bytes, rng: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        hit = rng.choice(names)
        for name in names:
            content = old.read(name)
            if name == hit and rng.random() < 0.1:
                continue  # a member that is missing
            new.writestr(name, damaged(content, rng) if name == hit and content[:2] != b"PK" else content)
    return out.getvalue()


def strange(rng: random.Random, depth: int = 0) -> Any:  # noqa: ANN401
    """Return any value, now and then a list or dict of such values."""
    if depth < 3 and rng.random() < 0.4:
        if rng.random() < 0.5:
            return [strange(rng, depth + 1) for _ in range(rng.randrange(4))]
        names = ("id", "title", "text", "meta", "x")
        return {rng.choice(names): strange(rng, depth + 1) for _ in range(rng.randrange(4))}
    return rng.choice(VALUES)
