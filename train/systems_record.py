"""What the 14B systems run finds: figures of each stage, peak memory, and the record that they are written to."""

import gc
import json
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch

from koqas.koqas_loading import four_bit
from koqas.train.provenance import record_of
from koqas.train.random_base import GIGABYTE


@dataclass(frozen=True)
class Building:
    """Making the model: seconds, parameters, gigabytes of weights and at the peak."""

    seconds: float
    parameters: int
    weights_gb: float
    peak_gb: float


@dataclass(frozen=True)
class Training:
    """QLoRA training: throughput over the measured steps and peak memory, all in gigabytes and seconds.

    `reserved_gb` is what a GPU must have free: the tensors of `peak_gb` and the gaps of the allocator between them.
    """

    trainable_parameters: int
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_gb: float
    reserved_gb: float
    first_loss: float
    last_loss: float


@dataclass(frozen=True)
class Asking:
    """Pipeline calls: seconds for each question (median and longest, and the median of each part), and what was made."""

    questions: int
    median_seconds: float
    longest_seconds: float
    retrieval_seconds: float
    judgement_seconds: float
    generation_seconds: float
    most_new_tokens: int
    peak_gb: float


class PeakMemory:
    """Peak memory since `reset`: of the GPU's allocator, or of the process, which cannot be reset.

    On a CPU the figure is the largest resident size so far, with Python and libraries (about 1 GB) in it.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"

    def reset(self) -> None:
        """Forget the peak so far."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def gigabytes(self) -> float:
        """Return the peak."""
        if self.on_gpu:
            return round(torch.cuda.max_memory_allocated() / GIGABYTE, 3)
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(kilobytes * 1024 / GIGABYTE, 3)

    def reserved(self) -> float:
        """Return the peak with what the GPU's allocator held beyond the tensors; on a CPU the same peak."""
        return round(torch.cuda.max_memory_reserved() / GIGABYTE, 3) if self.on_gpu else self.gigabytes()


class Record:
    """The record on its way: written anew, and said with the seconds since the start, as each stage ends."""

    def __init__(self, arguments: Any, out: str, device: torch.device) -> None:  # noqa: ANN401  (any dataclass)
        self.begun, self.path = time.perf_counter(), Path(out)
        self.rows: dict[str, Any] = record_of(arguments) | {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
            "compute_dtype": str(four_bit().bnb_4bit_compute_dtype),
            "bitsandbytes": bnb.__version__,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, stage: str, figures: Building | Training | Asking) -> None:
        """Write the record with one more stage."""
        self.rows[stage] = asdict(figures)
        self.path.write_text(json.dumps(self.rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
        print(f"[{time.perf_counter() - self.begun:.1f} s] {stage}: {json.dumps(self.rows[stage])}", flush=True)
