"""Train a Ko-QAS adapter with TRL's SFTTrainer.

    accelerate launch train/sft.py                                                          # data_sample, minutes on a CPU
    accelerate launch train/sft.py --config train/recipes/embedded/sft.yaml --data DIR      # the embedded adapter
    accelerate launch train/sft.py --config train/recipes/gem2-14b/sft.yaml --rows FILE     # QLoRA of the 14B base

Without `--config` the recipe is train/recipes/embedded/sample.yaml. Rows take one of two layouts: `trees` (trees.py: many
questions share a passage, for the embedded base) or `completions` (completions.py: one question a row, for any base).
"""

import dataclasses
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_ranker import RANKER_FILE, Ranker
from koqas.koqas_types import KoQasError
from koqas.train.completions import Mixture, completion_dataset, completions
from koqas.train.loading import (
    base_dtype,
    check_hardware,
    check_vocabulary,
    float_adapter,
    load_base,
    load_tokenizer,
    lora_config,
    settle_precision,
)
from koqas.train.long_answers import read_long_answers
from koqas.train.rows import csv_trees, written_trees
from koqas.train.saving import check_room, checkpoint_to_resume, save_adapter
from koqas.train.tree_trainer import tree_trainer
from koqas.train.trees import pack

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_RECIPE = ROOT / "train" / "recipes" / "embedded" / "sample.yaml"
LAYOUTS = ("trees", "completions")


@dataclass
class ScriptArguments:
    """What to train on.

    Args:
        rows (`str`): `written` (the written questions in `data`), or the path of a CSV with the columns Context,
            Question, Summary, Answer; `completions` also take rows of the data factory (.parquet, .jsonl).
        layout (`str`): `trees` or `completions`.
        data (`str`): Folder of the corpora, for `rows=written`.
        chat_style (`str`): `roles`, `user`, `plain` or `auto` (see `koqas_prompts.chat_format`).
        device (`str`): `cuda` refuses to start without a CUDA GPU; `any` starts everywhere.
        longest (`int`): Trees: longest tree in tokens; longer ones are left out.
        packed (`int`): Trees are planted side by side up to so many tokens. Attention runs over the whole sequence,
            so on a CPU short sequences grouped by length are faster than full ones.
        copies (`int`): Trees: draws of negatives for each written passage.
        docquest (`float`): Completions: DocQuest judgements mixed in for each long answer, on average.
        first_pass (`float`): Completions: first-pass judgements for each long answer, on average.
        citations (`bool`): Completions: summary sentences end in the number of their passage.
    """

    rows: str = "data_sample/LongAnswer_100_public.csv"
    layout: str = field(default="trees", metadata={"choices": LAYOUTS})
    data: str = ""
    chat_style: str = "auto"
    device: str = field(default="any", metadata={"choices": ("any", "cuda")})
    longest: int = 1024
    packed: int = 1024
    copies: int = field(default=1, metadata={"help": "draws of negatives for each written passage"})
    docquest: float = 0.0
    first_pass: float = 0.0
    citations: bool = True


@dataclass
class Prepared:
    """A trainer with its rows, and what the record says about them."""

    trainer: SFTTrainer
    described: dict[str, Any]


def make_parser() -> TrlParser:
    """Return the parser: recipe values are defaults, the command line overrides them, unknown keys are refused."""
    return TrlParser((ScriptArguments, SFTConfig, ModelConfig))


