"""Say how a folder differs from what is at its destination: another folder, or a repository on the hub.

Comes in: a built folder and a destination. Goes out: lines to print. Contents are compared by the hashes that the hub
keeps, so nothing large is downloaded; small text files that changed are shown line by line.
"""

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from koqas.koqas_types import KoQasError

SHOWN = (".json", ".md", ".jinja", ".yaml", ".txt")
LARGEST_SHOWN = 60_000  # bytes; tokenizer.json is larger
LINES_SHOWN = 40


@dataclass(frozen=True)
class StoredFile:
    """A file at the destination: size in bytes, hash of git (text on the hub) or sha256, and how to read it."""

    size: int
    digest: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Difference:
    """Names of files, and the changed lines of small text files."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    lines: tuple[str, ...]

    def show(self) -> str:
        """Return text to print."""
        parts = [f"{sign} {n}" for sign, names in zip("+-~", (self.added, self.removed, self.changed)) for n in names]
        return "\n".join([*parts, f"같음(same): {len(self.same)}", *self.lines])


def digest_like(stored: StoredFile, path: Path) -> str:
    """Hash a file, piece by piece, as the stored one is hashed: sha256, or the id that git gives (40 digits)."""
    start = b"blob %d\0" % path.stat().st_size if len(stored.digest) == 40 else b""
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.sha1(start) if start else hashlib.sha256()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def stored_in_folder(folder: Path) -> dict[str, StoredFile]:
    """List the files of a folder; an absent folder is empty."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return {p.relative_to(folder).as_posix(): StoredFile(p.stat().st_size, _sha256(p), p.read_bytes) for p in paths}


def stored_on_hub(repo_id: str, repo_type: str) -> dict[str, StoredFile]:
    """List the files of a hub repository; one that does not exist is empty.

    Raises:
        KoQasError: The hub cannot be reached.
    """
    api = HfApi()
    try:
        entries = list(api.list_repo_tree(repo_id, repo_type=repo_type, recursive=True))
    except RepositoryNotFoundError:
        return {}
    except (HfHubHTTPError, OSError) as error:
        raise KoQasError(
            "repo_id", f"허브에서 읽을 수 없습니다: {error}", "check the id, the network and your login"
        ) from error

    def reader(name: str) -> Callable[[], bytes]:
        return lambda: Path(api.hf_hub_download(repo_id, name, repo_type=repo_type)).read_bytes()

    return {
        e.path: StoredFile(e.size, e.lfs.sha256 if e.lfs else e.blob_id, reader(e.path))
        for e in entries
        if isinstance(e, RepoFile)
    }


def difference(folder: Path, stored: dict[str, StoredFile], kept: Callable[[str], bool]) -> Difference:
    """Compare a built folder with what is stored.

    Args:
        folder (`Path`): What would be written.
        stored (`dict[str, StoredFile]`): What is there.
        kept (`Callable[[str], bool]`): Whether a stored file that the folder lacks stays where it is.
    """
    built = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    changed, same, lines = [], [], []
    for name in sorted(built.keys() & stored.keys()):
        if stored[name].digest == digest_like(stored[name], built[name]):
            same.append(name)
            continue
        changed.append(name)
        lines += _changed_lines(name, built[name], stored[name])
    return Difference(
        added=tuple(sorted(built.keys() - stored.keys())),
        removed=tuple(sorted(n for n in stored.keys() - built.keys() if not kept(n))),
        changed=tuple(changed),
        same=tuple(same),
        lines=tuple(lines),
    )


def _changed_lines(name: str, path: Path, stored: StoredFile) -> list[str]:
    if path.suffix not in SHOWN or max(path.stat().st_size, stored.size) > LARGEST_SHOWN:
        return []
    before, after = (c.decode("utf-8", "replace").splitlines() for c in (stored.read(), path.read_bytes()))
    lines = list(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=1, lineterm=""))
    left = len(lines) - LINES_SHOWN
    return lines[:LINES_SHOWN] + ([f"… {left} more lines"] if left > 0 else [])
