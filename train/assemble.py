"""Assemble the repository's model files from a base, an adapter and a tokenizer, with their provenance.

    python train/assemble.py --base runs/base --adapter runs/sft --tokenizer runs/tokenizer --out .

Weights are stored in bfloat16 (base) and float32 (adapter). config.json gets `custom_pipelines`, which makes
`pipeline("ko-qas", model=…, trust_remote_code=True)` find the code, and the `koqas` block of settings. The adapter's
`base_model_name_or_path` must be the repository's own id (transformers replaces a hub id by it). results/weights.json
says how every weight file came about: its hash, the arguments and the end of its training; the loss curves go beside it.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, HfArgumentParser

from koqas.koqas_saving import CUSTOM_PIPELINES
from koqas.train.provenance import record_of

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
WEIGHT_FILES = ("model.safetensors", "adapter_model.safetensors", "ranker.safetensors", "retriever/model.safetensors")


@dataclass
class AssembleArguments:
    """Where the parts are.

    Args:
        base (`str`): Folder of the base model.
        adapter (`str`): Folder of the LoRA adapter.
        tokenizer (`str`): Folder of the tokenizer.
        out (`str`): Repository folder.
        repo_id (`str`): Hub id the repository will have.
    """

    base: str = "runs/base"
    adapter: str = "runs/sft"
    tokenizer: str = "runs/tokenizer"
    out: str = "."
    repo_id: str = "ko-qas/ko-qas-embedded"


def main(args: AssembleArguments) -> None:
    """Write all model files into the repository folder."""
    out = Path(args.out)
    model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.bfloat16)
    settings = json.loads((Path(__file__).parent / "recipes" / "embedded" / "settings.json").read_text("utf-8"))
    model.config.custom_pipelines = CUSTOM_PIPELINES
    model.config.koqas = settings | {"adapter": True}
    # CPU inference in bfloat16 is slow without AMX, so the weights are small on disk and float32 in memory.
    model.save_pretrained(out)
    config = json.loads((out / "config.json").read_text("utf-8")) | {"dtype": "float32"}
    (out / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", "utf-8")
    shutil.copy(Path(args.adapter) / "adapter_model.safetensors", out)
    adapter = json.loads((Path(args.adapter) / "adapter_config.json").read_text("utf-8"))
    adapter["base_model_name_or_path"] = args.repo_id
    (out / "adapter_config.json").write_text(json.dumps(adapter, ensure_ascii=False, indent=2) + "\n", "utf-8")
    for name in TOKENIZER_FILES:
        shutil.copy(Path(args.tokenizer) / name, out)
    write_provenance(args, out)


def write_provenance(args: AssembleArguments, out: Path) -> None:
    """Copy the loss curves to results/ and record the weight files."""
    results = out / "results"
    results.mkdir(exist_ok=True)
    shutil.copy(Path(args.base) / "loss.jsonl", results / "base_loss.jsonl")
    shutil.copy(Path(args.adapter) / "sft.json", results / "sft.json")
    trained = json.loads((Path(args.adapter) / "sft.json").read_text("utf-8"))
    record = record_of(args) | {
        "files": {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in WEIGHT_FILES if (out / n).is_file()},
        "base": {
            "command": "python train/base.py",
            "arguments": public(json.loads((Path(args.base) / "arguments.json").read_text("utf-8"))),
            "progress": json.loads((Path(args.base) / "progress.json").read_text("utf-8")),
        },
        "adapter": {
            "command": "accelerate launch train/sft.py --config train/recipes/embedded/sft.yaml",
            "recipe": (Path(__file__).parent / "recipes" / "embedded" / "sft.yaml").read_text("utf-8"),
            "sequences": trained["sequences"],
            "seconds": trained["seconds"],
        },
    }
    (results / "weights.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")


def public(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out where the corpora lay on the machine of the training."""
    return {k: v for k, v in arguments.items() if k != "data"}


if __name__ == "__main__":
    main(HfArgumentParser(AssembleArguments).parse_args_into_dataclasses()[0])
