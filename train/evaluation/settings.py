"""What a measuring run may be told: fields of the recipe, each of which the command line overrides.

Comes in: a recipe (YAML) and arguments. Goes out: one checked `Evaluation`.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from trl import TrlParser

from koqas.koqas_options import ASK_FIELDS
from koqas.koqas_types import KoQasError
from koqas.train.generation.settings import GenerationSettings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_RECIPE = ROOT / "train" / "recipes" / "embedded" / "evaluation.yaml"
FILES = ("korquad", "data", "pairs", "options", "beir", "official")  # records keep their names only


@dataclass
class EvaluateArguments:
    """What to measure.

    Args:
        parts (`list[str]`): Measurements to take; see `train/evaluate.py`.
        repository (`str`): Repository folder.
        korquad (`str`): SQuAD-format JSON (KorQuAD 1.0, 2.x, SQuAD 2.0), plain or xz-compressed.
        data (`str`): Folder of the corpora, for the written questions (`docquest`).
        pairs (`str`): Preference pairs of the competition's shape (.csv, .jsonl, .parquet).
        options (`str`): Questions with options, or KoBEST BoolQ (.jsonl, .tsv, .parquet).
        beir (`str`): Folder of a retrieval set in BEIR layout.
        official (`str`): The competition's `evaluate_adapter.py`, to run its scoring functions beside ours; empty: no.
        questions (`int`): Questions sampled; retrieval uses all.
        judged (`int`): Answerable questions that DocQuest's levels are measured on (`korquad`).
        absent (`int`): Further questions whose articles are left out of the index (`claim`).
        arms (`list[str]`): Arms of `claim`, each `{name: …, …options of a call}`; every one is compared to the first.
        new_tokens (`int`): Longest free text (`competition`, `grounding`).
        results (`str`): Folder of the records.
        work (`str`): Folder of measured rows; a run that was stopped goes on from it.
        redo (`bool`): Measure everything again.
        third_party (`bool`): The judge may be an endpoint that is not your own.
    """

    parts: list[str] = field(default_factory=list)
    repository: str = "."
    korquad: str = ""
    data: str = ""
    pairs: str = "data_sample/preference_50_public.csv"
    options: str = ""
    beir: str = ""
    official: str = ""
    questions: int = 150
    judged: int = 150
    absent: int = 50
    arms: list[str] = field(default_factory=list)
    new_tokens: int = 128
    results: str = "results"
    work: str = "runs/evaluation"
    redo: bool = False
    third_party: bool = False


@dataclass(frozen=True)
class Arm:
    """One way to answer: a name and the options of a call."""

    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """A checked run: arguments, the judge's settings, the arms that the arguments list."""

    arguments: EvaluateArguments
    judge: GenerationSettings
    arms: tuple[Arm, ...]

    @property
    def seed(self) -> int:
        """Seed of samples, draws and the judge."""
        return self.judge.seed

    def described(self) -> dict[str, Any]:
        """Return the arguments as a record shows them: of files only the names, which alone mean something elsewhere."""
        given = {
            k: v for k, v in asdict(self.arguments).items() if k not in ("results", "work", "redo", "third_party")
        }
        names = {k: Path(given[k]).name for k in FILES if given[k]}
        return {k: v for k, v in (given | names).items() if v not in ("", [])}


def parse(arguments: Sequence[str] | None = None) -> Evaluation:
    """Read the command line and the recipe it names, or the embedded model's.

    Raises:
        KoQasError: No such recipe, an unknown key, a value of the wrong type or out of range.
    """
    given = list(arguments) if arguments is not None else sys.argv[1:]
    if not any(g == "--config" or g.startswith("--config=") for g in given):
        given += ["--config", os.fspath(DEFAULT_RECIPE)]
    parser = TrlParser((EvaluateArguments, GenerationSettings))
    try:
        parsed = parser.parse_args_and_config(given)
    except (AttributeError, IndexError, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        hint = " ".join(str(error).split())
        raise KoQasError("config", "설정 파일을 읽을 수 없습니다.", f"{hint}; see --help for the fields") from error
    return checked(*parsed)


def checked(arguments: EvaluateArguments, judge: GenerationSettings) -> Evaluation:
    """Check arguments and read the arms they list.

    Raises:
        KoQasError: A value out of range, a missing file, an arm with an unknown option.
    """
    for name in ("questions", "judged", "new_tokens"):
        if getattr(arguments, name) < 1:
            raise KoQasError(name, "1 이상이어야 합니다.", "pass a positive number")
    if arguments.absent < 0:
        raise KoQasError("absent", "음수일 수 없습니다.", "pass 0 or more")
    for name in FILES:
        if (path := getattr(arguments, name)) and not Path(path).exists():
            raise KoQasError(name, f"없는 경로입니다: {path}", "pass an existing path, or leave it empty")
    judge.check()
    if judge.remote and not arguments.third_party:
        raise KoQasError(
            "third_party",
            f"문서와 답이 밖으로 나갑니다: {judge.base_url}",
            "use an endpoint of your own, or --third_party true if the terms of the texts allow it",
        )
    return Evaluation(arguments, judge, tuple(_arm(a) for a in arguments.arms))


def _arm(given: Any) -> Arm:  # noqa: ANN401  (whatever YAML holds)
    try:
        value = yaml.safe_load(given) if isinstance(given, str) else given
    except yaml.YAMLError as error:
        raise KoQasError("arms", f"항목을 읽을 수 없습니다: {given}", "write {name: NAME, dense: false}") from error
    if not isinstance(value, dict) or not value.get("name") or (unknown := set(value) - ASK_FIELDS - {"name"}):
        told = f"unknown: {', '.join(sorted(unknown))}" if isinstance(value, dict) and value.get("name") else "no name"
        raise KoQasError("arms", f"항목이 올바르지 않습니다: {given}", f"{told}; write {{name: NAME, dense: false}}")
    return Arm(str(value["name"]), {k: v for k, v in value.items() if k != "name"})
