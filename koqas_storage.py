"""Replace a folder so that an interruption at any moment leaves a whole one: the old or the new.

A folder cannot be renamed over another that holds files. So the new one is written under a hidden name, the old one is
set aside under a second hidden name, the new one takes its place, and only then the old one is deleted. Who finds
nothing at the place itself (killed between the two renames) still finds the old one aside. A reader that must see one
folder from its first file to its last keeps it there with `kept`: replacements wait. Knows nothing about what the
folders hold.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

try:
    import fcntl
except ImportError:  # Windows, where a folder with open files is not renamed anyway
    fcntl = None  # type: ignore[assignment]


def standing(folder: Path) -> Path:
    """Return where a folder's content stands: at its place, or aside after an interrupted replacement."""
    if os.path.exists(folder):  # unlike Path.exists, False for a name that is too long
        return folder
    aside = _aside(folder)
    return aside if os.path.isdir(aside) else folder


@contextmanager
def kept(folder: Path) -> Iterator[Path]:
    """Keep a folder where it stands while the `with` block runs: who replaces it waits. Yields where it stands.

    Several readers may keep it at once. It is an advisory lock on the folder itself, which leaves no file behind and
    ends with the process; where there are no such locks (Windows, some network drives) nothing is kept.
    """
    with ExitStack() as held:
        while (place := standing(folder)).is_dir() and not _locked(place, exclusively=False, held=held):
            held.close()  # it was replaced between looking and locking
        yield place


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then put it in the place of `folder`.

    Whatever `write` or a rename raises is raised again, with the old folder in its place and nothing left over. A kill
    leaves the unfinished hidden folder behind: it could be that of another process, so nobody deletes it.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        building.mkdir()
        write(building)
        with ExitStack() as held:
            _locked(folder.parent, exclusively=True, held=held)  # the place aside belongs to one writer at a time
            _locked(standing(folder), exclusively=True, held=held)  # readers first come to their end
            _switch(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _switch(building: Path, folder: Path) -> None:
    """Put one folder in the place of another; the caller keeps other writers away."""
    aside = _aside(folder)
    if standing(folder) == aside:  # a writer was killed between its two renames
        os.rename(aside, folder)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        if folder.exists():
            os.rename(folder, aside)
        os.rename(building, folder)
    except BaseException:
        if standing(folder) == aside:
            os.rename(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.replaced")


def _locked(folder: Path, exclusively: bool, held: ExitStack) -> bool:
    """Wait for the lock of a folder; False if another folder stands there by then."""
    if fcntl is None:
        return True
    try:
        lock = os.open(folder, os.O_RDONLY)
        held.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        return os.path.samestat(os.fstat(lock), os.stat(folder))
    except FileNotFoundError:
        return False
    except OSError:  # a drive without locks
        return True
