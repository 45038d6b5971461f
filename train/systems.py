"""Measure QLoRA and the pipeline at the size of the 14B base, with random weights, on whatever machine this is.

    python train/systems.py                                         # Llamion's shape: a CUDA GPU with 24 GB or more
    python train/systems.py --scale 20 --out runs/systems.json      # a twentieth of width and depth: a CPU does

Time and memory do not depend on what the weights say. They are made one matrix at a time, quantized to NF4 and forgotten:
no 16-bit copy of the model ever exists. Records peak memory and tokens per second of training with the seed's LoRA
settings, and the pipeline's latency, with how and where they were measured.
"""

import gc
import json
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from tqdm.auto import tqdm
from transformers import AutoTokenizer, HfArgumentParser, PreTrainedModel

from koqas.koqas_loading import four_bit
from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_types import KoQasError
from koqas.train.provenance import record_of
from koqas.train.random_base import GIGABYTE, VOCABULARY, check_room, random_base, shape

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class SystemsArguments:
    """What to measure.

    Args:
        scale (`int`): Width and depth are divided by this; 1 is Llamion itself.
        tokens (`int`): Length of a training sequence.
        batch (`int`): Sequences in a forward pass.
        accumulation (`int`): Forward passes in an optimizer step.
        steps (`int`): Optimizer steps measured, after one that is not.
        questions (`int`): Questions asked of the pipeline, after one that is not counted.
        new_tokens (`int`): Tokens generated for each of summary and answer; random weights seldom end sooner.
        tokenizer (`str`): Folder or hub id; the embedded one serves, its ids are inside Llamion's vocabulary.
        documents (`str`): What the questions are asked of.
        seed (`int`): Seed of weights and tokens.
        out (`str`): Record to write.
    """

    scale: int = 1
    tokens: int = 2048
    batch: int = 1
    accumulation: int = 16
    steps: int = 2
    questions: int = 5
    new_tokens: int = 64
    tokenizer: str = str(ROOT)
    documents: str = str(ROOT / "data_sample" / "documents")
    seed: int = 0
    out: str = "results/systems.json"


@dataclass(frozen=True)
class Building:
    """Making the model: seconds, parameters, gigabytes of weights and at the peak."""

    seconds: float
    parameters: int
    weights_gb: float
    peak_gb: float


@dataclass(frozen=True)
class Training:
    """QLoRA training: throughput over the measured steps and peak memory, all in gigabytes and seconds."""

    trainable_parameters: int
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_gb: float
    first_loss: float
    last_loss: float


@dataclass(frozen=True)
class Asking:
    """Pipeline calls: seconds for each question (median and longest), and what was generated."""

    questions: int
    median_seconds: float
    longest_seconds: float
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


def with_lora(model: PreTrainedModel) -> nn.Module:
    """Attach the seed's adapter and switch gradient checkpointing on, as QLoRA trains."""
    prepared = prepare_model_for_kbit_training(model, gradient_checkpointing_kwargs={"use_reentrant": False})
    settings = LoraConfig(
        r=16, lora_alpha=16, lora_dropout=0.01, target_modules=["q_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM"
    )
    return get_peft_model(prepared, settings)


def for_inference(model: nn.Module) -> nn.Module:
    """Undo what training prepared: the base in its compute dtype again, the cache on."""
    dtype = four_bit().bnb_4bit_compute_dtype
    for name, weight in model.named_parameters():
        if "lora_" not in name and not isinstance(weight, bnb.nn.Params4bit):
            weight.data = weight.data.to(dtype)
    model.gradient_checkpointing_disable()  # type: ignore[operator]
    model.config.use_cache = True  # type: ignore[union-attr, assignment]
    return model.eval()


def train(model: nn.Module, args: SystemsArguments, memory: PeakMemory) -> Training:
    """Run optimizer steps on random tokens; the first warms up and is not timed."""
    weights = [p for p in model.parameters() if p.requires_grad]
    device = weights[0].device
    optimizer = (
        bnb.optim.PagedAdamW8bit(weights, lr=4e-4) if device.type == "cuda" else torch.optim.AdamW(weights, lr=4e-4)
    )
    dtype = four_bit().bnb_4bit_compute_dtype
    generator = torch.Generator().manual_seed(args.seed)
    size = (args.batch, args.tokens)
    losses, begun = [], 0.0
    model.train()
    memory.reset()
    for step in tqdm(range(args.steps + 1), desc="QLoRA", unit="step"):
        if step == 1:
            begun = _now(device)
        for _ in range(args.accumulation):
            ids = torch.randint(3, VOCABULARY, size, generator=generator).to(device)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                loss = model(input_ids=ids, labels=ids, use_cache=False).loss
            (loss / args.accumulation).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    seconds = _now(device) - begun
    tokens = args.steps * args.accumulation * args.batch * args.tokens
    count = sum(p.numel() for p in weights)
    rate, peak = round(tokens / seconds, 1), memory.gigabytes()
    return Training(count, tokens, round(seconds, 3), rate, peak, round(losses[0], 4), round(losses[-1], 4))


def ask(model: nn.Module, args: SystemsArguments, memory: PeakMemory) -> Asking:
    """Ask questions with the whole pipeline: retrieval, first pass, DocQuest, summary and answer."""
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    limits: dict[str, Any] = {"threshold": 0.0, "first_pass_threshold": 0.0, "max_new_tokens": args.new_tokens}
    qa = KoQasPipeline(model, tokenizer, documents=args.documents, grounding="cited", **limits)
    lines = (ROOT / "data_sample" / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    memory.reset()
    qa(questions[0])
    seconds = []
    for number in tqdm(range(args.questions), desc="pipeline", unit="question"):
        begun = _now(qa.device)
        qa(questions[(number + 1) % len(questions)])
        seconds.append(_now(qa.device) - begun)
    middle, longest = round(statistics.median(seconds), 3), round(max(seconds), 3)
    return Asking(args.questions, middle, longest, 2 * args.new_tokens, memory.gigabytes())


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def main(args: SystemsArguments) -> None:
    """Build, train, ask, record.

    Raises:
        KoQasError: The model cannot fit here, or the scale is no divisor.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, memory = shape(args.scale), PeakMemory(device)
    check_room(config, device)
    memory.reset()
    begun = _now(device)
    base = random_base(config, device, args.seed)
    stored = sum(p.numel() * p.element_size() for p in base.parameters()) / GIGABYTE
    building = Building(round(_now(device) - begun, 3), base.num_parameters(), round(stored, 3), memory.gigabytes())
    model = with_lora(base)
    training = train(model, args, memory)
    asking = ask(for_inference(model), args, memory)
    hardware = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    record = record_of(args) | {
        "device": hardware,
        "compute_dtype": str(four_bit().bnb_4bit_compute_dtype),
        "bitsandbytes": bnb.__version__,
        "building": asdict(building),
        "training": asdict(training),
        "pipeline": asdict(asking),
    }
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps({k: record[k] for k in ("device", "building", "training", "pipeline")}, indent=1))


if __name__ == "__main__":
    try:
        main(HfArgumentParser(SystemsArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
