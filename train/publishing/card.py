"""Write model cards: what it is, how to call it, what was measured, how it was trained.

Comes in: records in results/ and beside the adapter. Goes out: README.md whose `model-index` and tables hold nothing but
numbers of those records, which are copied beside it. A record is used when it belongs to the published weights.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from koqas.koqas_hub import is_repo_id
from koqas.koqas_saving import CARD_TAGS
from koqas.koqas_types import KoQasError
from koqas.train.publishing.adapters import ADAPTER_WEIGHTS
from koqas.train.publishing.measures import Measured, measured_in

RELATIONS = {"none": "adapter", "plain": "adapter", "nf4": "quantized", "merged": "merge"}
TRAINING_RECORDS = ("sft.json", "dpo.json")
NOT_RECIPE = ("model_name_or_path", "model_revision")
FOUR_BIT = ("bnb_4bit_quant_type", "bnb_4bit_quant_storage", "use_bnb_nested_quant")
PACKAGES = ("transformers", "peft", "torch", "bitsandbytes", "trl")
HEADING = """# {name}

내 문서에서 한국어 질문의 답을 찾고, 근거를 원문 위치와 함께 보여 주며, 문서에 답이 없으면 없다고 말하는 [Ko-QAS] 파이프라인입니다.
(Korean open-book question answering with verified evidence.)

```python
from transformers import pipeline

qa = pipeline("ko-qas", model="{name}", trust_remote_code=True, documents="내문서/")
qa("질문?")  # summary, answer, evidence with offsets and hashes, every document's usefulness
```
"""


@dataclass(frozen=True)
class CardSources:
    """What a card is written from.

    Args:
        adapter (`Path`): Folder of the adapter, with the records of its training.
        results (`Path | None`): Folder of measurements of these weights; None writes none.
        template (`Path | None`): A card written by hand, whose text is kept and whose metadata is completed.
        license (`str`): SPDX id of the weights; empty leaves it out.
    """

    adapter: Path
    results: Path | None
    template: Path | None
    license: str


def results_of(folder: Path, adapter: Path) -> Path | None:
    """Return a folder of measurements if its weights.json names the hash of this adapter, else None."""
    record = folder / "weights.json"
    if not record.is_file():
        return None
    files = json.loads(record.read_text("utf-8")).get("files", {})
    digest = hashlib.sha256((adapter / ADAPTER_WEIGHTS).read_bytes()).hexdigest()
    return folder if files.get(ADAPTER_WEIGHTS) == digest else None


def write_card(sources: CardSources, repo_id: str, block: dict[str, Any], folder: Path) -> None:
    """Write README.md, and copy the records that it quotes to results/.

    Raises:
        KoQasError: A record is damaged, or the template's metadata cannot be read.
    """
    found = measured_in(sources.results) if sources.results else []
    name = repo_id or "org/repo"
    data = card_data(sources, name, block, found)
    if sources.template is None:
        card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{card_text(name, block, sources.adapter, found)}")
    else:
        card = from_template(sources.template, data)
    card.save(folder / "README.md")
    for file in sorted({m.measure.file for m in found}):
        (folder / "results").mkdir(exist_ok=True)
        shutil.copyfile((sources.results or folder) / file, folder / "results" / file)


def card_data(sources: CardSources, name: str, block: dict[str, Any], found: list[Measured]) -> ModelCardData:
    """Return the card's metadata; `model-index` holds the measurements."""
    base = str(block.get("base_model") or "")
    given: dict[str, Any] = {"base_model": base, "base_model_relation": RELATIONS[block["base_weights"]]}
    return ModelCardData(
        language="ko",
        license=sources.license or None,
        library_name="transformers",
        pipeline_tag="question-answering",
        tags=[*CARD_TAGS, *(["peft", "lora"] if block["adapter"] else [])],
        model_name=name.split("/")[-1],
        eval_results=[as_eval_result(m) for m in found] or None,
        **(given if is_repo_id(base) else {}),
    )


