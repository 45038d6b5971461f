"""Load a base model for training: what the hardware allows, quantization, precision, LoRA settings.

Comes in: the arguments of a recipe. Goes out: a tokenizer, a base model without adapters, its chat format. Whatever can
be known to fail is refused here, before the first step. Knows nothing about rows or trainers.
"""

import re
from typing import Any

import torch
from accelerate import PartialState
from accelerate.logging import get_logger
from accelerate.utils import DistributedType
from huggingface_hub.errors import HfHubHTTPError
from peft import LoraConfig
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainingArguments,
)
from trl import ModelConfig

from koqas.koqas_prompts import ChatFormat, chat_format
from koqas.koqas_types import KoQasError

LITERAL = re.compile(r"<\|\w+\|>")  # how chat templates of today write their special tokens
SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)  # they place and cast the weights themselves

logger = get_logger(__name__, log_level="INFO")


def check_hardware(device: str, training_args: TrainingArguments, model_args: ModelConfig) -> None:
    """Refuse a recipe that needs CUDA where there is none.

    Raises:
        KoQasError: `device` is cuda, or fp16 or FlashAttention is asked for, on a machine without CUDA.
    """
    if torch.cuda.is_available() and not training_args.use_cpu:
        return
    reasons = {
        "device: cuda": device == "cuda",
        "fp16": training_args.fp16,
        f"attn_implementation: {model_args.attn_implementation}": "flash" in (model_args.attn_implementation or ""),
    }
    if asked := [name for name, needed in reasons.items() if needed]:
        raise KoQasError(
            "device",
            f"이 설정({', '.join(asked)})은 CUDA GPU가 있어야 하는데 여기에는 없습니다.",
            "use a GPU machine, or a smaller base with --device any --fp16 false --use_cpu true",
        )


def settle_precision(training_args: TrainingArguments, base_dtype: torch.dtype | None) -> str:
    """Change the mixed precision of a GPU run where the one asked for is not advisable, and say so.

    fp16 stays unless the base's weights are bfloat16 and the GPU computes in bfloat16: such a base has seen activations
    beyond fp16's largest number, 65504, and overflows to infinity. bf16 becomes fp16 on GPUs without it (before Ampere).

    Returns:
        `str`: What was decided, "" where nothing changed.
    """
    if not torch.cuda.is_available() or training_args.use_cpu:
        return ""
    bf16_here = torch.cuda.is_bf16_supported(including_emulation=False)
    told = ""
    if training_args.fp16 and bf16_here and base_dtype == torch.bfloat16:
        training_args.fp16, training_args.bf16, training_args.mixed_precision = False, True, "bf16"
        told = "bf16 instead of fp16: the base's weights are bfloat16, whose activations can exceed fp16's 65504"
    elif training_args.bf16 and not bf16_here:
        training_args.fp16, training_args.bf16, training_args.mixed_precision = True, False, "fp16"
        told = "fp16 instead of bf16: this GPU does not compute in bfloat16"
    if told:
        logger.info(told)
    return told


def compute_dtype(training_args: TrainingArguments) -> torch.dtype:
    """Return the dtype in which 4-bit weights are multiplied here: that of the mixed precision, float32 on a CPU."""
    if not torch.cuda.is_available() or training_args.use_cpu:
        return torch.float32
    return torch.float16 if training_args.fp16 else torch.bfloat16


def quantization(model_args: ModelConfig, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """Return the bitsandbytes settings of a recipe, or None.

    FSDP shards parameters of one float dtype only: with the default uint8 storage quantized weights would be left out
    of the sharding, so under FSDP the storage is the compute dtype.
    """
    if model_args.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True)
    if not model_args.load_in_4bit:
        return None
    storage = model_args.bnb_4bit_quant_storage
    if storage is None and PartialState().distributed_type == DistributedType.FSDP:
        storage = str(dtype).removeprefix("torch.")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=model_args.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=model_args.use_bnb_nested_quant,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=storage,
    )


