"""Make the embedded model again: every step of a route, one after the other; finished ones are not done twice.

    python train/rebuild.py --data DIR                  # train/recipes/embedded/route.yaml
    python train/rebuild.py --data DIR --dry_run true   # what would run
    python train/rebuild.py --data DIR --redo ranker    # that step and all after it

A step is finished when its command ended well and what it makes is there; `runs/route.json` remembers commands and how
long they took. A changed command, or a step done again, does all later steps again.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml
from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError


@dataclass
class RebuildArguments:
    """What `train/rebuild.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        route (`str`): YAML list of steps, see `Step`.
        memory (`str`): JSON file of finished and begun steps.
        redo (`str`): Name of the step to start from, though it was finished.
        dry_run (`bool`): Print the commands that would run.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    route: str = "train/recipes/embedded/route.yaml"
    memory: str = "runs/route.json"
    redo: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class Step:
    """One command of a route.

    Args:
        name (`str`): What it is called.
        makes (`str`): A file that is there afterwards.
        command (`str`): Command line; `{data}` is the folder of the corpora.
        again (`str`): Arguments added when the step was cut off before.
    """

    name: str
    makes: str
    command: str
    again: str = ""


@dataclass
class Run:
    """A step that was begun: its command, and how many seconds it took once it ended well."""

    command: str
    seconds: float | None = None


def route_of(path: Path) -> list[Step]:
    """Read a route.

    Raises:
        KoQasError: No list of steps, or a step with a missing or unknown key, or two of one name.
    """
    try:
        steps = [Step(**row) for row in yaml.safe_load(path.read_text("utf-8"))]
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise KoQasError(
            "route", f"단계 목록을 읽을 수 없습니다: {path} ({error})", "name, makes, command, again"
        ) from error
    if len({s.name for s in steps}) != len(steps):
        raise KoQasError("route", f"이름이 같은 단계가 있습니다: {path}", "give each step its own name")
    return steps


def remembered(path: Path) -> dict[str, Run]:
    """Read the memory of earlier runs (none: empty)."""
    return {n: Run(**r) for n, r in json.loads(path.read_text("utf-8")).items()} if path.is_file() else {}


def remember(path: Path, runs: dict[str, Run]) -> None:
    """Write the memory, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({n: asdict(r) for n, r in runs.items()}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    part.replace(path)


def words_of(command: str) -> list[str]:
    """Split a command; its program is the one beside this Python."""
    program, *rest = shlex.split(command)
    return [os.fspath(Path(sys.executable).with_name(program)), *rest]


def to_do(steps: list[Step], data: str, runs: dict[str, Run], redo: str) -> list[tuple[Step, str]]:
    """Return the steps that must run with their commands: the first unfinished one and all after it.

    Raises:
        KoQasError: `redo` names no step.
    """
    if redo and redo not in {s.name for s in steps}:
        raise KoQasError("redo", f"없는 단계입니다: {redo!r}", f"one of {', '.join(s.name for s in steps)}")
    commands = [s.command.replace("{data}", shlex.quote(data)) for s in steps]
    for number, (step, command) in enumerate(zip(steps, commands, strict=True)):
        run = runs.get(step.name)
        finished = run is not None and run.command == command and run.seconds is not None and Path(step.makes).exists()
        if step.name == redo or not finished:
            return list(zip(steps[number:], commands[number:], strict=True))
    return []


def main(args: RebuildArguments) -> None:
    """Run what is to be done; stop at the first step that fails.

    Raises:
        KoQasError: A bad route or step name, no corpora, or a command failed or did not make its file.
    """
    if not Path(args.data).is_dir():
        raise KoQasError("data", f"폴더가 없습니다: {args.data}", "point --data at the folder of the training corpora")
    memory, steps = Path(args.memory), route_of(Path(args.route))
    runs = remembered(memory)
    left = to_do(steps, args.data, runs, args.redo)
    for number, (step, command) in enumerate(left, len(steps) - len(left) + 1):
        begun = runs.get(step.name)
        cut_off = begun is not None and begun.command == command and begun.seconds is None
        line = f"{command} {step.again}" if cut_off and step.again else command
        print(f"[{number}/{len(steps)}] {step.name}: {line}", flush=True)
        if args.dry_run:
            continue
        for later in steps[number:]:
            runs.pop(later.name, None)
        runs[step.name] = Run(command)
        remember(memory, runs)
        started = time.monotonic()
        code = subprocess.run(words_of(line), check=False).returncode
        if code or not Path(step.makes).exists():
            raise KoQasError(
                step.name, f"단계가 끝나지 못했습니다(종료 코드 {code}).", "mend what it says above, run again"
            )
        runs[step.name] = Run(command, round(time.monotonic() - started, 1))
        remember(memory, runs)


if __name__ == "__main__":
    try:
        main(HfArgumentParser(RebuildArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