def main(script_args: ScriptArguments, training_args: SFTConfig, model_args: ModelConfig) -> None:
    """Load the base, build rows, train, save the adapter."""
    check_hardware(script_args.device, training_args, model_args)
    given = model_args.model_name_or_path or "."
    name = str(ROOT) if given == "." else given
    chat = load_tokenizer(name, script_args.chat_style)
    precision = settle_precision(training_args, base_dtype(name))
    model = load_base(name, model_args, training_args)
    check_vocabulary(model, chat.tokenizer)
    prepare = prepare_trees if script_args.layout == "trees" else prepare_completions
    prepared = prepare(script_args, training_args, model_args, model, chat)
    trainer, out = prepared.trainer, Path(training_args.output_dir or "runs/sft")
    network: Any = trainer.model  # now with the adapter
    float_adapter(network)
    check_room(network, out, 0 if training_args.save_strategy == "no" else (training_args.save_total_limit or 2) + 1)
    resume = checkpoint_to_resume(training_args.resume_from_checkpoint, out)
    begun = time.time()
    trainer.train(resume_from_checkpoint=resume)
    save_adapter(trainer, out)
    if not trainer.is_world_process_zero():
        return
    record = {
        "rows": script_args.rows,
        **prepared.described,
        "seconds": round(time.time() - begun, 1),
        "precision": precision or training_args.mixed_precision,
        "processes": training_args.world_size,
        "resumed": os.path.basename(resume) if resume else None,
        "arguments": {
            k: v for k, v in dataclasses.asdict(model_args).items() if isinstance(v, (str, int, float, list))
        },
        "log": trainer.state.log_history,
    }
    (out / "sft.json").write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")


def rows_path(rows: str) -> Path:
    """Return the path of the rows: as given, or inside the repository."""
    path = Path(rows)
    return path if path.exists() else ROOT / path


def prepare_trees(
    script_args: ScriptArguments,
    training_args: SFTConfig,
    model_args: ModelConfig,
    model: PreTrainedModel,
    chat: ChatFormat,
) -> Prepared:
    """Build prompt trees and their trainer."""
    seed = training_args.seed
    if script_args.rows == "written":
        if not script_args.data:
            raise KoQasError("data", "rows=written에는 말뭉치 폴더가 필요합니다.", "pass --data DIR")
        ranker = Ranker.from_file(ROOT / RANKER_FILE)
        trees = written_trees(Path(script_args.data), chat, ranker, script_args.longest, seed, script_args.copies)
    else:
        trees = csv_trees(rows_path(script_args.rows), chat, script_args.longest, seed)
    trees = pack(trees, script_args.packed)
    tokens = sum(len(t.input_ids) for t in trees) * training_args.num_train_epochs
    trainer = tree_trainer(model, chat, trees, training_args, model_args)
    return Prepared(trainer, {"sequences": len(trees), "tokens": int(tokens)})


def prepare_completions(
    script_args: ScriptArguments,
    training_args: SFTConfig,
    model_args: ModelConfig,
    model: PreTrainedModel,
    chat: ChatFormat,
) -> Prepared:
    """Build flat rows that fit the context, tell their lengths, and make their trainer.

    Packed or padding-free rows do not see each other: their positions begin anew, from which transformers makes a
    block-diagonal mask (`sdpa`, `eager`) or FlashAttention its sequence bounds.
    """
    context = getattr(model.config, "max_position_embeddings", None)
    longest = training_args.max_length or context or 4096
    if context and longest > context:
        raise KoQasError(
            "max_length",
            f"{longest} 토큰은 기반 모델의 문맥 {context} 토큰보다 깁니다.",
            f"use --max_length {context}",
        )
    mixture = Mixture(script_args.docquest, script_args.first_pass, script_args.citations, longest, training_args.seed)
    made, lengths = completions(chat, read_long_answers(rows_path(script_args.rows)), mixture)
    print(lengths.told())
    if not training_args.packing:
        training_args.max_length = None  # rows fit already; TRL asks for it with padding_free
    trainer = SFTTrainer(
        model=model,
        args=training_args,
        train_dataset=completion_dataset(made),
        processing_class=chat.tokenizer,
        peft_config=lora_config(model_args),
    )
    sequences: Any = trainer.train_dataset
    tokens = int(lengths.tokens * training_args.num_train_epochs)
    return Prepared(trainer, {"lengths": asdict(lengths), "sequences": len(sequences), "tokens": tokens})


if __name__ == "__main__":
    if "--config" not in sys.argv:
        sys.argv += ["--config", os.fspath(DEFAULT_RECIPE)]
    main(*make_parser().parse_args_and_config())
