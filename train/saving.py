"""Save an adapter whole or not at all, and find the checkpoint that a killed training can go on from.

Comes in: a trainer. Goes out: adapter files in its output folder. A reader of the folder finds the old adapter, the new
one or, for the moment between them, none; never a mixture. Knows nothing about what was trained.
"""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import Trainer

from koqas.koqas_types import KoQasError

WEIGHTS = "adapter_model.safetensors"
STATE_FILES = ("trainer_state.json", "optimizer.pt", "scheduler.pt", WEIGHTS)
SHARDED_STATE_FILES = ("trainer_state.json", "scheduler.pt")  # FSDP and DeepSpeed keep the rest in folders


def check_room(model: nn.Module, folder: Path, checkpoints: int) -> None:
    """Refuse to begin where the disk cannot hold the adapter and its checkpoints.

    Args:
        model (`nn.Module`): The model with its adapter.
        folder (`Path`): Output folder; it is made here.
        checkpoints (`int`): Checkpoints kept; each holds the weights and two moments of them.

    Raises:
        KoQasError: The folder cannot be written, or less space is left than needed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise KoQasError("output_dir", f"폴더를 만들 수 없습니다: {folder}", str(error)) from error
    weights = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    needed = weights * (2 + 3 * checkpoints) + 2**24  # one adapter while the old one stands; tokenizer and logs
    if free < needed:
        raise KoQasError(
            "output_dir",
            f"디스크가 모자랍니다: {folder}에 {needed / 2**20:.0f}MB가 필요한데 {free / 2**20:.0f}MB 남았습니다.",
            "free some space, point --output_dir elsewhere, or lower --save_total_limit",
        )


def save_adapter(trainer: Trainer, folder: Path) -> None:
    """Write the adapter beside its place and move it in, file by file, weights last.

    Every process calls this: gathering sharded weights needs all of them.

    Args:
        trainer (`Trainer`): The trainer of a PEFT model.
        folder (`Path`): Where the adapter called `default` goes; other files there stay.

    Raises:
        KoQasError: No space left; the old adapter is untouched.
    """
    building = folder / ".adapter.saving"
    if trainer.args.should_save:
        shutil.rmtree(building, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    try:
        trainer.save_model(os.fspath(building))
    except (OSError, SafetensorError) as error:
        shutil.rmtree(building, ignore_errors=True)
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise KoQasError(
                "output_dir", f"저장하는 중에 디스크가 가득 찼습니다: {folder}", "free some space and resume"
            ) from error
        raise
    trainer.accelerator.wait_for_everyone()
    if trainer.args.should_save:
        _move_in(building, folder)
    trainer.accelerator.wait_for_everyone()


def _move_in(building: Path, folder: Path) -> None:
    files = [p for p in building.iterdir() if p.is_file() and p.name != WEIGHTS]
    (folder / WEIGHTS).unlink(missing_ok=True)  # new settings beside old weights would load, and answer wrongly
    for path in files:
        os.replace(path, folder / path.name)
    with (building / WEIGHTS).open("rb") as weights:
        os.fsync(weights.fileno())
    os.replace(building / WEIGHTS, folder / WEIGHTS)
    shutil.rmtree(building)


def checkpoint_to_resume(asked: str | bool | None, folder: Path) -> str | None:
    """Return the checkpoint folder to go on from, or None to begin anew.

    Args:
        asked (`str | bool`, *optional*): The recipe's `resume_from_checkpoint`: a folder, or `latest` (also `true`)
            for the newest whole checkpoint in the output folder, if there is one.
        folder (`Path`): Output folder.

    Raises:
        KoQasError: The named folder is no whole checkpoint.
    """
    if not asked or str(asked).lower() == "false":
        return None
    if str(asked).lower() in ("latest", "true"):
        found = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
        return next((os.fspath(p) for p in found if is_whole(p)), None)
    if not is_whole(Path(str(asked))):
        raise KoQasError(
            "resume_from_checkpoint", f"온전한 체크포인트가 아닙니다: {asked}", "pass a checkpoint folder, or 'latest'"
        )
    return str(asked)


def is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint was written to its end: a kill in the middle leaves files missing or cut short."""
    sharded = any(checkpoint.glob("*_fsdp*")) or any(checkpoint.glob("global_step*"))
    if not all((checkpoint / n).is_file() for n in (SHARDED_STATE_FILES if sharded else STATE_FILES)):
        return False
    if not any(checkpoint.glob("rng_state*.pth")):
        return False
    try:
        for path in checkpoint.glob("*.safetensors"):
            with safe_open(path, "numpy"):
                pass
    except (SafetensorError, OSError):
        return False
    # The state is written last, as one JSON object: its closing brace says that the rest is there.
    return (checkpoint / "trainer_state.json").read_text("utf-8").rstrip().endswith("}")


def record_arguments(arguments: Any) -> dict[str, Any]:  # noqa: ANN401  (any arguments dataclass)
    """Return the plain values of an arguments dataclass."""
    return {k: v for k, v in vars(arguments).items() if isinstance(v, (str, int, float, list))}
