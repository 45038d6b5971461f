"""Measure QLoRA and the pipeline at the size of the 14B base, with random weights, on whatever machine this is.

    python train/systems.py                                         # Llamion's shape: a CUDA GPU with 24 GB or more
    python train/systems.py --scale 20 --out runs/systems.json      # a twentieth of width and depth: a CPU does

Time and memory do not depend on what the weights say. They are made one matrix at a time, quantized to NF4 and forgotten:
no 16-bit copy of the model ever exists. Records peak memory and tokens per second of training with the seed's LoRA
settings, and the pipeline's latency, with how and where they were measured. Each stage is recorded as it ends, so a
record without its last stages is of a run that was cut off.
"""

import json
import statistics
import sys
import time
from dataclasses import dataclass
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
from koqas.train.random_base import GIGABYTE, VOCABULARY, check_room, random_base, shape
from koqas.train.systems_record import Asking, Building, PeakMemory, Record, Training

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
    rate, first, last = round(tokens / seconds, 1), round(losses[0], 4), round(losses[-1], 4)
    return Training(count, tokens, round(seconds, 3), rate, memory.gigabytes(), memory.reserved(), first, last)


def ask(model: nn.Module, args: SystemsArguments, memory: PeakMemory) -> Asking:
    """Ask questions with the whole pipeline: retrieval, first pass, DocQuest, summary and answer."""
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    limits: dict[str, Any] = {"threshold": 0.0, "first_pass_threshold": 0.0, "max_new_tokens": args.new_tokens}
    qa = KoQasPipeline(model, tokenizer, documents=args.documents, grounding="cited", **limits)
    lines = (ROOT / "data_sample" / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    memory.reset()
    qa(questions[0])
    seconds, parts = [], []
    for number in tqdm(range(args.questions), desc="pipeline", unit="question"):
        begun = _now(qa.device)
        result = qa(questions[(number + 1) % len(questions)])
        seconds.append(_now(qa.device) - begun)
        parts.append(result["timings"])
    return Asking(
        questions=args.questions,
        median_seconds=round(statistics.median(seconds), 3),
        longest_seconds=round(max(seconds), 3),
        retrieval_seconds=round(statistics.median(p["retrieval"] for p in parts), 3),
        judgement_seconds=round(statistics.median(p["judgement"] for p in parts), 3),
        generation_seconds=round(statistics.median(p["generation"] for p in parts), 3),
        most_new_tokens=2 * args.new_tokens,
        peak_gb=memory.gigabytes(),
    )


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
    config, memory, record = shape(args.scale), PeakMemory(device), Record(args, args.out, device)
    check_room(config, device)
    memory.reset()
    begun = _now(device)
    base = random_base(config, device, args.seed)
    stored = sum(p.numel() * p.element_size() for p in base.parameters()) / GIGABYTE
    seconds = round(_now(device) - begun, 3)
    record.add("building", Building(seconds, base.num_parameters(), round(stored, 3), memory.gigabytes()))
    model = with_lora(base)
    record.add("training", train(model, args, memory))
    record.add("pipeline", ask(for_inference(model), args, memory))


if __name__ == "__main__":
    try:
        main(HfArgumentParser(SystemsArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
