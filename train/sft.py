"""Train the Ko-QAS adapter with TRL's SFTTrainer.

    accelerate launch train/sft.py                                                          # data_sample, minutes on a CPU
    accelerate launch train/sft.py --config train/recipes/embedded/sft.yaml --data DIR      # the embedded adapter

Without `--config` the recipe is train/recipes/embedded/sample.yaml. Rows are prompt trees (see trees.py): the loss
is that of one row for every label and answer, at a fraction of the tokens.
"""

import dataclasses
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser

from koqas.koqas_prompts import chat_format
from koqas.koqas_ranker import RANKER_FILE, Ranker
from koqas.koqas_types import KoQasError
from koqas.train.rows import csv_trees, written_trees
from koqas.train.trees import PromptTree, collate, needs_logits, pack, tree_loss

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_RECIPE = ROOT / "train" / "recipes" / "embedded" / "sample.yaml"


@dataclass
class ScriptArguments:
    """What to train on.

    Args:
        rows (`str`): `written` (the written questions in `data`) or the path of a CSV with the columns Context,
            Question, Summary, Answer.
        data (`str`): Folder of the corpora, for `rows=written`.
        longest (`int`): Longest tree in tokens; longer ones are left out.
        packed (`int`): Trees are planted side by side up to so many tokens. Attention runs over the whole sequence,
            so on a CPU short sequences grouped by length are faster than full ones.
        copies (`int`): Draws of negatives for each written passage.
        chat_style (`str`): `roles`, `user`, `plain` or `auto` (see `koqas_prompts.chat_format`).
    """

    rows: str = "data_sample/LongAnswer_100_public.csv"
    data: str = ""
    longest: int = 1024
    packed: int = 1024
    copies: int = field(default=1, metadata={"help": "draws of negatives for each written passage"})
    chat_style: str = "auto"


COLUMNS = ("input_ids", "positions", "targets", "weights", "branches", "choices", "right", "parents", "lengths")


class TreeCollator:
    """Rebuild trees from dataset rows and pad them to a batch; see `trees.collate`."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the tensors of `collate`."""
        return collate([PromptTree(**{name: r[name] for name in COLUMNS}) for r in rows], self.pad)


class TreeTrainer(SFTTrainer):
    """SFTTrainer whose loss is that of prompt trees: targets where a token is predicted, choices among candidates."""

    label_ids: tuple[int, int]

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> Any:  # noqa: ANN401  (the trainer's own signature)
        """Return the loss, and the outputs if asked; logits are computed only where they are needed."""
        outputs = model(
            input_ids=inputs["input_ids"],
            position_ids=inputs["position_ids"],
            attention_mask=inputs["attention_mask"],
            use_cache=False,
            output_hidden_states=True,
            logits_to_keep=1,
        )
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        loss = tree_loss(head(outputs.hidden_states[-1][needs_logits(inputs)]), self.label_ids, inputs)
        return (loss, outputs) if return_outputs else loss


def tree_dataset(trees: list[PromptTree]) -> Dataset:
    """Store packed trees as a dataset with one row for each sequence."""
    columns = {name: [getattr(t, name) for t in trees] for name in COLUMNS}
    return Dataset.from_dict(columns | {"length": [len(t.input_ids) for t in trees]})


def make_parser() -> TrlParser:
    """Return the parser: recipe values are defaults, the command line overrides them, unknown keys are refused."""
    return TrlParser((ScriptArguments, SFTConfig, ModelConfig))


def main(script_args: ScriptArguments, training_args: SFTConfig, model_args: ModelConfig) -> None:
    """Load the base, build rows, train, save the adapter."""
    given = model_args.model_name_or_path or "."
    name = str(ROOT) if given == "." else given
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = load_base(name, model_args)
    chat = chat_format(tokenizer, script_args.chat_style)
    if script_args.rows == "written":
        if not script_args.data:
            raise KoQasError("data", "rows=written에는 말뭉치 폴더가 필요합니다.", "pass --data DIR")
        ranker = Ranker.from_file(ROOT / RANKER_FILE)
        trees = written_trees(
            Path(script_args.data), chat, ranker, script_args.longest, training_args.seed, script_args.copies
        )
    else:
        path = Path(script_args.rows)
        trees = csv_trees(path if path.exists() else ROOT / path, chat, script_args.longest, training_args.seed)
    trees = pack(trees, script_args.packed)
    training_args.remove_unused_columns = False
    training_args.dataset_kwargs = {"skip_prepare_dataset": True}
    training_args.gradient_checkpointing = False
    trainer = TreeTrainer(
        model=model,
        args=training_args,
        train_dataset=tree_dataset(trees),
        processing_class=tokenizer,
        data_collator=TreeCollator(tokenizer.pad_token_id),
        peft_config=lora_config(model_args),
    )
    trainer.label_ids = chat.label_ids()
    begun = time.time()
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
    trainer.save_model(training_args.output_dir)
    tokens = sum(len(t.input_ids) for t in trees) * training_args.num_train_epochs
    record = {
        "rows": script_args.rows,
        "sequences": len(trees),
        "tokens": int(tokens),
        "seconds": round(time.time() - begun, 1),
        "arguments": {
            k: v for k, v in dataclasses.asdict(model_args).items() if isinstance(v, (str, int, float, list))
        },
        "log": trainer.state.log_history,
    }
    (Path(training_args.output_dir or "runs") / "sft.json").write_text(json.dumps(record, ensure_ascii=False, indent=1), "utf-8")


def load_base(name: str, model_args: ModelConfig) -> PreTrainedModel:
    """Load the base model alone, even where an adapter lies beside it in the same folder.

    The folder of a complete repository holds both; transformers would attach the adapter, so the weights are read
    through their configuration with adapters switched off.
    """
    dtype = getattr(torch, model_args.dtype) if model_args.dtype not in (None, "auto") else "auto"
    model = AutoModelForCausalLM.from_pretrained(
        name, dtype=dtype, attn_implementation=model_args.attn_implementation or "sdpa"
    )
    if getattr(model, "_hf_peft_config_loaded", False):
        model.delete_adapter(model.active_adapters())
        model._hf_peft_config_loaded = False
    return model


def lora_config(model_args: ModelConfig) -> LoraConfig:
    """Return the LoRA settings of a recipe."""
    return LoraConfig(
        r=model_args.lora_r,
        lora_alpha=model_args.lora_alpha,
        lora_dropout=model_args.lora_dropout,
        target_modules=model_args.lora_target_modules,
        bias="none",
        task_type="CAUSAL_LM",
    )


if __name__ == "__main__":
    if "--config" not in sys.argv:
        sys.argv += ["--config", os.fspath(DEFAULT_RECIPE)]
    main(*make_parser().parse_args_and_config())
