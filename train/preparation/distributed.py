"""Spread a row-wise step over datatrove's executors: this machine's processes, Ray, or Slurm.

Comes in: rows and a step. Goes out: what the step makes of them, in the same order. Rows are written to shards, one task
works on one shard, and a task that was finished is not run again. Every machine must see the folder under the same path
and have this package installed. datatrove's core is enough; its `processing` extra is not, and would pin an old trafilatura.
"""

import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from datatrove.executor.base import PipelineExecutor
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.executor.ray import RayPipelineExecutor
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from tqdm import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example, read_examples, write_examples
from koqas.train.preparation.line import read_rejections
from koqas.train.preparation.settings import PrepareArguments, Recipe
from koqas.train.preparation.steps import STEPS
from koqas.train.rejections import RejectionLog

GIVEN, MADE = "given", "made"
POLL = 20  # seconds between looks at a Slurm job
GIGABYTES = 3  # of memory for one task: Kiwi, the ranker, one shard


class ShardStep(PipelineStep):
    """A step on one shard: the task of rank n reads `given/n.parquet` and writes `made/n.parquet`.

    Args:
        step (`str`): Name of a step in `steps.STEPS`.
        recipe (`Recipe`): What the step is told.
        folder (`Path`): Where the shards are.
    """

    type = "Ko-QAS"

    def __init__(self, step: str, recipe: Recipe, folder: Path) -> None:
        super().__init__()
        self.name = step
        self.recipe, self.folder = recipe, folder

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:  # noqa: ANN401 - datatrove's own signature
        """Work on the shard of a rank; nothing is passed on to a next step."""
        made = self.folder / MADE / f"{rank:05d}.parquet"
        made.parent.mkdir(parents=True, exist_ok=True)
        with RejectionLog(made.with_suffix(".jsonl")) as log:
            rows = read_examples(self.folder / GIVEN / f"{rank:05d}.parquet")
            write_examples(made, STEPS[self.name](rows, self.recipe, log))
        return None


def spread(step: ShardStep, rows: Iterable[Example], executor: str, log: RejectionLog) -> Iterator[Example]:
    """Yield what a step makes of rows; shards are removed when the last row was taken.

    Args:
        step (`ShardStep`): The step; its folder belongs to this call and to earlier, interrupted ones of the same rows.
        rows (`Iterable[Example]`): The rows.
        executor (`str`): `local`, `ray` or `slurm`.
        log (`RejectionLog`): Takes the rejections.

    Raises:
        KoQasError: A task failed.
    """
    tasks = _shards(rows, step.folder / GIVEN, step.recipe.arguments.shard_rows)
    if tasks:
        _run(executor_of(executor, step, tasks), tasks, step.folder)
    for rank in range(tasks):
        made = step.folder / MADE / f"{rank:05d}.parquet"
        log.add_all(read_rejections(made.with_suffix(".jsonl")))
        yield from read_examples(made)
    shutil.rmtree(step.folder, ignore_errors=True)


def _shards(rows: Iterable[Example], folder: Path, size: int) -> int:
    """Write shards; an interrupted run's are written anew, byte for byte the same."""
    folder.mkdir(parents=True, exist_ok=True)
    left = iter(rows)
    count = 0
    while shard := list(islice(left, size)):
        write_examples(folder / f"{count:05d}.parquet", shard)
        count += 1
    return count


def executor_of(name: str, step: ShardStep, tasks: int) -> PipelineExecutor:
    """Return the executor that runs a step on its shards."""
    given: PrepareArguments = step.recipe.arguments
    logs = str(step.folder / "logs")
    if name == "local":
        return LocalPipelineExecutor([step], tasks=tasks, workers=given.workers, logging_dir=logs)
    if name == "ray":
        _check_ray()
        return RayPipelineExecutor(
            [step], tasks=tasks, workers=given.workers, logging_dir=logs, mem_per_cpu_gb=GIGABYTES
        )
    return SlurmPipelineExecutor(
        [step],
        tasks=tasks,
        workers=given.workers,
        time=given.slurm_time,
        partition=given.slurm_partition,
        mem_per_cpu_gb=GIGABYTES,
        job_name=f"koqas-{step.name}",
        logging_dir=logs,
        env_command=f"export PATH={Path(sys.executable).parent}:$PATH",
        mail_type="NONE",
    )


def _check_ray() -> None:
    """Start Ray, or join the cluster of RAY_ADDRESS; a task that no machine has room for would wait for ever.

    Raises:
        KoQasError: Ray is not installed, or no machine has the memory that one task asks for.
    """
    try:
        import ray
    except ImportError as error:
        raise KoQasError("executor", "ray가 설치되어 있지 않습니다.", 'pip install "koqas[distributed]"') from error
    if not ray.is_initialized():
        ray.init(logging_level=logging.WARNING, log_to_driver=False)
    most = max((node["Resources"].get("memory", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if most < GIGABYTES * 2**30:
        raise KoQasError(
            "executor",
            f"작업 하나에 메모리 {GIGABYTES}GB가 필요한데 가장 큰 노드가 {most / 2**30:.1f}GB를 줍니다.",
            "use a larger machine, or executor: process",
        )


def _run(executor: PipelineExecutor, tasks: int, folder: Path) -> None:
    """Run all tasks; Slurm only queues them, so their completion is waited for."""
    if executor.get_incomplete_ranks():
        executor.run()
    if isinstance(executor, SlurmPipelineExecutor):
        _wait(executor, tasks, folder)
    if missing := executor.get_incomplete_ranks():
        raise KoQasError(
            "executor",
            f"끝나지 않은 작업이 있습니다: {len(missing)}/{tasks}",
            f"see {folder / 'logs'}, then run again",
        )


def _wait(executor: PipelineExecutor, tasks: int, folder: Path) -> None:
    with tqdm(desc=f"Slurm {folder.name}", total=tasks) as bar:
        while missing := executor.get_incomplete_ranks():
            bar.update(tasks - len(missing) - bar.n)
            time.sleep(POLL)
        bar.update(tasks - bar.n)
