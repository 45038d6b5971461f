"""Make a model of the 14B base's shape with random NF4 weights, piece by piece.

One matrix is drawn on the device, quantized and dropped before the next: the peak is the 4-bit model and one matrix.
"""

from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel
from transformers.integrations.bitsandbytes import replace_with_bnb_linear

from koqas.koqas_loading import four_bit
from koqas.koqas_types import KoQasError

GIGABYTE = 2**30
HEAD_WIDTH = 128
VOCABULARY = 84_608
# vaiv/GeM2-Llamion-14B-Chat, from its config.json: 14,498,288,640 parameters.
LLAMION: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 5120,
    "intermediate_size": 15_360,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SHRUNK = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")


def shape(scale: int) -> LlamaConfig:
    """Return Llamion's configuration, width and depth divided.

    Heads keep their width of 128, so the number of heads is that of the hidden size.

    Raises:
        KoQasError: The division leaves no head or no layer.
    """
    shrunk = {name: LLAMION[name] // scale for name in SHRUNK} if scale >= 1 else {}
    if not shrunk or min(shrunk.values()) < 1 or shrunk["hidden_size"] % HEAD_WIDTH:
        raise KoQasError(
            "scale", f"이 배율로는 줄일 수 없습니다: {scale}", "use a divisor of 40, such as 1, 10, 20 or 40"
        )
    return LlamaConfig(**{**LLAMION, **shrunk})


def check_room(config: LlamaConfig, device: torch.device) -> None:
    """Refuse a model that cannot fit before making it.

    Raises:
        KoQasError: The GPU has less free memory than the 4-bit weights need, or there is no GPU for a large model.
    """
    embeddings = 2 * config.vocab_size * config.hidden_size
    layer = 4 * config.hidden_size**2 + 3 * config.hidden_size * config.intermediate_size
    needed = 2 * embeddings + 0.52 * layer * config.num_hidden_layers  # 4 bits and the constants of each block of 64
    free = torch.cuda.mem_get_info()[0] if device.type == "cuda" else 4 * GIGABYTE
    if needed > free:
        raise KoQasError(
            "scale",
            f"가중치에 {needed / GIGABYTE:.1f}GB가 필요합니다({device.type}).",
            "use a GPU with 24 GB or more, or --scale 20",
        )


def random_base(config: LlamaConfig, device: torch.device, seed: int) -> PreTrainedModel:
    """Make a base with random weights: linear layers in NF4, embeddings and head in the compute dtype.

    One matrix at a time is drawn on the device, quantized and dropped, so the peak is the 4-bit model and one matrix.
    """
    quantization = four_bit()
    dtype = quantization.bnb_4bit_compute_dtype
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    replace_with_bnb_linear(model, ["lm_head"], quantization)
    generator = torch.Generator(device).manual_seed(seed)

    def draw(rows: int, columns: int) -> torch.Tensor:
        noise = torch.randn(rows, columns, generator=generator, device=device, dtype=dtype)
        return noise.mul_(config.initializer_range)

    for module in tqdm([m for m in model.modules() if isinstance(m, bnb.nn.Linear4bit)], desc="NF4", unit="matrix"):
        module.weight = bnb.nn.Params4bit(
            draw(module.out_features, module.in_features),
            requires_grad=False,
            quant_type=quantization.bnb_4bit_quant_type,
            compress_statistics=quantization.bnb_4bit_use_double_quant,
            module=module,
        ).to(device)  # type: ignore[misc]
        module.compute_dtype = dtype
    for name, weight in list(model.named_parameters()):
        if weight.is_meta:
            parent, _, last = name.rpartition(".")
            value = draw(*weight.shape) if weight.dim() == 2 else torch.ones(weight.shape, device=device, dtype=dtype)
            setattr(model.get_submodule(parent), last, nn.Parameter(value, requires_grad=False))
    rotary = type(model.get_submodule("model.rotary_emb"))(config)  # its tables are computed, not stored
    model.set_submodule("model.rotary_emb", rotary.to(device))
    model.is_loaded_in_4bit, model.is_quantized, model.quantization_method = True, True, "bitsandbytes"
    return model.eval()
