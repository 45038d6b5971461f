"""Write a model repository from an adapter and its base, and check it.

Comes in: a plan of parts. Goes out: a folder that `pipeline("ko-qas", model=folder, trust_remote_code=True)` opens.
Uses the same writers as `KoQasPipeline.save_pretrained`; knows nothing about the hub.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from koqas.koqas_options import RepositorySettings
from koqas.koqas_pipeline import verify
from koqas.koqas_prompts import MATCH_TOKEN
from koqas.koqas_ranker import RANKER_FILE
from koqas.koqas_repository import MODEL_FILES, RETRIEVER_FILES, check_files
from koqas.koqas_saving import (
    CUSTOM_PIPELINES,
    rewrite_adapter_config,
    rewrite_config,
    special_tokens_map,
    write_code,
    write_parts,
    write_tokenizer,
)
from koqas.koqas_types import KoQasError
from koqas.train.publishing.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, fit
from koqas.train.publishing.card import CardSources, write_card
from koqas.train.publishing.weights import Base, BaseWeights, write_weights

ROOM_FOR_THE_REST = 64 * 2**20  # bytes for tokenizer, retriever, ranker and code
SIBLING = re.compile(r"^\s*from \.(koqas_\w+) import", re.MULTILINE)


@dataclass(frozen=True)
class ModelParts:
    """What a model repository is made of.

    Args:
        adapter (`Path`): Folder of the adapter.
        base (`Base`): Its base.
        base_weights (`BaseWeights`): How the base's weights are stored.
        tokenizer (`str`): Folder or hub id of the tokenizer.
        parts (`str`): Repository (folder or hub id) whose retriever, ranker and licence file are copied.
        settings (`dict[str, Any]`): The `koqas` block: prompts, thresholds, calibration.
        repo_id (`str`): Hub id the repository will have; empty for a folder.
        card (`CardSources`): What the card is written from.
    """

    adapter: Path
    base: Base
    base_weights: BaseWeights
    tokenizer: str
    parts: str
    settings: dict[str, Any]
    repo_id: str
    card: CardSources

    @property
    def block(self) -> dict[str, Any]:
        """The `koqas` block with what publishing knows: the true base, how it is stored, whether an adapter is due."""
        known: dict[str, Any] = {"adapter": self.base_weights != "merged", "base_weights": self.base_weights}
        if self.base.id:
            known["base_model"] = self.base.id
        if self.base.revision:
            known["base_revision"] = self.base.revision
        stale = ("base_model", "base_revision")
        return {k: v for k, v in self.settings.items() if k not in stale} | known


def write_model(parts: ModelParts, folder: Path) -> None:
    """Fill a folder and check it.

    Raises:
        KoQasError: The parts do not belong together, or a file is damaged; names it.
    """
    check_parts(parts)
    check_room(parts, folder)
    write_weights(parts.base_weights, parts.base, parts.adapter, folder)
    if parts.base_weights != "merged":
        for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
            shutil.copyfile(parts.adapter / name, folder / name)
        rewrite_adapter_config(folder, parts.repo_id)
    rewrite_config(folder, parts.block, thin=parts.base_weights == "none")
    tokenizer = AutoTokenizer.from_pretrained(parts.tokenizer)
    write_tokenizer(tokenizer, folder)
    write_parts(parts.parts, folder)
    if MATCH_TOKEN not in tokenizer.get_added_vocab():
        (folder / RANKER_FILE).unlink(missing_ok=True)  # it is read together with marks that this base does not know
    write_code(folder)
    write_card(parts.card, parts.repo_id, parts.block, folder)
    check_model(folder, parts.repo_id)


def check_parts(parts: ModelParts) -> None:
    """Refuse parts that do not belong together, before anything large is written.

    Raises:
        KoQasError: See above.
    """
    if parts.base_weights == "none" and not parts.base.id:
        raise KoQasError("base_id", "기반 없이 올리려면 기반의 허브 id가 필요합니다.", "pass --base_id org/name")
    if parts.base_weights == "none" and parts.base.has_adapter:
        raise KoQasError(
            "base",
            "기반 저장소에 다른 어댑터가 들어 있습니다.",
            "pass --base_weights plain, or a base without an adapter",
        )
    fit(parts.adapter, parts.base.config).check()
    tokens, rows = len(AutoTokenizer.from_pretrained(parts.tokenizer)), parts.base.config.vocab_size
    if tokens > rows:
        raise KoQasError(
            "tokenizer", f"토큰 {tokens}개가 기반의 임베딩 {rows}개보다 많습니다.", "use the base's own tokenizer"
        )
    RepositorySettings.from_dict(parts.settings)


def check_room(parts: ModelParts, folder: Path) -> None:
    """Refuse to begin where the disk cannot hold the repository.

    Raises:
        KoQasError: Less space is left than needed.
    """
    stored = sum(p.stat().st_size for p in parts.base.folder.glob("model*.safetensors"))
    share = {"none": 0.0, "nf4": 1.0 if parts.base.quantized else 0.5}.get(parts.base_weights, 1.0)  # embeddings stay
    needed = int(stored * share) + (parts.adapter / ADAPTER_WEIGHTS).stat().st_size + ROOM_FOR_THE_REST
    if (free := shutil.disk_usage(folder).free) < needed:
        raise KoQasError(
            "out",
            f"디스크가 모자랍니다: {needed / 2**20:,.0f}MB가 필요한데 {free / 2**20:,.0f}MB 남았습니다.",
            "free some space, or pass --out on another disk",
        )


def check_model(folder: Path, repo_id: str) -> None:
    """Check a written repository: files whole, names resolved, code complete.

    Raises:
        KoQasError: Names the file.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    block, thin = config.get("koqas", {}), "auto_map" in config
    needed = {"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md"}
    needed |= {ADAPTER_CONFIG, ADAPTER_WEIGHTS} if block.get("adapter") else set()
    if missing := sorted(n for n in needed if not (folder / n).is_file()):
        raise KoQasError(missing[0], "저장소에 파일이 없습니다.", "publish again")
    if not thin and not any(folder.glob("model*.safetensors")):
        raise KoQasError(
            "model.safetensors", "기반 모델의 가중치가 없습니다.", "publish with --base_weights plain or nf4"
        )
    check_files(str(folder), (*MODEL_FILES, *RETRIEVER_FILES, RANKER_FILE))
    if config.get("custom_pipelines") != CUSTOM_PIPELINES:
        raise KoQasError("config.json: custom_pipelines", "파이프라인 코드를 찾을 수 없습니다.", "publish again")
    if block.get("adapter"):
        named = json.loads((folder / ADAPTER_CONFIG).read_text("utf-8"))["base_model_name_or_path"]
        if repo_id and named != repo_id:
            raise KoQasError(ADAPTER_CONFIG, f"다른 저장소를 가리킵니다: {named}", f"it must name {repo_id}")
    _check_tokenizer(folder)
    _check_code(folder)