def as_eval_result(m: Measured) -> EvalResult:
    """Translate a measurement for `model-index`."""
    return EvalResult(
        task_type=m.measure.task,
        task_name=m.measure.task_name,
        dataset_type=m.measure.dataset,
        dataset_name=m.dataset_name,
        dataset_split=m.measure.split,
        metric_type=m.measure.metric,
        metric_name=m.measure.name,
        metric_value=m.value,
        # The hub shows a number with a link to where it comes from.
        source_name=f"results/{m.measure.file}",
        source_url=f"results/{m.measure.file}",
    )


def from_template(template: Path, data: ModelCardData) -> ModelCard:
    """Keep a card's text and its own metadata, except where publishing knows better."""
    try:
        card = ModelCard.load(template)
    except (ValueError, OSError) as error:
        raise KoQasError(
            "card", f"모델 카드를 읽을 수 없습니다: {error}", "check the YAML at the top of the card"
        ) from error
    for key, value in data.to_dict().items():
        if key == "model-index":
            card.data.eval_results, card.data.model_name = data.eval_results, data.model_name
        elif key.startswith("base_model") or key not in card.data:
            setattr(card.data, key, value)
    return card


def card_text(name: str, block: dict[str, Any], adapter: Path, found: list[Measured]) -> str:
    """Return the card's text."""
    stored = {
        "none": "어댑터만 있고, 기반 모델은 부를 때 그 저장소에서 받습니다(CUDA에서는 NF4 4비트).",
        "plain": "기반 모델과 어댑터가 함께 있습니다.",
        "merged": "어댑터를 기반 모델에 합쳤습니다.",
        "nf4": "기반 모델은 NF4 4비트로 양자화되어 있고 어댑터가 함께 있습니다. CPU에서는 느립니다.",
    }[block["base_weights"]]
    base = f"\n- 기반 모델(base model): {block['base_model']}" if block.get("base_model") else ""
    revision = f" @ {block['base_revision']}" if block.get("base_revision") else ""
    parts = [
        HEADING.format(name=name).replace("[Ko-QAS]", "Ko-QAS"),
        f"- {stored}{base}{revision}\n- 유용성 문턱값(DocQuest threshold): {block.get('threshold', 0.5)}\n",
        measured_section(found),
        training_section(adapter),
        "## 한계\n\n답이 틀릴 수 있습니다. 함께 나오는 근거를 확인하세요. 문턱값과 보정은 질문의 분포가 다르면 다시 맞춰야 합니다.\n",
        "## 판\n\n" + ", ".join(f"{p} {version(p)}" for p in PACKAGES) + "\n",
    ]
    return "\n".join(p for p in parts if p)


def measured_section(found: list[Measured]) -> str:
    """Return the table of measurements, each linked to its record."""
    if not found:
        return "## 측정\n\n이 가중치로 잰 수치가 아직 없습니다 (not measured yet).\n"
    rows = []
    for m in found:
        record = f"[{m.measure.file}](results/{m.measure.file})"
        rows.append(
            f"| {m.measure.task_name}: {m.measure.name} | {m.value} | {m.dataset_name} | {m.date} | {record} |"
        )
    return "\n".join(["## 측정\n", "| 측정 | 값 | 자료 | 날짜 | 기록 |", "|---|---|---|---|---|", *rows, ""])


def training_section(adapter: Path) -> str:
    """Return how the adapter was trained, from the records beside it; empty where there are none."""
    lines = []
    for name in TRAINING_RECORDS:
        if not (adapter / name).is_file():
            continue
        record = json.loads((adapter / name).read_text("utf-8"))
        losses = [entry["loss"] for entry in record.get("log", []) if "loss" in entry]
        skipped = NOT_RECIPE if record.get("arguments", {}).get("load_in_4bit") else (*NOT_RECIPE, *FOUR_BIT)
        told = {k: v for k, v in record.get("arguments", {}).items() if k not in skipped and v not in (None, False)}
        curve = f"; loss {losses[0]:.3f} → {losses[-1]:.3f}" if losses else ""
        lines.append(f"- {name.removesuffix('.json').upper()}: {record.get('seconds', '?')} s{curve}")
        listed = "\n".join(f"    {k}: {v}" for k, v in told.items() if not str(v).startswith(("/", "runs/")))
        lines.append(f"\n<details><summary>설정</summary>\n\n{listed}\n\n</details>\n")
    return "\n".join(["## 학습\n", *lines]) if lines else ""
