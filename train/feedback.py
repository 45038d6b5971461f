"""Merge what people thought of answers into preference pairs.

Comes in: files that the app's feedback wrote, and pairs made elsewhere. Goes out: pairs without doubles. A better answer is
a pair already; thumbs become pairs where the same question over the same text has a good answer and a bad one.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from koqas.koqas_types import KoQasError
from koqas.train.pairs import COLUMNS, PreferencePair


@dataclass(frozen=True)
class Opinion:
    """A line of feedback; `chosen` or `rejected` is empty where a thumb was all."""

    question: str
    context: str
    chosen: str
    rejected: str


@dataclass
class Answers:
    """Good and bad answers to one question over one text, in the order in which they came."""

    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Merged:
    """The pairs, how many opinions they came from, and how many found no counterpart yet."""

    pairs: list[PreferencePair]
    opinions: int
    waiting: int


def read_opinions(folder: Path) -> list[Opinion]:
    """Read all feedback below a folder.

    Raises:
        KoQasError: No feedback there, or a line that is none; names it.
    """
    paths = sorted(folder.rglob("preferences-*.jsonl"))
    if not paths:
        raise KoQasError("feedback", f"의견이 없습니다: {folder}", "pass the folder that the app writes to")
    return [opinion for path in paths for opinion in _opinions(path)]


def _opinions(path: Path) -> Iterator[Opinion]:
    with path.open(encoding="utf-8", errors="surrogatepass") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                yield Opinion(**{name: str(row[name]) for name in COLUMNS})
            except (ValueError, KeyError, TypeError) as error:
                raise KoQasError(
                    f"{path.name} line {number}", "의견이 아닙니다.", f"correct or drop the line: {error}"
                ) from error


def merged(opinions: Sequence[Opinion], others: Iterable[PreferencePair] = ()) -> Merged:
    """Make pairs of opinions and add them to others, which come first."""
    pairs: dict[tuple[str, ...], PreferencePair] = {}
    for pair in others:
        pairs.setdefault(_key(pair), pair)
    by_question: dict[tuple[str, str], Answers] = {}
    used = set()
    for number, o in enumerate(opinions):
        answers = by_question.setdefault((o.question, o.context), Answers())
        if o.chosen:
            answers.good.append(o.chosen)
        if o.rejected:
            answers.bad.append(o.rejected)
        if o.chosen and o.rejected:
            used.add(number)
            _add(pairs, PreferencePair(o.question, o.context, o.chosen, o.rejected))
    for number, o in enumerate(opinions):
        answers = by_question[o.question, o.context]
        found = [(o.chosen, bad) for bad in answers.bad] if o.chosen else [(good, o.rejected) for good in answers.good]
        for chosen, rejected in found:
            if _add(pairs, PreferencePair(o.question, o.context, chosen, rejected)):
                used.add(number)
    return Merged(list(pairs.values()), len(opinions), len(opinions) - len(used))


def _add(pairs: dict[tuple[str, ...], PreferencePair], pair: PreferencePair) -> bool:
    """Add a pair unless it is no pair, or the same two answers stand there in the other order: people disagree."""
    if pair.problem():
        return False
    turned = PreferencePair(pair.question, pair.context, pair.rejected, pair.chosen)
    if _key(turned) in pairs:
        return False
    pairs.setdefault(_key(pair), pair)
    return True


def _key(pair: PreferencePair) -> tuple[str, ...]:
    return (pair.question, pair.context, " ".join(pair.chosen.split()), " ".join(pair.rejected.split()))
