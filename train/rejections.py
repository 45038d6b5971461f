"""What a stage of the data factory could not use, and why: nothing is dropped without leaving one of these.

Comes in: rejections, one at a time. Goes out: JSON lines, and counts by reason.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True)
class Rejection:
    """A row, or a whole file, that went no further.

    Args:
        stage (`str`): Stage that refused it: `sources`, `cleaning`, `privacy`, …
        reason (`str`): Short fixed name, to count by.
        detail (`str`): What exactly is wrong, in English.
        source (`str`): Name of the set in the catalog.
        file (`str`): File as opened; `!` stands between an archive and its member.
        row (`str`): Place in the file, e.g. `data[3].paragraphs[0].qas[1]`; empty for the whole file.
        id (`str`): Id of the example where one was made.
    """

    stage: str
    reason: str
    detail: str
    source: str = ""
    file: str = ""
    row: str = ""
    id: str = ""


class RejectionLog:
    """Counts rejections and, given a path, writes them as JSON lines as they come.

    Usable as a context manager; without a path nothing needs closing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._lines = path.open("w", encoding="utf-8") if path else None

    def add(self, rejection: Rejection) -> None:
        """Count and write one rejection."""
        self.counts[rejection.reason] += 1
        if self._lines:
            self._lines.write(json.dumps(asdict(rejection), ensure_ascii=False) + "\n")

    def add_all(self, rejections: Iterable[Rejection]) -> None:
        """Count and write several."""
        for rejection in rejections:
            self.add(rejection)

    def __enter__(self) -> "RejectionLog":
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._lines:
            self._lines.close()
