"""Say how a number or a weight came about: arguments, date, versions, git commit, hardware."""

import dataclasses
import datetime
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "peft", "trl", "kiwipiepy", "bm25s", "faiss-cpu", "model2vec")


def record_of(arguments: Any) -> dict[str, Any]:  # noqa: ANN401  (any arguments dataclass)
    """Return a self-describing record; the data folder's own path is left out, only names matter.

    In a copy without its git history the commit is what `KOQAS_COMMIT` says, and whether it is dirty is not known.
    """
    commit = _git("rev-parse", "HEAD")
    given = {k: v for k, v in dataclasses.asdict(arguments).items() if k not in ("data", "korquad")}
    return {
        "arguments": given,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": _installed() | {"python": platform.python_version()},
        "git": commit or os.environ.get("KOQAS_COMMIT", ""),
        "dirty": bool(_git("status", "--porcelain")) if commit else None,
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def _installed() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _git(*words: str) -> str:
    root = Path(__file__).resolve().parent
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here
        return ""
    return done.stdout.strip()
