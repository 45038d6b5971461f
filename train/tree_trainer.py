"""Train on prompt trees with TRL's SFTTrainer: the collator, the loss and the dataset of trees.

Comes in: packed `PromptTree`s. Goes out: a trainer. The loss is that of one row for every label and answer, at a
fraction of the tokens (see trees.py). Needs a 4-D attention mask, so trees are for bases that train with `sdpa`.
"""

from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel
from trl import ModelConfig, SFTConfig, SFTTrainer

from koqas.koqas_prompts import ChatFormat
from koqas.train.loading import lora_config
from koqas.train.trees import PromptTree, TreeTotals, collate, needs_logits, tree_loss, tree_totals

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
        own, world = tree_totals(inputs), self.accelerator.num_processes
        # Processes average their gradients: divided by the totals of all and multiplied by their number, it is the
        # loss of one process with the whole batch, though some hold more targets than others.
        shared = TreeTotals(*(self.accelerator.reduce(t.float(), "sum") for t in (own.weights, own.choices)))
        totals = TreeTotals(shared.weights / world, shared.choices / world) if model.training else own
        loss = tree_loss(head(outputs.hidden_states[-1][needs_logits(inputs)]), self.label_ids, inputs, totals)
        return (loss, outputs) if return_outputs else loss


def tree_dataset(trees: list[PromptTree]) -> Dataset:
    """Store packed trees as a dataset with one row for each sequence."""
    columns = {name: [getattr(t, name) for t in trees] for name in COLUMNS}
    return Dataset.from_dict(columns | {"length": [len(t.input_ids) for t in trees]})


def tree_trainer(
    model: PreTrainedModel,
    chat: ChatFormat,
    trees: list[PromptTree],
    training_args: SFTConfig,
    model_args: ModelConfig,
) -> TreeTrainer:
    """Return a trainer of packed trees."""
    training_args.remove_unused_columns = False
    training_args.dataset_kwargs = {"skip_prepare_dataset": True}
    training_args.gradient_checkpointing = False
    trainer = TreeTrainer(
        model=model,
        args=training_args,
        train_dataset=tree_dataset(trees),
        processing_class=chat.tokenizer,
        data_collator=TreeCollator(chat.tokenizer.pad_token_id),
        peft_config=lora_config(model_args),
    )
    trainer.label_ids = chat.label_ids()
    return trainer
