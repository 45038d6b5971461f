"""Replace a folder so that an interruption at any moment leaves a whole one: the old or the new.

A folder cannot be renamed over another that holds files. So the new one is written under a hidden name, the old one is
set aside under a second hidden name, the new one takes its place, and only then the old one is deleted. Who finds
nothing at the place itself (killed between the two renames) still finds the old one aside. Knows nothing about what
the folders hold.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4


def standing(folder: Path) -> Path:
    """Return where a folder's content stands: at its place, or aside after an interrupted replacement."""
    if os.path.exists(folder):  # unlike Path.exists, False for a name that is too long
        return folder
    aside = _aside(folder)
    return aside if os.path.isdir(aside) else folder


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, then put it in the place of `folder`.

    Whatever `write` or a rename raises is raised again, with the old folder in its place and nothing left over. A kill
    leaves the unfinished hidden folder behind: it could be that of another process, so nobody deletes it.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(folder)
    if standing(folder) == aside:
        os.rename(aside, folder)
    shutil.rmtree(aside, ignore_errors=True)
    building = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        building.mkdir()
        write(building)
        if folder.exists():
            os.rename(folder, aside)
        os.rename(building, folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        if standing(folder) == aside:
            os.rename(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path) -> Path:
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.replaced")
