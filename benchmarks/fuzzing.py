"""Damaged files, wild arguments and strange documents: nothing but a `KoQasError` may come out.

    python benchmarks/fuzzing.py                    # writes results/fuzzing.json
    python benchmarks/fuzzing.py --rounds 20        # a short form

Targets: every document reader over real files of each kind (tests/documents), every reader of a public set over invented
downloads of its shape (tests/source_files.py), documents of every type, arguments of a call, a saved index, settings of
a repository. Bytes are flipped, cut, repeated and replaced by values that programs trip over; inside zip files single members are
changed so that their checksums hold. An input that takes longer than `damage.LONGEST` seconds counts as a crash too.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.benchmarks.damage import VALUES, Tally, attempt, damaged, strange
from koqas.koqas_documents import load_documents
from koqas.koqas_files import read_file
from koqas.koqas_options import ASK_FIELDS
from koqas.koqas_pipeline import KoQasPipeline, load
from koqas.train.examples import Example
from koqas.train.provenance import record_of
from koqas.train.sources.catalog import SOURCES
from koqas.train.sources.reading import read_source

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 20  # crashes told in the record
PASSAGES = [{"id": "river", "title": "한들강", "text": "한들강은 길이가 42km이다. 1987년 홍수로 다리가 무너졌다."}]
PLAIN = {
    "page.html": "<html><body><h1>한들강</h1><table><tr><td rowspan=2>길이</td><td>42km</td></tr>"
    "<tr><td>깊이</td></tr></table></body></html>",
    "table.csv": "이름,길이\n한들강,42km\n버드내,7km\n",
    "rows.json": '{"documents": [{"id": "a", "title": "강", "text": "한들강은 길다."}, {"b": [1, {"c": "값"}]}]}',
    "rows.jsonl": '{"id": "a", "text": "한들강은 길다."}\n{"id": "b", "text": "다리가 있다."}\n',
    "notes.md": "# 한들강\n\n| 이름 | 길이 |\n|---|---|\n| 한들강 | 42km |\n\n제1조 (목적) 강을 지킨다.\n",
    "plain.txt": "한들강은 길이가 42km이다.\n",
}


@dataclass
class FuzzingArguments:
    """How much to try.

    Args:
        rounds (`int`): Inputs for each file, set or kind of argument.
        calls (`int`): Calls of the pipeline, loads of an index, settings of a repository.
        seed (`int`): Seed of everything that is drawn.
        out (`str`): Record.
    """

    rounds: int = 300
    calls: int = 400
    seed: int = 0
    out: str = "results/fuzzing.json"


def document_files() -> dict[str, bytes]:
    """Return the files that are damaged, by name."""
    found = {p.name: p.read_bytes() for p in sorted((ROOT / "tests" / "documents").iterdir()) if p.suffix != ".mjs"}
    found.pop("README.md", None)
    return found | {name: text.encode() for name, text in PLAIN.items()}


def fuzz_files(args: FuzzingArguments, folder: Path) -> dict[str, Tally]:
    """Damage each document file and read it."""
    tallies: dict[str, Tally] = {}
    for name, raw in tqdm(document_files().items(), desc="documents", unit="file"):
        rng, path = random.Random(f"{args.seed} {name}"), folder / name
        tally = tallies.setdefault(f"document {path.suffix}", Tally())
        for _ in range(args.rounds):
            path.write_bytes(damaged(raw, rng))
            attempt(tally, name, read_file, path, name)
    return tallies


def fuzz_sources(args: FuzzingArguments, folder: Path) -> dict[str, Tally]:
    """Damage one file of each set's download and read the set."""
    sys.path.insert(0, os.fspath(ROOT / "tests"))
    from source_files import BUILDERS  # type: ignore[import-not-found]  # the tests' invented downloads

    tallies: dict[str, Tally] = {}
    for source in tqdm(SOURCES, desc="sources", unit="set"):
        if source.name not in BUILDERS:
            continue
        rng, place = random.Random(f"{args.seed} {source.name}"), folder / source.name
        place.mkdir()
        path = BUILDERS[source.name](place)
        files = [p for p in sorted(place.rglob("*")) if p.is_file()]
        whole = {p: p.read_bytes() for p in files}
        tally = tallies.setdefault(f"source {source.name}", Tally())
        for _ in range(max(args.rounds // 3, 1)):
            hit = rng.choice(files)
            hit.write_bytes(damaged(whole[hit], rng))
            attempt(tally, hit.name, _read_all, source, path)
            hit.write_bytes(whole[hit])
    return tallies


def _read_all(source: Any, path: Path) -> None:  # noqa: ANN401
    for outcome in read_source(source, path):
        if isinstance(outcome, Example) and outcome.problems():
            raise AssertionError(f"an invalid row came through: {outcome.problems()}")


def fuzz_values(args: FuzzingArguments, qa: KoQasPipeline) -> dict[str, Tally]:
    """Pass strange documents, and strange arguments to a call."""
    rng = random.Random(args.seed)
    given, called = Tally(), Tally()
    for _ in tqdm(range(args.rounds * 10), desc="values", unit="value"):
        value = strange(rng)
        attempt(given, f"documents={value!r:.80}", load_documents, value)
    names = sorted(ASK_FIELDS)
    for _ in tqdm(range(args.calls), desc="calls", unit="call"):
        options = {rng.choice(names): rng.choice(VALUES) for _ in range(rng.randint(1, 3))}
        question = "한들강의 길이는?" if rng.random() < 0.7 else strange(rng)
        told = f"question={question!r:.60} {options!r:.120}"
        attempt(called, told, qa, question, **options)
    return {"documents of any type": given, "arguments of a call": called}


def fuzz_index(args: FuzzingArguments, qa: KoQasPipeline, folder: Path) -> dict[str, Tally]:
    """Damage one file of a saved index, load it and ask."""
    rng, tally, saved = random.Random(args.seed), Tally(), folder / "index"
    qa.save_index(os.fspath(saved))
    files = [p for p in sorted(saved.rglob("*")) if p.is_file()]
    whole = {p: p.read_bytes() for p in files}
    for _ in tqdm(range(args.calls), desc="index", unit="load"):
        hit = rng.choice(files)
        hit.write_bytes(damaged(whole[hit], rng))
        attempt(tally, hit.name, lambda: qa("한들강의 길이는?", documents=os.fspath(saved)))
        hit.write_bytes(whole[hit])
    return {"saved index": tally}


def fuzz_settings(args: FuzzingArguments, folder: Path) -> dict[str, Tally]:
    """Damage a small file of a repository and load it."""
    rng, tally, place = random.Random(args.seed), Tally(), folder / "repository"
    names = ("config.json", "adapter_config.json", "tokenizer_config.json", "generation_config.json")
    shutil.copytree(
        ROOT, place, ignore=shutil.ignore_patterns(".*", "runs", "tests", "train", "results", "__pycache__")
    )
    for _ in tqdm(range(max(args.calls // 8, 1)), desc="settings", unit="load"):
        hit = place / rng.choice(names)
        whole = hit.read_bytes()
        hit.write_bytes(damaged(whole, rng))
        attempt(tally, hit.name, lambda: load(os.fspath(place), PASSAGES))
        hit.write_bytes(whole)
    return {"settings of a repository": tally}


def main(args: FuzzingArguments) -> int:
    """Try everything and write the record; returns the number of crashes."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    record = record_of(args)
    with tempfile.TemporaryDirectory(prefix="koqas-fuzzing-") as place:
        folder = Path(place)
        tallies = fuzz_files(args, folder) | fuzz_sources(args, folder)
        qa = load(os.fspath(ROOT), PASSAGES)
        tallies |= fuzz_values(args, qa) | fuzz_index(args, qa, folder) | fuzz_settings(args, folder)
    kinds = Counter(c for t in tallies.values() for c in t.crashes)
    record |= {
        "seed": args.seed,
        "inputs": sum(t.inputs for t in tallies.values()),
        "refused": sum(t.refused for t in tallies.values()),
        "crashes_open": sum(len(t.crashes) for t in tallies.values()),
        "targets": {
            n: {"inputs": t.inputs, "refused": t.refused, "crashes": len(t.crashes)} for n, t in tallies.items()
        },
        "crashes": dict(kinds.most_common(SHOWN)),
    }
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(
        json.dumps(
            {k: record[k] for k in ("inputs", "refused", "crashes_open", "crashes")}, ensure_ascii=False, indent=1
        )
    )
    return int(record["crashes_open"])


if __name__ == "__main__":
    sys.exit(min(main(HfArgumentParser(FuzzingArguments).parse_args_into_dataclasses()[0]), 1))
