"""Put a base's weights into a repository: none, as they are, with the adapter merged in, or in 4-bit NF4.

Comes in: a base (folder or hub id) and an adapter folder. Goes out: files. Knows nothing about cards or code.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedConfig

from koqas.koqas_hub import is_repo_id
from koqas.koqas_saving import write_base
from koqas.koqas_types import KoQasError
from koqas.train.publishing.adapters import ADAPTER_CONFIG

BaseWeights = Literal["none", "plain", "merged", "nf4"]
SMALL_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]


@dataclass(frozen=True)
class Base:
    """A base model: its files in a local folder, and where others find it.

    Args:
        folder (`Path`): Folder with config.json, perhaps weights and tokenizer.
        id (`str`): Hub id; empty for a base that is only local.
        revision (`str`): Commit of the hub repository, empty where unknown.
    """

    folder: Path
    id: str
    revision: str = ""

    @property
    def config(self) -> PreTrainedConfig:
        """The base's configuration."""
        return AutoConfig.from_pretrained(self.folder)

    @property
    def quantized(self) -> bool:
        """Whether the stored weights are quantized already."""
        return getattr(self.config, "quantization_config", None) is not None

    @property
    def has_adapter(self) -> bool:
        """Whether an adapter lies beside the base, as in a complete repository."""
        return (self.folder / ADAPTER_CONFIG).is_file()


def find_base(name: str, known_as: str, *, with_weights: bool) -> Base:
    """Find a base in a folder, or download it from the hub.

    Args:
        name (`str`): Folder or hub id, `id@revision` for a certain commit.
        known_as (`str`): Hub id of a base that is given as a folder; may be empty.
        with_weights (`bool`): Whether the weights are needed here.

    Raises:
        KoQasError: Neither a folder with config.json nor a repository that can be reached.
    """
    if (Path(name) / "config.json").is_file():
        return Base(Path(name), known_as)
    repo_id, _, revision = name.partition("@")
    if not is_repo_id(repo_id):
        raise KoQasError("base", f"기반 모델이 없습니다: {name}", "pass --base FOLDER or --base org/name")
    wanted = SMALL_FILES + (["*.safetensors"] if with_weights else [])
    try:
        folder = Path(snapshot_download(repo_id, revision=revision or None, allow_patterns=wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise KoQasError(
            "base", f"기반 모델을 허브에서 받을 수 없습니다: {name}", f"{type(error).__name__}; check id and network"
        ) from error
    return Base(folder, known_as or repo_id, folder.name)  # a snapshot's folder is called as its commit


@contextmanager
def bare(base: Base) -> Iterator[Path]:
    """Give a folder with the base alone: transformers would attach an adapter that lies beside it."""
    if not base.has_adapter:
        yield base.folder
        return
    with tempfile.TemporaryDirectory(prefix="koqas-base-") as place:
        for path in base.folder.iterdir():
            if path.is_file() and not path.name.startswith("adapter_"):
                (Path(place) / path.name).symlink_to(path.resolve())
        yield Path(place)


def write_weights(kind: BaseWeights, base: Base, adapter: Path, folder: Path) -> None:
    """Write config.json, generation_config.json and the weights, if any.

    Raises:
        KoQasError: The base has no safetensors weights, or is quantized and shall be merged.
    """
    if kind != "none" and not any(base.folder.glob("*.safetensors")):
        raise KoQasError(
            "base", f"safetensors 가중치가 없습니다: {base.folder}", "pass --base_weights none, or convert it"
        )
    if kind == "merged" and base.quantized:
        raise KoQasError(
            "base_weights", "양자화된 기반에는 합칠 수 없습니다.", "pass the unquantized base with --base"
        )
    if kind in ("none", "plain") or (kind == "nf4" and base.quantized):
        copy_base(base, folder, with_weights=kind != "none")
        return
    with bare(base) as place:
        write_base(_merged(place, adapter) if kind == "merged" else _quantized(place), folder)


def copy_base(base: Base, folder: Path, *, with_weights: bool) -> None:
    """Copy configuration and weights, byte for byte."""
    patterns = ["config.json", "generation_config.json"]
    patterns += ["model*.safetensors", "model.safetensors.index.json"] if with_weights else []
    for pattern in patterns:
        for path in sorted(base.folder.glob(pattern)):
            shutil.copyfile(path, folder / path.name)


def _merged(place: Path, adapter: Path) -> Any:  # noqa: ANN401
    model = AutoModelForCausalLM.from_pretrained(place, dtype="auto")
    merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    for name in ("_hf_peft_config_loaded", "peft_config"):
        vars(merged).pop(name, None)
    return merged


def _quantized(place: Path) -> Any:  # noqa: ANN401
    # The compute dtype is stored with the weights and used wherever they are loaded, so it is not this machine's.
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    # Embeddings and head stay unquantized, and in float32 they would outweigh everything else.
    return AutoModelForCausalLM.from_pretrained(
        place, quantization_config=settings, dtype=torch.bfloat16, device_map="auto"
    )
