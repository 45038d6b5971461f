"""Read an adapter's files and hold them against a base's configuration, without loading any weights.

Comes in: an adapter folder, a base configuration. Goes out: what fits and what does not, and how many parameters each
has. Knows nothing about repositories.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from koqas.koqas_types import KoQasError

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class AdapterFit:
    """How an adapter's tensors meet a base; names are those of the file.

    Args:
        base_parameters (`int`): Parameters of the base, tied ones once.
        adapter_parameters (`int`): Numbers in the adapter's file.
        missing (`tuple[str, ...]`): Tensors that this base needs and the file does not have.
        unexpected (`tuple[str, ...]`): Tensors that have no place in this base.
        misshapen (`tuple[str, ...]`): Tensors of another shape.
    """

    base_parameters: int
    adapter_parameters: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def share(self) -> float:
        """Adapter parameters divided by base parameters."""
        return self.adapter_parameters / self.base_parameters

    def check(self) -> None:
        """Raise `KoQasError` where the adapter does not fit, naming the first tensor."""
        for what, names in (("없음", self.missing), ("자리 없음", self.unexpected), ("모양 다름", self.misshapen)):
            if names:
                raise KoQasError(
                    "adapter",
                    f"어댑터가 기반 모델에 맞지 않습니다({what}: {names[0]} 등 {len(names)}개).",
                    "pass the base that the adapter was trained on with --base",
                )


def adapter_settings(folder: Path) -> PeftConfig:
    """Read adapter_config.json.

    Raises:
        KoQasError: The file is missing or damaged.
    """
    path = folder / ADAPTER_CONFIG
    if not path.is_file():
        raise KoQasError("adapter", f"{ADAPTER_CONFIG}이 없습니다: {folder}", "pass the output folder of train/sft.py")
    try:
        json.loads(path.read_text("utf-8"))
        return PeftConfig.from_pretrained(str(folder))
    except (ValueError, TypeError, KeyError) as error:
        raise KoQasError(ADAPTER_CONFIG, f"파일이 손상되었습니다: {error}", "train or download it again") from error


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of an adapter's tensors from the file's header.

    Raises:
        KoQasError: The file is missing or damaged.
    """
    try:
        with safe_open(folder / ADAPTER_WEIGHTS, "pt") as weights:
            return {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise KoQasError(
            ADAPTER_WEIGHTS, f"어댑터를 읽을 수 없습니다: {error}", "train or download it again"
        ) from error


def empty_model(config: PreTrainedConfig) -> PreTrainedModel:
    """Build a model of a configuration without memory for its weights."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def fit(folder: Path, config: PreTrainedConfig) -> AdapterFit:
    """Hold an adapter against the base of a configuration.

    Raises:
        KoQasError: A file is missing or damaged, or the base has no layer that the adapter names.
    """
    settings, given = adapter_settings(folder), tensor_shapes(folder)
    model = empty_model(config)
    settings.base_model_name_or_path = model.name_or_path  # peft warns where they differ
    parameters = sum(p.numel() for p in model.parameters())
    try:
        with torch.device("meta"):
            adapted = get_peft_model(model, settings)
        expected = {k: tuple(v.shape) for k, v in get_peft_model_state_dict(adapted).items()}
    except ValueError as error:
        raise KoQasError(
            "adapter", f"어댑터가 기반 모델에 맞지 않습니다: {error}", "pass its own base with --base"
        ) from error
    return AdapterFit(
        base_parameters=parameters,
        adapter_parameters=sum(math.prod(shape) for shape in given.values()),
        missing=tuple(sorted(expected.keys() - given.keys())),
        unexpected=tuple(sorted(given.keys() - expected.keys())),
        misshapen=tuple(sorted(k for k in given.keys() & expected.keys() if given[k] != expected[k])),
    )
