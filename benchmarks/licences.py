"""Licences of what the repository ships and of every package it depends on, from the installed packages' own metadata.

    python benchmarks/licences.py            # writes docs/licences.md
    python benchmarks/licences.py --check    # fails when a package has no licence, or one that forbids use in a product

Packages are those of requirements.lock.txt that are installed; markers keep some for other systems.
"""

import re
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 60  # characters of a licence field; longer ones are the whole text
# Metadata that names no licence although the project does: what its LICENSE file begins with is no name.
TOLD_ELSEWHERE = {"torch": "BSD-3-Clause"}
FORBIDDEN = re.compile(r"AGPL|Affero|non-?commercial|proprietary", re.IGNORECASE)
SHIPPED = (
    ("code, README, `data_sample/`, `tests/benchmarks/`, `tests/documents/`", "Apache-2.0", "written for this project"),
    ("`model.safetensors`, `adapter_model.safetensors`, `ranker.safetensors`, `retriever/`, `train/*/*.safetensors`",
     "Apache-2.0", "trained from scratch here; sources of the texts and hashes: `results/weights.json`"),
    ("`tokenizer.json`", "Apache-2.0", "trained here on the same texts"),
)  # fmt: skip
INTRODUCTION = """# Licences

Written by `python benchmarks/licences.py` from the installed packages' own metadata; `--check` runs in the tests.

## What is shipped

| what | licence | where from |
|---|---|---|
{shipped}

Texts that models were trained on (Korean Wikipedia: CC BY-SA; statutes and court decisions: public domain under
article 7 of the Korean copyright act; news reports and written questions: see `train/corpora.py`) are not shipped.

## What is installed

{count} packages: {kinds}.

| package | version | licence |
|---|---|---|
{rows}
"""


@dataclass
class LicenceArguments:
    """What to do.

    Args:
        out (`str`): Markdown file.
        check (`bool`): Write nothing; fail on a package without a licence or with a forbidden one.
    """

    out: str = "docs/licences.md"
    check: bool = False


@dataclass(frozen=True)
class Licensed:
    """A package and its licence, "" where its metadata names none."""

    name: str
    version: str
    licence: str


def locked() -> list[str]:
    """Return the names of the packages in requirements.lock.txt."""
    text = (ROOT / "requirements.lock.txt").read_text("utf-8")
    return re.findall(r"^([A-Za-z0-9][\w.-]*)==", text, re.MULTILINE)


def licence_of(package: Distribution) -> str:
    """Return a package's licence: the SPDX expression, else a short licence field, else its classifiers."""
    fields: Any = package.metadata  # typed as a protocol that lacks what every version has
    for value in (fields.get("License-Expression"), fields.get("License")):
        if value and value.strip() and len(value.strip()) <= LONGEST and value.strip().upper() != "UNKNOWN":
            return " ".join(value.split())
    found = [c.split(" :: ")[-1] for c in fields.get_all("Classifier") or [] if c.startswith("License :: ")]
    if found:
        return ", ".join(found)
    first = (fields.get("License") or "").strip().split("\n")[0]
    return first[:LONGEST] or TOLD_ELSEWHERE.get(package.name, "") or _file_heading(package)


def _file_heading(package: Distribution) -> str:
    """Return the first words of the licence file that the package brings."""
    for path in package.files or ():
        if re.match(r"(LICEN[CS]E|COPYING)", path.name, re.IGNORECASE):
            place = Path(str(path.locate()))
            lines = place.read_text("utf-8", errors="replace").split("\n") if place.is_file() else []
            return next((" ".join(x.split())[:LONGEST] for x in lines if re.search(r"[A-Za-z]{3}", x)), "")
    return ""


def installed() -> list[Licensed]:
    """Return the locked packages that are installed here."""
    found = []
    for name in locked():
        try:
            package = distribution(name)
        except PackageNotFoundError:  # for another system
            continue
        found.append(Licensed(name, package.version, licence_of(package)))
    return found


def checked(packages: list[Licensed]) -> list[Licensed]:
    """Return the packages.

    Raises:
        KoQasError: One has no licence, or one that forbids use in a product; names it.
    """
    for package in packages:
        if not package.licence or FORBIDDEN.search(package.licence):
            raise KoQasError(
                f"requirements: {package.name}",
                f"쓸 수 없는 라이선스입니다: {package.licence or '없음'}",
                "replace the package, or tell its licence in benchmarks/licences.py",
            )
    return packages


def page(packages: list[Licensed]) -> str:
    """Return docs/licences.md."""
    kinds = Counter(p.licence for p in packages).most_common(6)
    return INTRODUCTION.format(
        shipped="\n".join(f"| {' | '.join(row)} |" for row in SHIPPED),
        count=len(packages),
        kinds=", ".join(f"{name} ({n})" for name, n in kinds),
        rows="\n".join(f"| {p.name} | {p.version} | {p.licence.replace('|', '/')} |" for p in packages),
    )


def main(args: LicenceArguments) -> None:
    """Check, and write unless only checking."""
    packages = checked(installed())
    if not args.check:
        (ROOT / args.out).write_text(page(packages), "utf-8")
    print(f"{len(packages)} packages: every licence is known")


if __name__ == "__main__":
    try:
        main(HfArgumentParser(LicenceArguments).parse_args_into_dataclasses()[0])
    except KoQasError as problem:
        sys.exit(f"오류: {problem}")
