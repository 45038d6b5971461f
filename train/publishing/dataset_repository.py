"""Write a dataset repository: Parquet files, `configs`, a card; checked with `load_dataset`.

Comes in: data_sample/ (or a folder of CSV files like it), or prepared rows (.parquet or .jsonl; see examples.py). Goes
out: a folder that `load_dataset(folder, config)` reads. Refuses rows whose terms forbid passing them on.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from huggingface_hub import DatasetCard, DatasetCardData
from tqdm.auto import tqdm

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example, read_examples, write_examples
from koqas.train.sources.catalog import SOURCES

# Files of data_sample/ and the configs they become: name, split, columns.
SAMPLE_CONFIGS = {
    "LongAnswer_100_public.csv": ("long_answer", "train", ("Context", "Question", "Summary", "Answer")),
    "preference_50_public.csv": ("preference", "validation", ("question", "context", "chosen", "rejected")),
}
ROW_SUFFIXES = (".parquet", ".jsonl")
SPLITS = ("train", "validation", "test")
WRITTEN = ("README.md", "LICENSE", ".gitattributes", "data", "long_answer", "preference")
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Split:
    """One Parquet file of a config and how many rows it has."""

    config: str
    name: str
    file: str
    rows: int


@dataclass(frozen=True)
class DatasetParts:
    """What a dataset repository is made of.

    Args:
        rows (`Path`): Folder with the files of data_sample/, or prepared rows: one file, or a folder of
            train/validation/test files.
        repo_id (`str`): Hub id the repository will have; empty for a folder.
        license (`str`): SPDX id; empty takes that of data_sample/ or of the rows.
        allowed (`tuple[str, ...]`): Sources of unclear terms that the caller may pass on.
    """

    rows: Path
    repo_id: str
    license: str
    allowed: tuple[str, ...] = ()


def write_dataset(parts: DatasetParts, folder: Path) -> None:
    """Fill a folder and load it back.

    Raises:
        KoQasError: No rows, a missing column, a source that may not be passed on.
    """
    if parts.rows.is_dir() and any((parts.rows / name).is_file() for name in SAMPLE_CONFIGS):
        splits, licenses = write_sample(parts.rows, folder)
    else:
        splits, licenses = write_rows(parts, folder)
    license_id = parts.license or (licenses[0] if len(licenses) == 1 else "other")
    write_card(parts, splits, license_id.lower(), licenses, folder)
    check_dataset(folder, splits)


def write_sample(source: Path, folder: Path) -> tuple[list[Split], list[str]]:
    """Turn the CSV files of data_sample/ into Parquet; returns splits and licences."""
    splits = []
    for file, (config, name, columns) in SAMPLE_CONFIGS.items():
        if not (source / file).is_file():
            continue
        rows = read_csv(source / file, columns)
        target = f"{config}/{name}-00000-of-00001.parquet"
        (folder / config).mkdir()
        rows.to_parquet(folder / target)
        splits.append(Split(config, name, target, len(rows)))
    return splits, ["cc-by-4.0"]


def read_csv(path: Path, columns: tuple[str, ...]) -> Dataset:
    """Read a CSV of texts.

    Raises:
        KoQasError: A column is missing, or there is no row.
    """
    with tempfile.TemporaryDirectory(prefix="koqas-csv-") as cache:
        rows = load_dataset("csv", data_files=str(path), split="train", cache_dir=cache, keep_in_memory=True)
    if missing := [c for c in columns if c not in rows.column_names]:
        raise KoQasError(f"{path.name}: {missing[0]}", "열이 없습니다.", f"columns needed: {', '.join(columns)}")
    if not len(rows):
        raise KoQasError(path.name, "행이 없습니다.", "pass a file with rows")
    return rows.select_columns(list(columns))


def write_rows(parts: DatasetParts, folder: Path) -> tuple[list[Split], list[str]]:
    """Write prepared rows, streaming; returns splits and licences, most frequent first."""
    splits, licenses = [], Counter[str]()
    (folder / "data").mkdir()
    for name, path in row_files(parts.rows).items():
        target = f"data/{name}-00000-of-00001.parquet"
        count = write_examples(folder / target, _passed_on(path, parts.allowed, licenses))
        if not count:
            raise KoQasError(path.name, "행이 없습니다.", "pass a file with rows")
        splits.append(Split("default", name, target, count))
    return splits, [name for name, _ in licenses.most_common()]


def row_files(rows: Path) -> dict[str, Path]:
    """Return the files of prepared rows by split; a single file is `train` unless it is called as another split.

    Raises:
        KoQasError: There are none.
    """
    paths = sorted(p for p in rows.iterdir() if p.suffix in ROW_SUFFIXES) if rows.is_dir() else [rows]
    paths = [p for p in paths if p.is_file() and p.suffix in ROW_SUFFIXES]
    found = {p.stem: p for p in paths if p.stem in SPLITS} or dict(zip(["train"], paths))
    if not found or len(paths) > len(found):
        raise KoQasError(
            "dataset",
            f"행 파일을 알 수 없습니다: {rows}",
            "pass a .parquet or .jsonl file, or a folder of train/validation/test files",
        )
    return found


def _passed_on(path: Path, allowed: tuple[str, ...], licenses: Counter[str]) -> Iterator[Example]:
    terms = {s.name: s for s in SOURCES}
    for row in tqdm(read_examples(path), desc=path.name, unit="row"):
        source = terms.get(row.source)
        forbidden = source is not None and source.third_party == "forbidden"
        if forbidden or ((source is None or not source.remote_allowed) and row.source not in allowed):
            raise KoQasError(
                f"row {row.id}: source {row.source}",
                f"넘겨줄 수 있다고 확인되지 않은 자료입니다({source.access if source else '목록에 없음'}).",
                "leave these rows out" if forbidden else f"if you hold the rights, pass --allow_sources {row.source}",
            )
        licenses[row.license] += 1
        yield row


def write_card(parts: DatasetParts, splits: list[Split], license_id: str, licenses: list[str], folder: Path) -> None:
    """Write README.md with `configs`, and copy the description that lies beside the sample."""
    name = parts.repo_id or "org/dataset"
    total = sum(s.rows for s in splits)
    configs: list[dict[str, Any]] = []
    for config in dict.fromkeys(s.config for s in splits):
        files = [{"split": s.name, "path": s.file} for s in splits if s.config == config]
        configs.append({"config_name": config, "data_files": files} | ({} if configs else {"default": True}))
    data = DatasetCardData(
        language="ko",
        license=license_id,
        task_categories=["question-answering", "summarization"],
        size_categories=next((label for limit, label in SIZES if total < limit), "n>1M"),
        pretty_name=name.split("/")[-1],
        configs=configs,
    )
    table = "\n".join(f"| `{s.config}` | {s.name} | {s.rows} |" for s in splits)
    call = f'load_dataset("{name}", "{splits[0].config}", split="{splits[0].name}")'
    described = parts.rows / "README.md" if parts.rows.is_dir() else Path()
    text = described.read_text("utf-8").partition("\n")[2] if described.is_file() else ""
    DatasetCard(
        f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n```python\nfrom datasets import load_dataset\n\nrows = {call}\n```\n\n"
        f"| config | split | rows |\n|---|---|---|\n{table}\n\nLicences: {', '.join(licenses)}\n{text}"
    ).save(folder / "README.md")
    if parts.rows.is_dir() and (parts.rows / "LICENSE").is_file():
        shutil.copyfile(parts.rows / "LICENSE", folder / "LICENSE")


def check_dataset(folder: Path, splits: list[Split]) -> None:
    """Load every split with `load_dataset` from the folder and count its rows.

    Raises:
        KoQasError: It cannot be loaded or rows are missing.
    """
    for split in splits:
        with tempfile.TemporaryDirectory(prefix="koqas-load-") as cache:
            try:
                rows = load_dataset(str(folder), split.config, split=split.name, cache_dir=cache, keep_in_memory=True)
            except Exception as error:  # whatever goes wrong here goes wrong for every user
                raise KoQasError("out", f"쓴 데이터셋을 읽을 수 없습니다: {error}", "publish again") from error
            if len(rows) != split.rows:
                raise KoQasError(split.file, f"{split.rows}행을 썼는데 {len(rows)}행이 읽힙니다.", "publish again")
