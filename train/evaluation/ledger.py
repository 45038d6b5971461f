"""Rows that were measured, on disk as they come: a run that was stopped goes on where it was.

Comes in: cases and work. Goes out: one row (plain JSON) for each case. The file's first line is a digest of what the rows
depend on; rows of another digest are put aside, not mixed.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.preparation.line import digest_of, file_digest

Row = dict[str, Any]
T = TypeVar("T")
WEIGHTS = ("config.json", "model.safetensors", "adapter_model.safetensors", "ranker.safetensors", "tokenizer.json")


class Ledger:
    """The measured rows of one run.

    Args:
        path (`Path`): JSON lines; made with its folder if missing.
        basis (`Row`): What the rows depend on: settings, digests of data and weights.

    Raises:
        KoQasError: The file cannot be written.
    """

    def __init__(self, path: Path, basis: Row) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        digest = digest_of(basis)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and not self._read(path, digest):
                os.replace(path, path.with_suffix(".old.jsonl"))
            fresh = not path.is_file()
            self._file = path.open("a", encoding="utf-8")
            if fresh:
                self._write({"basis": digest})
        except OSError as error:
            raise KoQasError("work", f"쓸 수 없는 곳입니다: {path}", f"{error}; choose another folder") from error

    def _read(self, path: Path, digest: str) -> bool:
        """Take the rows of an earlier run; a line cut short by a kill counts for nothing and is cut off."""
        whole, whole_lines = path.read_bytes(), []
        for line in whole.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole_lines.append(json.loads(line))
        if not whole_lines or whole_lines[0].get("basis") != digest:
            return False
        os.truncate(path, whole.rfind(b"\n") + 1)
        self._rows = {(r["part"], r["case"]): r["row"] for r in whole_lines[1:]}
        return True

    def _write(self, line: Row) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def rows(self, part: str, cases: Sequence[T], work: Callable[[T], Row]) -> list[Row]:
        """Return a row for each case, in order, and measure those that are not there yet.

        Args:
            part (`str`): Name of the measurement; also that of the progress bar.
            cases (`Sequence[T]`): What to measure; a case is known by its place.
            work (`Callable[[T], Row]`): Measures one case.
        """
        found = []
        for number, case in enumerate(tqdm(cases, desc=part, unit="q", dynamic_ncols=True)):
            key = (part, str(number))
            if key not in self._rows:
                self._rows[key] = work(case)
                self._write({"part": part, "case": key[1], "row": self._rows[key]})
            found.append(self._rows[key])
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def weights_digest(repository: Path) -> str:
    """Return a digest of what a repository answers with: weights, tokenizer, settings, retriever."""
    names = [*WEIGHTS, *(f"retriever/{n}" for n in ("model.safetensors", "tokenizer.json"))]
    return digest_of([file_digest(repository / n) if (repository / n).is_file() else "" for n in names])
