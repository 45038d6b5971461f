"""Load the models of a repository: complete (base and adapter in one place) or thin (the base lies elsewhere).

Comes in: a folder or hub id. Goes out: model and tokenizer. Knows nothing about what the pipeline does with them.
"""

import json
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from .koqas_repository import check_files, repository_file
from .koqas_types import KoQasError

AUTO_CLASS = "AutoModelForCausalLM"
# What transformers passes to a remote class, about this repository and not about the base.
OWN_ARGUMENTS = ("trust_remote_code", "adapter_kwargs", "_from_auto", "_commit_hash", "code_revision")


@dataclass(frozen=True)
class LoadedParts:
    """The models of a repository."""

    model: Any
    tokenizer: Any


def load_parts(repository: str) -> LoadedParts:
    """Load model and tokenizer of a repository, complete or thin.

    Raises:
        KoQasError: A file is damaged (named) or the repository cannot be loaded.
    """
    check_files(repository)
    try:
        tokenizer = AutoTokenizer.from_pretrained(repository)
        if is_thin(repository):
            model = KoQasThinModel.from_pretrained(repository, config=AutoConfig.from_pretrained(repository))
        else:
            model = AutoModelForCausalLM.from_pretrained(repository)
    except KoQasError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise KoQasError(
            "model", f"저장소를 읽을 수 없습니다: {repository} ({error})", "pass a whole repository folder or a hub id"
        ) from error
    return LoadedParts(model, tokenizer)


def is_thin(repository: str) -> bool:
    """Tell whether a repository's config.json names our loader."""
    path = repository_file(repository, "config.json")
    config = json.loads(path.read_text("utf-8")) if path else {}
    return str((config.get("auto_map") or {}).get(AUTO_CLASS, "")).endswith(KoQasThinModel.__name__)


def check_adapter(model: Any, block: dict[str, Any]) -> None:  # noqa: ANN401
    """Refuse a base alone where config.json says that an adapter belongs to it.

    Raises:
        KoQasError: The adapter was not loaded, as happens silently when adapter_config.json is missing.
    """
    attached = isinstance(model, PeftModel) or bool(getattr(model, "_hf_peft_config_loaded", False))
    if block.get("adapter") and not attached:
        raise KoQasError(
            "adapter_config.json",
            "이 저장소에는 어댑터가 있어야 하는데 기반 모델만 불러왔습니다.",
            "download the repository again, or set koqas.adapter to false in config.json to use the base alone",
        )


def four_bit() -> BitsAndBytesConfig:
    """Return NF4 with double quantization (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314).

    Computes in bfloat16 where the hardware does, else in float16 (CUDA) or float32 (CPU).
    """
    on_cuda = torch.cuda.is_available()
    whole = torch.float16 if on_cuda else torch.float32
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if on_cuda and torch.cuda.is_bf16_supported() else whole,
    )


class KoQasThinModel:
    """Loader of a *thin* repository: the base model lies in another repository, the adapter in this one.

    Named by `auto_map` in config.json. The base id is `koqas.base_model` of the configuration, its commit
    `koqas.base_revision`; on CUDA it is loaded in 4-bit NF4.
    """

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = None) -> None:  # noqa: ANN401
        """Accept the registration that the auto classes make; the loaded model is a class of its own."""

    @classmethod
    def from_pretrained(cls, name: str, *args: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        """Load the base, then the adapter of the repository `name`.

        Raises:
            KoQasError: config.json does not name a base, or the adapter does not fit.
        """
        block = dict(getattr(config, "koqas", None) or {})
        if not block.get("base_model"):
            raise KoQasError(
                "config.json: koqas.base_model", "기반 모델이 적혀 있지 않습니다.", "publish the repository again"
            )
        for key in OWN_ARGUMENTS:
            kwargs.pop(key, None)
        revision = kwargs.pop("revision", None)  # a commit of this repository, which the base's does not have
        if torch.cuda.is_available() and "quantization_config" not in kwargs:
            kwargs["quantization_config"] = four_bit()
        base = AutoModelForCausalLM.from_pretrained(block["base_model"], revision=block.get("base_revision"), **kwargs)
        base.config.koqas = block  # the base may be a repository of ours with settings of its own
        try:
            return PeftModel.from_pretrained(base, name, revision=revision)
        except (ValueError, RuntimeError, OSError, SafetensorError) as error:
            raise KoQasError(
                "adapter_model.safetensors", f"어댑터를 읽을 수 없습니다: {error}", "download the repository again"
            ) from error
