"""Go on from an SFT adapter with preferences, by TRL's DPOTrainer.

    accelerate launch train/dpo.py                                                        # data_sample, minutes on a CPU
    accelerate launch train/dpo.py --config train/recipes/gem2-14b/dpo.yaml --pairs FILE  # the 14B base

Without `--config` the recipe is train/recipes/embedded/dpo.yaml. The reference is the SFT adapter itself, frozen beside the
one that learns: the base is in memory once. `dpo.json` in the output folder tells the accuracy on held-out pairs before
and after, measured as the competition's evaluator does (pair_accuracy.py).
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import AutoConfig, PreTrainedModel
from trl import DPOConfig, DPOTrainer, ModelConfig, TrlParser

from koqas.koqas_types import KoQasError
from koqas.train.loading import (
    base_dtype,
    check_hardware,
    check_vocabulary,
    float_adapter,
    load_base,
    load_tokenizer,
    settle_precision,
)
from koqas.train.pair_accuracy import preference_accuracy
from koqas.train.pairs import TokenizedPairs, held_out, read_pairs, tokenized
from koqas.train.saving import check_room, checkpoint_to_resume, save_adapter
from koqas.train.self_play import SelfPlay

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_RECIPE = ROOT / "train" / "recipes" / "embedded" / "dpo.yaml"
SAMPLE_ADAPTER = "runs/sample"  # what the bare train/sft.py leaves


@dataclass
class ScriptArguments:
    """What to learn from.

    Args:
        adapter (`str`): The SFT adapter to go on from: a folder or a hub id. Where `runs/sample` is
            not there the repository's own adapter is used, and said.
        pairs (`str`): Preference pairs (.csv, .jsonl, .parquet; see pairs.py).
        evaluation_pairs (`str`): Pairs to measure on; empty holds out a share of `pairs`.
        held_out (`float`): That share.
        self_play (`int`): Answers drawn from the SFT adapter for each pair's question; each is one more rejected answer
            against the chosen one (self_play.py).
        chat_style (`str`): `roles`, `user`, `plain` or `auto` (see `koqas_prompts.chat_format`).
        device (`str`): `cuda` refuses to start without a CUDA GPU; `any` starts everywhere.
    """

    adapter: str = SAMPLE_ADAPTER
    pairs: str = "data_sample/preference_50_public.csv"
    evaluation_pairs: str = ""
    held_out: float = 0.2
    self_play: int = 0
    chat_style: str = "auto"
    device: str = "any"


class PairTrainer(DPOTrainer):
    """DPOTrainer on pairs that are token ids already: its own tokenizing knows no data, only text."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401  (the trainer's own signature)
        return dataset


def make_parser() -> TrlParser:
    """Return the parser: recipe values are defaults, the command line overrides them, unknown keys are refused."""
    return TrlParser((ScriptArguments, DPOConfig, ModelConfig))


def main(script_args: ScriptArguments, training_args: DPOConfig, model_args: ModelConfig) -> None:
    """Load base and adapter, measure, learn, measure again, save the adapter."""
    check_hardware(script_args.device, training_args, model_args)
    given = model_args.model_name_or_path or "."
    name = str(ROOT) if given == "." else given
    chat = load_tokenizer(name, script_args.chat_style)
    longest = context_length(name, training_args.max_length)
    learned, measured = read_both(script_args)
    pairs, written = tokenized(chat, learned, longest), tokenized(chat, measured, longest)
    check_lengths(pairs, written, longest)
    precision = settle_precision(training_args, base_dtype(name))
    base = load_base(name, model_args, training_args)
    check_vocabulary(base, chat.tokenizer)
    model = with_adapter(base, script_args.adapter)
    tests = {"written": written.rows}
    if script_args.self_play:
        play = SelfPlay(model, chat, training_args, longest, script_args.self_play)
        pairs.rows.extend(tokenized(chat, play.pairs(learned), longest).rows)
        tests["self_play"] = tokenized(chat, play.pairs(measured), longest).rows
    trainer = PairTrainer(
        model=model,
        args=training_args,
        train_dataset=Dataset.from_list(pairs.rows),
        processing_class=chat.tokenizer,
    )
    network: Any = trainer.model
    float_adapter(network)
    out = Path(training_args.output_dir or "runs/dpo")
    check_room(network, out, 0 if training_args.save_strategy == "no" else (training_args.save_total_limit or 2) + 1)
    size, pad = training_args.per_device_eval_batch_size, chat.tokenizer.pad_token_id
    before = {kind: preference_accuracy(network, rows, size, pad) for kind, rows in tests.items() if rows}
    begun = time.time()
    trainer.train(resume_from_checkpoint=checkpoint_to_resume(training_args.resume_from_checkpoint, out))
    after = {kind: preference_accuracy(network, rows, size, pad) for kind, rows in tests.items() if rows}
    save_adapter(trainer, out)
    if trainer.is_world_process_zero():
        record = {
            "adapter": script_args.adapter,
            "pairs": script_args.pairs,
            "learned": len(pairs.rows),
            "shortened": pairs.shortened + written.shortened,
            "left_out": pairs.left_out + written.left_out,
            "held_out": {k: {"before": asdict(before[k]), "after": asdict(after[k])} for k in before},
            "seconds": round(time.time() - begun, 1),
            "precision": precision or training_args.mixed_precision,
            "log": trainer.state.log_history,
        }
        (out / "dpo.json").write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")
        for kind, held in before.items():
            print(f"held-out accuracy, {kind}: {held.accuracy:.3f} -> {after[kind].accuracy:.3f} ({held.pairs} pairs)")


