"""Write a repository that `pipeline("ko-qas", model=…, trust_remote_code=True)` opens.

Comes in: a pipeline, or its parts one by one (training publishes with the same functions). Goes out: a folder with
configuration, weights, tokenizer, retriever, ranker, code and a card. Knows the layout that transformers and peft look
for; knows nothing about what the pipeline does with the models.
"""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import CommitInfo, ModelCard, ModelCardData
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors import SafetensorError

from .koqas_hub import check_repo_id, is_repo_id, upload_repository
from .koqas_ranker import RANKER_FILE
from .koqas_repository import RETRIEVER_FILES, repository_file
from .koqas_storage import replace_folder
from .koqas_types import KoQasError

CUSTOM_PIPELINES = {"ko-qas": {"impl": "koqas_pipeline.KoQasPipeline", "pt": ["AutoModelForCausalLM"], "type": "text"}}
THIN_AUTO_MAP = {"AutoModelForCausalLM": "koqas_pipeline.KoQasThinModel"}
CARD_TAGS = ["ko-qas", "rag", "korean", "open-book-qa"]
# What a repository consists of. A folder with anything else in it is not ours to replace.
WRITTEN = (
    *("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json"),
    *("adapter_config.json", "adapter_model.safetensors", "ranker.safetensors", "retriever", "koqas_*.py"),
    *("tokenizer*", "special_tokens_map.json", "chat_template.jinja", "added_tokens.json", "vocab*", "merges.txt"),
    *("README.md", "LICENSE", "results", ".gitattributes"),
)
# In a repository pushed to earlier, these would change how the new one is loaded.
SUPERSEDED = ["model*.safetensors", "model.safetensors.index.json", "adapter_*", "retriever/*", "ranker.safetensors"]
SUPERSEDED += ["koqas_*.py", "chat_template.jinja", "added_tokens.json", "vocab*", "merges.txt"]
RETRIEVER_EXTRAS = ("retriever/1_Normalize/config.json", "retriever/provenance.json")


def save_pipeline(qa: Any, folder: str | os.PathLike[str], repo_id: str = "", complete: bool | None = None) -> None:  # noqa: ANN401
    """Write the repository of a pipeline as it is in memory; see `KoQasPipeline.save_pretrained`."""
    save_into(folder, lambda building: _write_all(qa, building, repo_id, complete))


def push_pipeline(qa: Any, repo_id: str, complete: bool | None, upload: dict[str, Any]) -> CommitInfo:  # noqa: ANN401
    """Write a pipeline's repository into a temporary folder and upload it; see `KoQasPipeline.push_to_hub`."""
    check_repo_id(repo_id)
    with tempfile.TemporaryDirectory(prefix="koqas-") as place:
        folder = Path(place) / "repository"
        save_pipeline(qa, folder, repo_id, complete)
        return upload_repository(folder, repo_id, delete_patterns=SUPERSEDED, **upload)


def save_into(
    folder: str | os.PathLike[str], write: Callable[[Path], None], written: tuple[str, ...] = WRITTEN
) -> None:
    """Let `write` fill a new folder that then takes the place of `folder`, which is left as it was on any error.

    Raises:
        KoQasError: The place is a file or holds files that no repository has, or cannot be written.
    """
    place = Path(folder)
    check_replaceable(place, written)
    try:
        replace_folder(place, write)
    except (OSError, SafetensorError) as error:
        raise KoQasError(
            "save_directory", f"저장하지 못했습니다: {error}", "free disk space or choose another folder"
        ) from error


def check_replaceable(folder: Path, written: tuple[str, ...] = WRITTEN) -> None:
    """Accept an absent or empty folder and one that holds nothing but a repository.

    Raises:
        KoQasError: Replacing it would lose other files; names some.
    """
    if folder.is_file():
        raise KoQasError("save_directory", f"폴더가 아니라 파일입니다: {folder}", "choose a folder")
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if other := [n for n in names if not any(fnmatch(n, pattern) for pattern in written)]:
        some = ", ".join(other[:3])
        raise KoQasError("save_directory", f"다른 파일이 있는 폴더입니다: {some}", "choose an empty or a new folder")


def _write_all(qa: Any, folder: Path, repo_id: str, complete: bool | None) -> None:  # noqa: ANN401
    block = dict(qa.block)
    adapted = has_adapter(qa.model)
    whole = (block.get("base_weights") != "none") if complete is None else complete
    if not whole and not (adapted and block.get("base_model")):
        raise KoQasError("complete", "기반 모델의 위치를 몰라 기반 없이 저장할 수 없습니다.", "pass complete=True")
    if whole and block.get("base_weights") == "none":
        block["base_weights"] = "plain"
    base: Any = qa.model.get_base_model() if isinstance(qa.model, PeftModel) else qa.model
    with without_adapter(base):
        if whole:
            write_base(base, folder)
        else:
            block["base_weights"] = "none"
            base.config.save_pretrained(folder)
    if adapted:
        write_adapter(qa.model, folder, repo_id)
    rewrite_config(folder, block | {"adapter": adapted}, thin=not whole)
    write_tokenizer(qa.tokenizer, folder)
    write_parts(qa.repository, folder)
    if qa.index_settings.encoder == "caller":
        logging.getLogger(__name__).warning(
            "the encoder given to the pipeline is not saved; retriever/ is that of %r", qa.repository
        )
    write_code(folder)
    write_card(folder, repo_id, block)


# ---- parts -----------------------------------------------------------------------------------------------------------


def has_adapter(model: Any) -> bool:  # noqa: ANN401
    """Tell whether a peft adapter is attached to a model, by peft or by transformers."""
    return isinstance(model, PeftModel) or bool(getattr(model, "_hf_peft_config_loaded", False))


