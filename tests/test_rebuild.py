"""The route that makes the embedded model again: real commands, cut off, gone on with and done again."""

import dataclasses
import importlib
import json
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError
from koqas.train.rebuild import RebuildArguments, main, route_of

WRITE = 'import sys; p = sys.argv[1]; open(p, "a").write(" ".join(sys.argv[2:]) + ".")'


def step(folder: Path, name: str, words: str = "", again: str = "") -> dict[str, str]:
    made = folder / name
    return {
        "name": name,
        "makes": str(made),
        "command": f"{Path(sys.executable).name} -c {shlex.quote(WRITE)} {made} {words}",
        "again": again,
    }


@pytest.fixture
def arguments(tmp_path):
    (tmp_path / "data").mkdir()
    steps = [step(tmp_path, "a"), step(tmp_path, "b", "of {data}"), step(tmp_path, "c")]
    (tmp_path / "route.yaml").write_text(yaml.safe_dump(steps))
    return RebuildArguments(str(tmp_path / "data"), str(tmp_path / "route.yaml"), str(tmp_path / "memory.json"))


def contents(folder: Path) -> list[str]:
    return [(folder / n).read_text() if (folder / n).exists() else "" for n in "abc"]


def test_finished_steps_are_not_done_twice_and_redo_does_the_later_ones_again(arguments, tmp_path):
    main(arguments)
    main(arguments)
    data = tmp_path / "data"
    assert contents(tmp_path) == [".", f"of {data}.", "."]
    main(dataclasses.replace(arguments, redo="b"))
    assert contents(tmp_path) == [".", f"of {data}.of {data}.", ".."]
    (tmp_path / "a").unlink()
    main(arguments)
    assert contents(tmp_path) == [".", f"of {data}." * 3, "..."]


def test_a_failed_step_stops_the_route_and_is_gone_on_with(arguments, tmp_path):
    route = yaml.safe_load(Path(arguments.route).read_text())
    broken = {
        **route[1],
        "command": route[1]["command"].replace("import sys;", "import sys; sys.argv[4:] or sys.exit(3);"),
    }
    broken["again"] = "once more"
    Path(arguments.route).write_text(yaml.safe_dump([route[0], broken, route[2]]))
    with pytest.raises(KoQasError, match="3") as problem:
        main(arguments)
    assert problem.value.field == "b" and contents(tmp_path) == [".", "", ""]
    main(arguments)
    assert contents(tmp_path) == [".", f"of {tmp_path / 'data'} once more.", "."]
    assert json.loads(Path(arguments.memory).read_text())["b"]["seconds"] is not None


@pytest.mark.parametrize("text", ["- {name: a}", "a: 1\nb: 2", "[", "- {name: a, makes: b, command: c, agian: d}"])
def test_a_bad_route_is_refused(tmp_path, text):
    (tmp_path / "route.yaml").write_text(text)
    with pytest.raises(KoQasError) as problem:
        route_of(tmp_path / "route.yaml")
    assert problem.value.field == "route"


def test_an_unknown_step_and_missing_corpora_are_named(arguments):
    with pytest.raises(KoQasError) as problem:
        main(dataclasses.replace(arguments, redo="z"))
    assert problem.value.field == "redo"
    with pytest.raises(KoQasError) as problem:
        main(dataclasses.replace(arguments, data=arguments.data + "-gone"))
    assert problem.value.field == "data"


def arguments_of(module: str) -> type | None:
    """Return the arguments dataclass of a training command, if it has one of its own."""
    found = [v for n, v in vars(importlib.import_module(f"koqas.train.{module}")).items() if n.endswith("Arguments")]
    own = [v for v in found if dataclasses.is_dataclass(v) and v.__module__ == f"koqas.train.{module}"]
    return own[0] if len(own) == 1 else None


def test_every_command_of_the_embedded_route_is_one_that_its_script_takes():
    checked = 0
    for each in route_of(Path("train/recipes/embedded/route.yaml")):
        words = shlex.split(each.command.replace("{data}", "DIR") + " " + each.again)
        script = next(w for w in words if w.endswith(".py"))
        assert Path(script).is_file()
        kind = arguments_of(Path(script).stem)
        if kind is not None and "--config" not in words:
            HfArgumentParser(kind).parse_args_into_dataclasses(words[words.index(script) + 1 :])
            checked += 1
    assert checked >= 10