def read_both(script_args: ScriptArguments) -> tuple[list[Any], list[Any]]:
    """Return the pairs to learn from and the pairs to measure on, which share no context.

    Raises:
        KoQasError: A file is bad (see `read_pairs`), or one of the two would be empty.
    """
    pairs = read_pairs(found(script_args.pairs))
    if not script_args.evaluation_pairs:
        learned, measured = held_out(pairs, script_args.held_out)
    else:
        measured = read_pairs(found(script_args.evaluation_pairs))
        known = {p.context for p in measured}
        learned = [p for p in pairs if p.context not in known]
    if not learned or not measured:
        raise KoQasError(
            "pairs",
            f"배울 쌍 {len(learned)}개, 잴 쌍 {len(measured)}개입니다.",
            "give more pairs, or change --held_out",
        )
    return learned, measured


def context_length(name: str, asked: int | None) -> int:
    """Return the tokens of a pair's longest sequence.

    Raises:
        KoQasError: More is asked for than the base can read.
    """
    context = getattr(AutoConfig.from_pretrained(name), "max_position_embeddings", None)
    if context and asked and asked > context:
        raise KoQasError(
            "max_length",
            f"{asked} 토큰은 기반 모델의 문맥 {context} 토큰보다 깁니다.",
            f"use --max_length {context}",
        )
    return asked or context or 1024


def check_lengths(learned: TokenizedPairs, measured: TokenizedPairs, longest: int) -> None:
    """Tell how many pairs there are, and how many did not fit as they were.

    Raises:
        KoQasError: Not one pair is left on either side.
    """
    for name, side in (("to learn from", learned), ("to measure on", measured)):
        print(f"{len(side.rows)} pairs {name}: {side.shortened} shortened, {side.left_out} left out (too long)")
        if not side.rows:
            raise KoQasError(
                "max_length", f"{longest} 토큰에 들어가는 쌍이 없습니다.", "raise --max_length, or shorten the answers"
            )


def found(path: str) -> Path:
    """Return a path as given, or inside the repository."""
    return Path(path) if Path(path).exists() else ROOT / path


def with_adapter(base: PreTrainedModel, adapter: str) -> PeftModel:
    """Put a trainable SFT adapter on the base; the trainer adds a frozen copy of it as the reference.

    Raises:
        KoQasError: The adapter does not fit the base, or there is none.
    """
    folder = adapter
    if adapter == SAMPLE_ADAPTER and not Path(adapter).is_dir():
        folder = os.fspath(ROOT)
        print(f"no adapter at {adapter}: going on from the repository's own")
    try:
        model = PeftModel.from_pretrained(base, folder, is_trainable=True)
    except (ValueError, RuntimeError, OSError) as error:
        raise KoQasError(
            "adapter",
            f"어댑터를 기반 모델에 얹을 수 없습니다: {folder}",
            f"run train/sft.py first; {str(error)[:200]}",
        ) from error
    # The repository's adapter names the hub id of its base; this one was trained on the base that lies here.
    model.peft_config["default"].base_model_name_or_path = base.name_or_path
    return model


if __name__ == "__main__":
    if "--config" not in sys.argv:
        sys.argv += ["--config", os.fspath(DEFAULT_RECIPE)]
    try:
        main(*make_parser().parse_args_and_config())
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
