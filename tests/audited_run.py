"""Run by tests/test_security.py in a process of its own: load, index, answer, save; print what was touched."""

import json
import os
import sys
import tempfile
from pathlib import Path

from koqas.koqas_pipeline import load

WATCHED = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "pickle.")
REMOVING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "shutil.")
seen: list[str] = []
watching = False


def writes(arguments):
    """Tell whether the arguments of an `open` event may change a file."""
    path, mode, flags = arguments
    if not isinstance(path, (str, bytes, os.PathLike)):  # a descriptor that is open already
        return False
    return bool(mode and set(mode) & set("wax+")) or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def hook(event, arguments):
    if not watching:
        return
    if event.startswith(WATCHED):
        seen.append(f"{event} {arguments!r:.200}")
    elif (event == "open" and writes(arguments)) or event.startswith(REMOVING):
        path = (
            os.fsdecode(arguments[0])
            if isinstance(arguments[0], (str, bytes, os.PathLike))
            else f"{event} {arguments}"
        )
        if path != os.devnull:
            seen.append(f"write {Path(path).resolve()}")


if __name__ == "__main__":
    repository, documents, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    tempfile.gettempdir()  # Python finds out once, by writing, where temporary files may lie
    sys.addaudithook(hook)
    watching = True
    qa = load(repository, documents)
    answers = [
        qa("솔내도서관은 언제 문을 열었는가?")["answer"],
        qa("<script>import os</script> 다리는 누가 설계했나?")["answer"],
    ]
    answers.append(qa("상인은 모두 몇 명인가?", grounding="cited", max_new_tokens=8)["answer"])
    before_saving = len(seen)
    qa.save_index(folder)
    if "--forbidden" in sys.argv:  # shows that the watch can bark
        os.system("true")
        before_saving = len(seen)
    watching = False
    print(json.dumps({"answers": answers, "seen": seen[:before_saving], "saving": seen[before_saving:]}))
