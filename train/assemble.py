"""Assemble the repository's model files from a base, an adapter and a tokenizer.

    python train/assemble.py --base runs/base --adapter runs/sft --tokenizer runs/tokenizer --out .

Weights are stored in bfloat16 (base) and float32 (adapter). config.json gets `custom_pipelines`, which makes
`pipeline("ko-qas", model=…, trust_remote_code=True)` find the code, and the `koqas` block of settings. The adapter's
`base_model_name_or_path` must be the repository's own id (transformers replaces a hub id by it).
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, HfArgumentParser

CUSTOM_PIPELINES = {"ko-qas": {"impl": "koqas_pipeline.KoQasPipeline", "pt": ["AutoModelForCausalLM"], "type": "text"}}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


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
    model.config.koqas = settings
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


if __name__ == "__main__":
    main(HfArgumentParser(AssembleArguments).parse_args_into_dataclasses()[0])
