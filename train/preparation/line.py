"""Run stages one after the other, and continue where an earlier run stopped.

Comes in: stages. Goes out: for each a Parquet file, its rejections and a state. A stage is done again when its settings or
the rows given to it changed; then the rows it makes decide whether the next one is. Knows nothing of what stages do.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example, read_examples, write_examples
from koqas.train.rejections import Rejection, RejectionLog


@dataclass(frozen=True)
class StageState:
    """What is known of a finished stage.

    Args:
        stage (`str`): Its name.
        given (`str`): Digest of the rows it was given.
        settings (`str`): Digest of its settings.
        made (`str`): Digest of the rows it made.
        rows_in, rows_out (`int`): How many rows.
        rejected (`dict[str, int]`): How many it refused, by reason.
        sources (`dict[str, int]`): How many rows it made of each set.
        seconds (`float`): Time it took, of the clock.
        complete (`bool`): False where rows failed for a reason that may pass: the next run tries them again.
    """

    stage: str
    given: str
    settings: str
    made: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = True


@dataclass(frozen=True)
class StageInput:
    """Rows given to a stage; may be read more than once."""

    path: Path | None
    digest: str
    count: int
    label: str = ""

    def read(self, *, bar: bool = False) -> Iterator[Example]:
        """Yield the rows, with a progress bar if asked."""
        rows = read_examples(self.path) if self.path else iter(())
        return iter(tqdm(rows, self.label, self.count, unit="행", disable=None if bar else True))


@dataclass(frozen=True)
class Stage:
    """One stage.

    Args:
        name (`str`): Name in files and reports.
        label (`str`): What the progress bar says.
        work (`Callable`): Yields rows made of the given ones; refused ones go to the log.
        settings (`dict[str, Any]`): Everything the result depends on besides the rows.
        transient (`frozenset[str]`): Reasons of rejections that may pass.
    """

    name: str
    label: str
    work: Callable[[StageInput, RejectionLog], Iterable[Example]]
    settings: dict[str, Any]
    transient: frozenset[str] = frozenset()


class Line:
    """The stages of one run in a folder.

    Args:
        folder (`Path`): Where stages write.
        redo (`str`): Stage from which everything is done again.
    """

    def __init__(self, folder: Path, redo: str = "") -> None:
        self._folder = folder
        self._redo = redo
        self._redoing = False
        self.states: list[StageState] = []
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, stage: Stage, given: StageInput | None, digest: str = "") -> StageInput:
        """Run a stage, or take what an earlier run made.

        Args:
            stage (`Stage`): What to do.
            given (`StageInput | None`): Rows of the stage before; None for the first.
            digest (`str`): For the first stage, a digest of what it reads.

        Raises:
            KoQasError: The stage made no row.
        """
        number = len(self.states) + 1
        source = replace(given, label=stage.label) if given else StageInput(None, digest, 0, stage.label)
        path = self._folder / f"{number}-{stage.name}.parquet"
        settings = digest_of(stage.settings)
        self._redoing = self._redoing or stage.name == self._redo
        state = None if self._redoing else self._earlier(path, source.digest, settings)
        if state is None:
            state = self._done(stage, source, path, settings)
        else:
            sys.stderr.write(f"{stage.label}: 이전 실행의 결과를 씁니다, {state.rows_out}행 (done before)\n")
        self.states.append(state)
        if not state.rows_out:
            raise KoQasError(
                stage.name,
                "남은 행이 없습니다.",
                f"reasons: {state.rejected}; see {self.rejections(path).name}",
            )
        return StageInput(path, state.made, state.rows_out)

    def _earlier(self, path: Path, given: str, settings: str) -> StageState | None:
        """Return the state of an earlier run, if it did the same and its rows are still there."""
        try:
            state = StageState(**json.loads(_state_file(path).read_text("utf-8")))
        except (OSError, TypeError, ValueError):
            return None
        same = state.complete and (state.given, state.settings) == (given, settings)
        return state if same and path.is_file() and file_digest(path) == state.made else None

    def _done(self, stage: Stage, source: StageInput, path: Path, settings: str) -> StageState:
        """Run a stage; its state is written last, so that a run stopped before counts for nothing."""
        _state_file(path).unlink(missing_ok=True)
        if self._redoing:
            for shards in self._folder.glob(f"{stage.name}-*"):
                shutil.rmtree(shards)  # what an executor had finished is done again as well
        begun = time.monotonic()
        sources: Counter[str] = Counter()

        def counted(rows: Iterable[Example]) -> Iterator[Example]:
            for row in rows:
                sources[row.source] += 1
                yield row

        unfinished = path.with_suffix(".rejected.part")
        with RejectionLog(unfinished) as log:
            count = write_examples(path, counted(stage.work(source, log)))
        os.replace(unfinished, self.rejections(path))
        complete = not stage.transient & set(log.counts)
        state = StageState(
            stage.name, source.digest, settings, file_digest(path), source.count, count, dict(log.counts.most_common()),
            dict(sources.most_common()), round(time.monotonic() - begun, 1), complete,
        )  # fmt: skip
        _state_file(path).write_text(json.dumps(asdict(state), ensure_ascii=False, indent=1), "utf-8")
        dropped = ", ".join(f"{reason} {n}" for reason, n in log.counts.most_common(6))
        sys.stderr.write(f"{stage.label}: {count}행{f' (거절 {dropped})' if dropped else ''}\n")
        return state

    def rejections(self, path: Path) -> Path:
        """Return the file of the rejections beside a stage's rows."""
        return path.with_suffix(".rejected.jsonl")

    def rejected(self) -> Iterator[Rejection]:
        """Yield the rejections of all stages, in their order, each with the file and the place it was read from."""
        given: Path | None = None
        for number, state in enumerate(self.states, start=1):
            path = self._folder / f"{number}-{state.stage}.parquet"
            refused = {r.id for r in read_rejections(self.rejections(path)) if not r.file}
            places = places_of(refused, given) if given and refused else {}
            for rejection in read_rejections(self.rejections(path)):
                yield rejection if rejection.file else replace(rejection, **places.get(rejection.id, {}))
            given = path


def read_rejections(path: Path) -> Iterator[Rejection]:
    """Yield the rejections of a file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Rejection(**json.loads(line))


def places_of(ids: set[str], rows: Path) -> dict[str, dict[str, str]]:
    """Return `file` and `row` of the rows with these ids; stages after the first know rows by their id alone."""
    places = {}
    for batch in pq.ParquetFile(rows).iter_batches(columns=["id", "meta"]):
        for name, meta in zip(batch["id"].to_pylist(), batch["meta"].to_pylist()):
            if name in ids:
                stored = json.loads(meta)
                places[name] = {key: str(stored.get(key, "")) for key in ("file", "row")}
    return places


def digest_of(value: Any) -> str:  # noqa: ANN401 - JSON values
    """Return a digest of plain JSON values."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _state_file(path: Path) -> Path:
    return path.with_suffix(".json")