def load_tokenizer(name: str, style: str) -> ChatFormat:
    """Load a tokenizer and read its chat template.

    Raises:
        KoQasError: No such tokenizer, a template whose special tokens are not in the vocabulary, or no end token.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise KoQasError(
            "model_name_or_path", f"토크나이저를 읽을 수 없습니다: {name}", f"{type(error).__name__}: {error}"[:300]
        ) from error
    check_special_tokens(tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding carries no label, so any token serves
    chat = chat_format(tokenizer, style)
    chat.label_ids()
    return chat


def check_special_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that would write its own template's special tokens as ordinary letters.

    Raises:
        KoQasError: No end-of-sequence token, or a `<|…|>` of the chat template is not in the vocabulary.
    """
    if tokenizer.eos_token_id is None:
        raise KoQasError(
            "tokenizer", "끝 토큰(eos_token)이 없어 답이 끝나지 않습니다.", "set eos_token in tokenizer_config.json"
        )
    template = tokenizer.chat_template
    text = template if isinstance(template, str) else " ".join(map(str, (template or {}).values()))
    known = tokenizer.get_vocab()
    if missing := sorted({t for t in LITERAL.findall(text) if t not in known}):
        raise KoQasError(
            "tokenizer",
            f"대화 템플릿의 특수 토큰이 어휘에 없습니다: {', '.join(missing)}",
            "use the tokenizer that belongs to the template, or --chat_style plain",
        )


def base_dtype(name: str) -> torch.dtype | None:
    """Return the dtype that a base's configuration states for its weights."""
    stated = AutoConfig.from_pretrained(name).dtype
    return getattr(torch, stated) if isinstance(stated, str) else stated


def load_base(name: str, model_args: ModelConfig, training_args: TrainingArguments) -> PreTrainedModel:
    """Load the base model alone, even where an adapter lies beside it in the same folder.

    The folder of a complete repository holds both; transformers would attach the adapter, so it is taken off again.
    Quantized weights go to this process's GPU at once; FSDP and DeepSpeed place the weights themselves.
    """
    compute = compute_dtype(training_args)
    bits = quantization(model_args, compute)
    dtype: Any = getattr(torch, model_args.dtype) if model_args.dtype not in (None, "auto") else "auto"
    state = PartialState()
    on_gpu = bits is not None and compute != torch.float32 and state.distributed_type not in SHARDED
    model = AutoModelForCausalLM.from_pretrained(
        name,
        revision=model_args.model_revision,
        dtype=compute if bits is not None and dtype == "auto" else dtype,
        attn_implementation=model_args.attn_implementation or "sdpa",
        quantization_config=bits,
        device_map={"": state.local_process_index} if on_gpu else None,
    )
    if getattr(model, "_hf_peft_config_loaded", False):
        model.delete_adapter(model.active_adapters())
        model._hf_peft_config_loaded = False
    return model


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that has more tokens than the base has embeddings.

    Raises:
        KoQasError: See above.
    """
    embeddings: Any = model.get_input_embeddings().weight
    rows, tokens = len(embeddings), len(tokenizer)
    if tokens > rows:
        raise KoQasError(
            "tokenizer",
            f"토크나이저의 토큰 {tokens}개가 기반 모델의 임베딩 {rows}개보다 많습니다.",
            "use the base's own tokenizer: an adapter cannot learn new tokens",
        )


def float_adapter(model: torch.nn.Module) -> None:
    """Keep trained weights in float32, whatever the base is stored in.

    TRL casts the adapter of a quantized base to bfloat16. The gradient scaler of fp16 refuses bfloat16 gradients, and
    steps of a small learning rate vanish in eight bits of mantissa; float32 costs a few megabytes. FSDP and DeepSpeed
    need one dtype for all, so there the weights stay as they are.
    """
    if PartialState().distributed_type in SHARDED:
        return
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


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
