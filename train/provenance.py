"""Say how a number or a weight came about: arguments, date, versions, git commit, hardware."""

import dataclasses
import datetime
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "peft", "trl", "kiwipiepy", "bm25s", "faiss-cpu", "model2vec")


def record_of(arguments: Any) -> dict[str, Any]:  # noqa: ANN401  (any arguments dataclass)
    """Return a self-describing record; the data folder's own path is left out, only names matter."""
    given = {k: v for k, v in dataclasses.asdict(arguments).items() if k not in ("data", "korquad")}
    return {
        "arguments": given,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": {p: version(p) for p in PACKAGES} | {"python": platform.python_version()},
        "git": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def _git(*words: str) -> str:
    root = Path(__file__).resolve().parent
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()
