"""What a run of the data factory may be told: fields of the recipe, each of which the command line overrides.

Comes in: a recipe (YAML) and arguments. Goes out: one checked `Recipe`, which can be sent to another machine.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from trl import TrlParser

from koqas.koqas_types import KoQasError
from koqas.train.generation.settings import GenerationSettings
from koqas.train.sources.catalog import Source, source_named
from koqas.train.verification.stage import LEAST_SUPPORT

EXECUTORS = ("auto", "process", "local", "ray", "slurm")
NAMES = ("mask", "keep")


@dataclass(frozen=True)
class SourceEntry:
    """One set of a recipe.

    Args:
        set (`str`): Name in the catalog.
        path (`str`): What was downloaded: folder, archive or file.
        limit (`int`): Rows to read; 0: all.
        names (`str`): `mask`, or `keep` where questions ask for people (encyclopedias, news); identifiers always go.
        before (`int`): Rows published in this year or later, or without a year, are rejected; 0: no cut.
        mapping (`dict[str, str]`): Key paths, where the set's format is not public; see train/sources/mapping.py.
        columns (`dict[str, str]`): Our key → key in the file, for articles in JSON lines.
    """

    set: str
    path: str
    limit: int = 0
    names: str = "mask"
    before: int = 0
    mapping: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """The set in the catalog."""
        return source_named(self.set)

    def check(self) -> None:
        """Refuse an entry that cannot be read.

        Raises:
            KoQasError: Unknown set, missing path, a value out of range.
        """
        source_named(self.set)
        if not Path(self.path).exists():
            raise KoQasError(f"sources {self.set}: path", f"없는 경로입니다: {self.path}", "pass what you downloaded")
        if self.names not in NAMES:
            raise KoQasError(f"sources {self.set}: names", f"알 수 없는 값입니다: {self.names}", "mask or keep")
        if self.limit < 0 or self.before < 0:
            raise KoQasError(f"sources {self.set}", "limit과 before는 음수일 수 없습니다.", "0 means no limit")


@dataclass(frozen=True)
class BenchmarkEntry:
    """A benchmark whose rows must not be trained on: a set of the catalog and where it lies."""

    set: str
    path: str


@dataclass
class PrepareArguments:
    """What to prepare.

    Args:
        sources (`list[str]`): Sets to read, each `{set: …, path: …, limit: …}`; see `SourceEntry`.
        out (`str`): Folder of everything that is written; a second run continues there.
        benchmarks (`list[str]`): `{set: …, path: …}` each; rows that overlap one are removed.
        forbidden_titles (`str`): File of SHA-1 digests of page titles that must not be trained on.
        shortest (`int`): Characters of the shortest document that is kept.
        near_copies (`bool`): Whether near copies of documents count as copies.
        same_question (`float`): Probability from which two questions about one document ask the same; 0: only equal ones.
        names_model (`str`): Token-classification model that finds names; empty: Kiwi and rules.
        key_file (`str`): File that will hold what was masked, readable by you alone; empty: not kept.
        least_support (`float`): Share of a summary sentence's content words that its evidence must hold.
        validation_share (`float`): Share of document groups that become the validation split.
        executor (`str`): `process`: here, one row after the other; `local`, `ray`, `slurm`: datatrove's executors;
            `auto`: `local` for inputs of `large` rows where there is more than one worker, else `process`.
        workers (`int`): Rows are worked on by so many processes at once (not with `process`).
        shard_rows (`int`): Rows in the file that one task of an executor takes.
        large (`int`): Rows from which `auto` uses an executor.
        slurm_partition, slurm_time (`str`): For `executor: slurm`.
        dry_run (`bool`): Run the stages that cost nothing, print counts and what generation would cost, stop.
        batch_requests (`str`): File for the requests of generation, as input of an OpenAI batch job; then the run stops.
            Give what the job answered as `batch_file`.
        redo (`str`): Name of a stage; it and those after it are run again.
        report (`str`): JSON file that gets a copy of the report, and the picture beside it; empty: only in `out`.
        push_to_hub (`str`): Id of a dataset repository to upload to, private if it is new; empty: none.
    """

    sources: list[str] = field(default_factory=list)
    out: str = "runs/data"
    benchmarks: list[str] = field(default_factory=list)
    forbidden_titles: str = ""
    shortest: int = 30
    near_copies: bool = True
    same_question: float = 0.8
    names_model: str = ""
    key_file: str = ""
    least_support: float = LEAST_SUPPORT
    validation_share: float = 0.05
    executor: str = field(default="auto", metadata={"choices": list(EXECUTORS)})
    workers: int = 1
    shard_rows: int = 1000
    large: int = 100_000
    slurm_partition: str = ""
    slurm_time: str = "04:00:00"
    dry_run: bool = False
    batch_requests: str = ""
    redo: str = ""
    report: str = ""
    push_to_hub: str = ""

    def check(self) -> None:
        """Refuse values that cannot work.

        Raises:
            KoQasError: A field has a value out of range.
        """
        if self.executor not in EXECUTORS:
            raise KoQasError("executor", f"알 수 없는 값입니다: {self.executor}", f"one of {', '.join(EXECUTORS)}")
        for name in ("workers", "shard_rows", "large", "shortest"):
            if getattr(self, name) < 1:
                raise KoQasError(name, "1 이상이어야 합니다.", "pass a positive number")
        for name in ("same_question", "least_support", "validation_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise KoQasError(name, "0과 1 사이여야 합니다.", "pass a share from 0 to 1")
        if self.executor == "slurm" and not self.slurm_partition:
            raise KoQasError("slurm_partition", "Slurm 파티션이 없습니다.", "pass the name of a partition")
        if self.forbidden_titles and not Path(self.forbidden_titles).is_file():
            raise KoQasError("forbidden_titles", f"파일이 없습니다: {self.forbidden_titles}", "pass a file of digests")


@dataclass(frozen=True)
class Recipe:
    """A checked run: arguments, generation settings, and the entries that the arguments list."""

    arguments: PrepareArguments
    generation: GenerationSettings
    sources: tuple[SourceEntry, ...]
    benchmarks: tuple[BenchmarkEntry, ...]

    @property
    def keeps_names(self) -> frozenset[str]:
        """Sets whose names are not masked."""
        return frozenset(e.set for e in self.sources if e.names == "keep")

    @property
    def foreign(self) -> frozenset[str]:
        """Sets in another language than Korean."""
        return frozenset(e.set for e in self.sources if e.source.language != "ko")


def make_parser() -> TrlParser:
    """Return the parser: recipe values are defaults, the command line overrides them, unknown keys are refused."""
    return TrlParser((PrepareArguments, GenerationSettings))


def parse(arguments: Sequence[str] | None = None) -> Recipe:
    """Read the command line and the recipe it names.

    Raises:
        KoQasError: No such recipe, an unknown key in it, a value of the wrong type or out of range.
    """
    given = list(arguments) if arguments is not None else sys.argv[1:]
    try:
        parsed = make_parser().parse_args_and_config(given)
    except (AttributeError, IndexError, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        hint = " ".join(str(error).split())
        raise KoQasError("config", "설정 파일을 읽을 수 없습니다.", f"{hint}; see --help for the fields") from error
    return recipe_of(*parsed)


def recipe_of(arguments: PrepareArguments, generation: GenerationSettings) -> Recipe:
    """Check arguments and read the entries they list.

    Raises:
        KoQasError: A value of the wrong type or out of range.
    """
    for settings in (arguments, generation):
        _check_types(settings)
    sources = tuple(_entry(SourceEntry, "sources", e) for e in arguments.sources)
    benchmarks = tuple(_entry(BenchmarkEntry, "benchmarks", e) for e in arguments.benchmarks)
    if not sources:
        raise KoQasError(
            "sources", "읽을 데이터셋이 없습니다.", "list entries such as '{set: laws, path: laws.jsonl}'"
        )
    twice = [e.set for i, e in enumerate(sources) for other in sources[:i] if e.set == other.set]
    if twice and any(e.names != other.names for e in sources for other in sources if e.set == other.set):
        raise KoQasError(f"sources {twice[0]}: names", "한 데이터셋의 names가 서로 다릅니다.", "use one value a set")
    for entry in sources:
        entry.check()
    for benchmark in benchmarks:
        SourceEntry(benchmark.set, benchmark.path).check()
    arguments.check()
    generation.check()
    if arguments.batch_requests and generation.backend == "rules":
        raise KoQasError("batch_requests", "규칙은 요청을 하지 않습니다.", "set backend: openai and a model")
    return Recipe(arguments, generation, sources, benchmarks)


def _entry(kind: Any, name: str, given: Any) -> Any:  # noqa: ANN401 - an entry class and whatever YAML holds
    """Build an entry of a mapping, or of one written as text on the command line."""
    try:
        value = yaml.safe_load(given) if isinstance(given, str) else given
    except yaml.YAMLError as error:
        raise KoQasError(name, f"항목을 읽을 수 없습니다: {given}", "write {set: NAME, path: PATH}") from error
    known = {f.name for f in fields(kind)}
    if not isinstance(value, dict) or set(value) - known or not {"set", "path"} <= set(value):
        raise KoQasError(
            name, f"항목이 올바르지 않습니다: {given}", f"write {{set: NAME, path: PATH}}; keys: {sorted(known)}"
        )
    entry = kind(**value)
    _check_types(entry, f"{name} {value['set']}: ")
    return entry


def _check_types(settings: Any, prefix: str = "") -> None:  # noqa: ANN401 - any settings dataclass
    """YAML gives values of any type, and argparse looks at those of the command line only."""
    for name, hint in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        kinds: dict[Any, tuple[type, ...]] = {
            int: (int,), float: (int, float), bool: (bool,), str: (str,), list[str]: (list,), dict[str, str]: (dict,)
        }  # fmt: skip
        allowed = kinds.get(hint)
        if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and hint is not bool)):
            shown = getattr(hint, "__name__", str(hint))
            raise KoQasError(
                f"{prefix}{name}", f"값의 종류가 맞지 않습니다: {value!r}", f"pass a value of type {shown}"
            )