def _check_tokenizer(folder: Path) -> None:
    written = json.loads((folder / "special_tokens_map.json").read_text("utf-8"))
    if written != special_tokens_map(AutoTokenizer.from_pretrained(folder)):
        raise KoQasError("special_tokens_map.json", "토크나이저와 다릅니다.", "publish again")


def _check_code(folder: Path) -> None:
    for path in folder.glob("koqas_*.py"):
        for name in SIBLING.findall(path.read_text("utf-8")):
            if not (folder / f"{name}.py").is_file():
                raise KoQasError(path.name, f"{name}.py가 없습니다.", "publish from a whole checkout")


def ask_once(folder: Path, documents: str, question: str) -> dict[str, Any]:
    """Open a repository with the call that users write, and ask one question.

    Raises:
        KoQasError: The call does not work or its evidence does not stand in the documents.
    """
    from transformers import pipeline

    try:
        qa = pipeline("ko-qas", model=str(folder), trust_remote_code=True, documents=documents)  # type: ignore[call-overload]
        result: dict[str, Any] = qa(question)
    except Exception as error:  # whatever goes wrong here goes wrong for every user
        raise KoQasError(
            "out",
            f"쓴 저장소를 열 수 없습니다: {type(error).__name__}: {error}",
            f"look at {folder}; nothing was uploaded",
        ) from error
    if not verify(result, documents):
        raise KoQasError("out", "쓴 저장소의 근거가 문서와 다릅니다.", f"look at {folder}; nothing was uploaded")
    return result
