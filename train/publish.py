"""Publish a trained adapter, or a dataset: assemble a repository, check it, open it as users do, upload it.

    python train/publish.py --adapter runs/sample --out runs/published                       # a folder
    python train/publish.py --adapter runs/sample --repo_id org/name --push                   # and the hub, private
    python train/publish.py --adapter runs/gem2-14b --base vaiv/GeM2-Llamion-14B-Chat --repo_id org/name --dry_run
    python train/publish.py --dataset data_sample --out runs/dataset --repo_id org/data --push

The hub's token is that of `hf auth login` or HF_TOKEN. `--dry_run` shows what would change and writes nothing.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, get_args

from huggingface_hub import ModelCard
from transformers import HfArgumentParser

from koqas.koqas_hub import check_repo_id, is_repo_id, upload_repository
from koqas.koqas_saving import SUPERSEDED, WRITTEN, save_into
from koqas.koqas_types import KoQasError
from koqas.train.publishing import dataset_repository
from koqas.train.publishing.adapters import adapter_settings
from koqas.train.publishing.card import CardSources, results_of
from koqas.train.publishing.dataset_repository import DatasetParts, write_dataset
from koqas.train.publishing.difference import difference, stored_in_folder, stored_on_hub
from koqas.train.publishing.model_repository import ModelParts, ask_once, write_model
from koqas.train.publishing.weights import Base, BaseWeights, find_base

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data_sample"


@dataclass
class PublishArguments:
    """What to publish, and where.

    Args:
        adapter (`str`): Folder of the adapter (output of train/sft.py or train/dpo.py).
        base (`str`): Folder, hub id or `id@revision` of its base; empty: what adapter_config.json names.
        base_id (`str`): Hub id of a base that is given as a folder.
        base_weights (`str`): `none` (thin: the base stays elsewhere), `plain`, `merged` or `nf4`; empty: `plain` for a
            base in a folder, `none` for one on the hub.
        tokenizer (`str`): Folder or hub id; empty: the adapter's where it has one, else the base's.
        settings (`str`): JSON file with the `koqas` block, or a record of train/calibrate.py, laid over the base's.
        chat_style (`str`): How the adapter was trained to be prompted; empty: as in the settings.
        parts (`str`): Repository whose retriever, ranker and licence file are copied.
        results (`str`): Folder of measurements of these weights; empty: results/, if it records this adapter.
        card (`str`): A card written by hand, to be kept and completed; empty: one is written.
        license (`str`): SPDX id; empty: that of the base's card.
        dataset (`str`): Publish a dataset instead: data_sample or prepared rows (.parquet, .jsonl or a folder of them).
        allow_sources (`list[str]`): Sources of unclear terms whose rows you hold the rights to.
        out (`str`): Folder to write.
        repo_id (`str`): Hub id.
        push (`bool`): Upload after all checks.
        public (`bool`): Create the hub repository public; the default is private.
        dry_run (`bool`): Show the difference to what is there, and write nothing.
        open_it (`bool`): Open the written repository and ask one question; a 14B base needs its memory.
    """

    adapter: str = "runs/sft"
    base: str = ""
    base_id: str = ""
    base_weights: str = ""
    tokenizer: str = ""
    settings: str = ""
    chat_style: str = ""
    parts: str = str(ROOT)
    results: str = ""
    card: str = ""
    license: str = ""
    dataset: str = ""
    allow_sources: list[str] | None = None
    out: str = "runs/published"
    repo_id: str = ""
    push: bool = False
    public: bool = False
    dry_run: bool = False
    open_it: bool = True


def main(args: PublishArguments) -> None:
    """Publish a model or a dataset.

    Raises:
        KoQasError: Names the argument or file; nothing was uploaded, and what stood at `out` stands.
    """
    if args.push and not args.repo_id:
        raise KoQasError("repo_id", "올릴 저장소의 id가 없습니다.", "pass --repo_id org/name")
    if args.repo_id:
        check_repo_id(args.repo_id)
    if args.dataset:
        sources = tuple(args.allow_sources or ())
        rows = DatasetParts(existing(args.dataset, "dataset"), args.repo_id, args.license, sources)
        publish(args, "dataset", lambda folder: write_dataset(rows, folder), dataset_repository.WRITTEN)
    else:
        parts = model_parts(args)
        publish(args, "model", lambda folder: write_model(parts, folder), WRITTEN)


def publish(args: PublishArguments, kind: str, write: Callable[[Path], None], written: tuple[str, ...]) -> None:
    """Write to `out`, open what was written, upload; or show the difference."""
    out = Path(args.out)
    if args.dry_run:
        print(dry_run(args, kind, write))
        return
    save_into(out, write, written)
    print(f"썼습니다 (written): {out}")
    if kind == "model" and args.open_it:
        show(ask_once(out, str(SAMPLE / "documents"), sample_question()))
    if args.push:
        gone = SUPERSEDED if kind == "model" else ["*.parquet"]
        done = upload_repository(out, args.repo_id, private=not args.public, repo_type=kind, delete_patterns=gone)
        print(f"올렸습니다 (uploaded): {done.commit_url}")


def dry_run(args: PublishArguments, kind: str, write: Callable[[Path], None]) -> str:
    """Build in a temporary folder and compare with the hub repository (`--push`) or with `out`."""
    with tempfile.TemporaryDirectory(prefix="koqas-publish-") as place:
        folder = Path(place) / "repository"
        save_into(folder, write)
        if not args.push:
            return difference(folder, stored_in_folder(Path(args.out)), lambda name: False).show()
        gone = SUPERSEDED if kind == "model" else ["*.parquet"]
        stays = lambda name: not any(fnmatch(name, pattern) for pattern in gone)  # noqa: E731
        return difference(folder, stored_on_hub(args.repo_id, kind), stays).show()


def model_parts(args: PublishArguments) -> ModelParts:
    """Find every part of a model repository and settle the defaults."""
    adapter = existing(args.adapter, "adapter")
    named = args.base or str(adapter_settings(adapter).base_model_name_or_path or "")
    if args.base_weights not in ("", *get_args(BaseWeights)):
        raise KoQasError("base_weights", f"알 수 없는 방식입니다: {args.base_weights}", "none, plain, merged or nf4")
    local = Path(named).is_dir()
    kind: Any = args.base_weights or ("plain" if local else "none")
    base = find_base(named, args.base_id, with_weights=kind != "none")
    results = existing(args.results, "results") if args.results else results_of(ROOT / "results", adapter)
    has_tokenizer = (adapter / "tokenizer_config.json").is_file()
    return ModelParts(
        adapter=adapter,
        base=base,
        base_weights=kind,
        tokenizer=args.tokenizer or str(adapter if has_tokenizer else base.folder),
        parts=args.parts,
        settings=settings_of(args, base),
        repo_id=args.repo_id,
        card=CardSources(
            adapter=adapter,
            results=results,
            template=existing(args.card, "card") if args.card else None,
            license=args.license or license_of(base),
        ),
    )


def settings_of(args: PublishArguments, base: Base) -> dict[str, Any]:
    """Return the `koqas` block: the base's, then the file's, then the chat style of the command line."""
    block = dict(getattr(base.config, "koqas", None) or {})
    if args.settings:
        path = existing(args.settings, "settings")
        try:
            given = json.loads(path.read_text("utf-8"))
            block |= given.get("settings", given)
        except (ValueError, AttributeError, TypeError) as error:
            raise KoQasError(
                "settings", f"설정 파일이 아닙니다: {path}", f"a JSON object is needed: {error}"
            ) from error
    elif "calibration" in block:
        print(
            "보정값은 기반 저장소의 것입니다 (calibration is the base's; refit: train/calibrate.py --repository OUT)"
        )
    else:
        print("보정하지 않은 문턱값입니다 (uncalibrated thresholds; fit: train/calibrate.py --repository OUT)")
    return block | ({"chat_style": args.chat_style} if args.chat_style else {})


def license_of(base: Base) -> str:
    """Return the licence that the base's card states, or an empty string, and say so."""
    path = base.folder / "README.md"
    stated = ModelCard.load(path).data.get("license") if path.is_file() else None
    if not stated:
        print("라이선스를 모릅니다 (the base's card states no licence; pass --license)", file=sys.stderr)
    return str(stated or "")


def existing(name: str, field: str) -> Path:
    """Return a path that is there.

    Raises:
        KoQasError: It is not.
    """
    path = Path(name)
    if not path.exists():
        hint = "download it first: hf download" if is_repo_id(name) else f"check --{field}"
        raise KoQasError(field, f"없는 경로입니다: {name}", hint)
    return path


def sample_question() -> str:
    """Return the first question of data_sample/questions.jsonl."""
    return str(json.loads((SAMPLE / "questions.jsonl").read_text("utf-8").splitlines()[0])["question"])


def show(result: dict[str, Any]) -> None:
    """Print what the written repository answered."""
    print(
        f"질문 (question): {result['question']}\n답변 (answer): {result['answer']} ({result['timings']['total']:.2f} s)"
    )


if __name__ == "__main__":
    try:
        main(HfArgumentParser(PublishArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