@contextmanager
def without_adapter(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Take the adapter's layers out of a model for a while; nothing is copied.

    Raises:
        KoQasError: The adapter was merged into the weights, so the base alone is not there any more.
    """
    kinds = (BaseTunerLayer, AuxiliaryTrainingWrapper)
    wrapped: dict[str, Any] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in wrapped)
        if isinstance(module, kinds) and not inside:
            wrapped[name] = module
    if any(getattr(m, "merged", False) for m in wrapped.values()):
        raise KoQasError("model", "어댑터가 기반 모델에 합쳐져 있습니다.", "call unmerge_adapter() before saving")
    # Loading an adapter also leaves its renaming of weights behind, which saving would apply to the base.
    before = {name: getattr(model, name, None) for name in ("_hf_peft_config_loaded", "_weight_conversions")}
    for name, module in wrapped.items():
        plain = module.original_module if isinstance(module, AuxiliaryTrainingWrapper) else module.get_base_layer()
        model.set_submodule(name, plain)
    if wrapped:
        vars(model).update(_hf_peft_config_loaded=False, _weight_conversions=None)
    try:
        yield model
    finally:
        vars(model).update(before)
        for name, module in wrapped.items():
            model.set_submodule(name, module)


def write_base(model: Any, folder: Path) -> None:  # noqa: ANN401
    """Save a model without adapter: configuration and weights, in bfloat16 where that loses nothing."""
    halved = None if getattr(model, "hf_quantizer", None) is not None else halved_state(model)
    model.save_pretrained(folder, state_dict=halved)


def halved_state(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """Return the float32 weights as bfloat16, or None where some value would change. Tied weights stay tied."""
    state = model.state_dict()
    small: dict[tuple[int, torch.Size], torch.Tensor] = {}
    for tensor in state.values():
        if tensor.dtype != torch.float32 or not torch.equal(tensor.bfloat16().float(), tensor):
            return None
        small.setdefault((tensor.data_ptr(), tensor.shape), tensor.bfloat16())
    return {name: small[t.data_ptr(), t.shape] for name, t in state.items()}


def write_adapter(model: Any, folder: Path, repo_id: str) -> None:  # noqa: ANN401
    """Save the adapter alone."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # peft writes an empty card
    rewrite_adapter_config(folder, repo_id)


def rewrite_adapter_config(folder: Path, repo_id: str) -> None:
    """Record the repository's own id as the adapter's base: there transformers looks for config.json.

    Without a new id the old one stays; the path of a folder is never written, and a folder does not need it.
    """
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    given = str(config.get("base_model_name_or_path") or "")
    config["base_model_name_or_path"] = repo_id or (given if is_repo_id(given) else ".")
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])  # peft writes a set, in any order
    write_json(path, config)


def rewrite_config(folder: Path, block: dict[str, Any], *, thin: bool) -> None:
    """Make transformers find the pipeline, and in a thin repository the loader, by config.json."""
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config.pop("auto_map", None)
    config |= {"custom_pipelines": CUSTOM_PIPELINES, "koqas": block}
    if thin:
        config["auto_map"] = THIN_AUTO_MAP
        config.pop("quantization_config", None)  # how the base was loaded here is not how it is stored there
    write_json(path, config)


def write_tokenizer(tokenizer: Any, folder: Path) -> None:  # noqa: ANN401
    """Save a tokenizer so that transformers 4.57 reads it too, with the special_tokens_map.json that 5.x leaves out."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8"))
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    for name in ("is_local", "local_files_only", "name_or_path"):
        config.pop(name, None)
    write_json(path, config | {"model_input_names": ["input_ids", "attention_mask"]})
    write_json(folder / "special_tokens_map.json", special_tokens_map(tokenizer))


def special_tokens_map(tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the content of special_tokens_map.json: names of special tokens and their texts."""
    named = {k: str(v) for k, v in tokenizer.special_tokens_map.items() if k.endswith("_token") and v is not None}
    extra = [str(t) for t in getattr(tokenizer, "extra_special_tokens", None) or []]
    return named | ({"additional_special_tokens": extra} if extra else {})


def write_parts(repository: str, folder: Path) -> None:
    """Copy retriever, ranker and licence of a repository (folder or hub id), those that it has."""
    for name in (*RETRIEVER_FILES, *RETRIEVER_EXTRAS, RANKER_FILE, "LICENSE"):
        if (found := repository_file(repository, name)) is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, folder / name)


def write_code(folder: Path) -> None:
    """Copy the code that is running: this module's siblings, in a checkout or in transformers' module cache."""
    for path in sorted(Path(__file__).resolve().parent.glob("koqas_*.py")):
        shutil.copyfile(path, folder / path.name)


def write_card(folder: Path, repo_id: str, block: dict[str, Any]) -> None:
    """Write a card that says how to use the repository. It claims no figures: the weights may be new."""
    base = block.get("base_model")
    data = ModelCardData(language="ko", library_name="transformers", pipeline_tag="question-answering", tags=CARD_TAGS)
    data.base_model = base if base and is_repo_id(base) else None
    call = f'pipeline("ko-qas", model="{repo_id or "org/repo"}", trust_remote_code=True, documents="내문서/")'
    text = (
        f'# {repo_id or "Ko-QAS"}\n\n```python\nfrom transformers import pipeline\n\nqa = {call}\nqa("질문?")\n```\n'
    )
    ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}").save(folder / "README.md")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    """Write readable JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def edit_json(path: Path, **changes: Any) -> None:  # noqa: ANN401
    """Change keys of a JSON file."""
    write_json(path, json.loads(path.read_text("utf-8")) | changes)
