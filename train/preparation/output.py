"""The last stage: verified rows as a dataset that `datasets.load_dataset(folder)` reads, with its card.

Comes in: verified rows. Goes out: `rows/train.parquet`, `rows/validation.parquet`, README.md. Copies and parts of one
document stand in one split, and stay there when more documents come.
"""

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from koqas.koqas_hub import check_repo_id, upload_repository
from koqas.koqas_storage import replace_folder
from koqas.koqas_types import KoQasError
from koqas.train.examples import Example, read_examples, write_examples
from koqas.train.preparation.line import StageState
from koqas.train.preparation.settings import Recipe
from koqas.train.sources.catalog import source_named
from koqas.train.verification.certificate import Certificate
from koqas.train.verification.neighbours import group_of

SPLITS = ("train", "validation")
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
PUBLISHED = ("README.md", "rows", "report.json", "report.png")


@dataclass(frozen=True)
class SplitRows:
    """Rows and document groups by split, rows by licence and by where their answer stands."""

    rows: dict[str, int]
    groups: dict[str, int]
    licenses: dict[str, int]
    answers: dict[str, int]


def split_name(row: Example, share: float) -> str:
    """Return the split of a row, by a hash of its document group."""
    place = int(hashlib.sha256(group_of(row).encode()).hexdigest()[:8], 16) / 2**32
    return "validation" if place < share else "train"


def write_rows(verified: Path, share: float, folder: Path) -> SplitRows:
    """Write the splits of verified rows below `folder`, both or none; a split without rows is left out."""
    rows: Counter[str] = Counter()
    groups: dict[str, set[str]] = {name: set() for name in SPLITS}
    licenses: Counter[str] = Counter()
    answers: Counter[str] = Counter()

    def of_split(name: str) -> Iterator[Example]:
        for row in read_examples(verified):
            if split_name(row, share) == name:
                rows[name] += 1
                licenses[row.license] += 1
                answers[Certificate.of(row).answer] += 1
                groups[name].add(group_of(row))
                yield row

    def write(target: Path) -> None:
        for name in SPLITS:
            path = target / f"{name}.parquet"
            if not write_examples(path, of_split(name)):
                path.unlink()

    replace_folder(folder / "rows", write)
    counts = {n: len(g) for n, g in groups.items() if g}
    return SplitRows(dict(rows), counts, dict(licenses.most_common()), dict(answers.most_common()))


def write_card(folder: Path, written: SplitRows, states: list[StageState], recipe: Recipe) -> None:
    """Write README.md: what the rows are, how they came about, and the `configs` that `load_dataset` reads."""
    total = sum(written.rows.values())
    licenses = list(written.licenses)
    data = DatasetCardData(
        language=sorted({e.source.language for e in recipe.sources}),
        license=licenses[0].lower() if len(licenses) == 1 and not licenses[0].startswith("LicenseRef") else "other",
        task_categories=["question-answering", "summarization"],
        size_categories=next((label for limit, label in SIZES if total < limit), "n>1M"),
        pretty_name=recipe.arguments.push_to_hub.split("/")[-1] or "Ko-QAS rows",
        configs=[
            {
                "config_name": "default",
                "data_files": [
                    {"split": name, "path": f"rows/{name}.parquet"} for name in SPLITS if name in written.rows
                ],
            }
        ],
    )
    unfinished = folder / "README.md.part"
    unfinished.write_text(f"---\n{data.to_yaml()}\n---\n\n{_text(written, states, recipe)}", "utf-8")
    DatasetCard.load(unfinished)  # a card that the hub could not read must not appear
    unfinished.replace(folder / "README.md")


def _text(written: SplitRows, states: list[StageState], recipe: Recipe) -> str:
    name = recipe.arguments.push_to_hub or "org/dataset"
    splits = "\n".join(f"| {n} | {c} | {written.groups[n]} |" for n, c in written.rows.items())
    line = "\n".join(f"| {s.stage} | {s.rows_in} | {s.rows_out} | {sum(s.rejected.values())} |" for s in states)
    sources = "\n".join(
        f"| {e.set} | {e.source.title} | {e.source.access} | {states[-1].sources.get(e.set, 0)} |"
        for e in recipe.sources
    )
    writer = recipe.generation.model if recipe.generation.backend == "openai" else "rules"
    return f"""# {name}

Korean question answering over documents: question, passages, an explaining summary, the answer, evidence as character
offsets. Every row carries `meta.certificate`: facts checked by a machine when it was made.

```python
from datasets import load_dataset

rows = load_dataset("{name}", split="train")
```

| split | rows | document groups |
|---|---|---|
{splits}

Questions and summaries that the sources lacked were written by: {writer}. Personal data was masked before that.

| source | title | terms | rows |
|---|---|---|---|
{sources}

Licences: {", ".join(f"{n} ({c})" for n, c in written.licenses.items())}

| stage | rows in | rows out | rejected |
|---|---|---|---|
{line}
"""


def push(folder: Path, recipe: Recipe) -> str:
    """Upload the dataset to the hub; returns its address.

    Raises:
        KoQasError: No such id, terms that forbid passing a source on, or the hub refuses.
    """
    repo_id = recipe.arguments.push_to_hub
    check_publishable(recipe)
    with tempfile.TemporaryDirectory(prefix="koqas-push-") as place:
        for name in PUBLISHED:
            copy = shutil.copytree if (folder / name).is_dir() else shutil.copyfile
            copy(folder / name, Path(place) / name)
        commit: Any = upload_repository(Path(place), repo_id, repo_type="dataset", delete_patterns=["rows/*"])
    return str(commit.repo_url)


def check_publishable(recipe: Recipe) -> None:
    """Refuse an upload that the terms of a source do not allow, before any work is done.

    Raises:
        KoQasError: A bad id, or a source whose terms are not known to allow it.
    """
    check_repo_id(recipe.arguments.push_to_hub)
    for entry in recipe.sources:
        source = source_named(entry.set)
        allowed = source.remote_allowed or entry.set in recipe.generation.allow_third_party
        if source.third_party == "forbidden" or not allowed:
            raise KoQasError(
                f"push_to_hub: {entry.set}",
                f"넘겨줄 수 있다고 확인되지 않은 자료입니다: {source.access}",
                "leave the set out"
                if source.third_party == "forbidden"
                else f"if you hold the rights, add {entry.set} to allow_third_party",
            )


def as_record(written: SplitRows) -> dict[str, Any]:
    """Return the counts for the report."""
    return asdict(written)
