"""Draw passages for people who write questions, check what they wrote, and keep it without the passages.

    python train/writing.py --action draw --data DIR --out passages.jsonl --count 100 --seed 1
    python train/writing.py --action check --data DIR --passages passages.jsonl --written written.jsonl
    python train/writing.py --action keep --data DIR --passages passages.jsonl --written written.jsonl

`keep` appends to written/questions.jsonl: the questions and summaries are the project's own text, but passages belong
to the corpora and stay there, so an answer and its evidence are kept as offsets into a passage that is found again by
its place in the article and checked by its digest.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_types import KoQasError
from koqas.train.corpora import WRITTEN_FILE, forbidden_titles, is_forbidden, read_jsonl

SHORTEST, LONGEST = 350, 950
TYPES = frozenset("person org place date number thing title reason other none".split())
SHARED_WORDS = 4  # this many consecutive words of the passage in a question: it echoes the text


@dataclass
class WritingArguments:
    """What `train/writing.py` needs to know.

    Args:
        action (`str`): `draw`, `check` or `keep`.
        data (`str`): Folder of the corpora.
        passages (`str`): Drawn passages, for `check` and `keep`.
        written (`str`): Written questions, JSON lines of `{"id", "qas"}`.
        out (`str`): File that `draw` writes.
        count (`int`): Passages to draw.
        seed (`int`): Seed of the draw.
    """

    action: str = field(metadata={"choices": ["draw", "check", "keep"]})
    data: str
    passages: str = "passages.jsonl"
    written: str = "written.jsonl"
    out: str = "passages.jsonl"
    count: int = 100
    seed: int = 0


@dataclass(frozen=True)
class DrawnPassage:
    """A passage as cut from its article: `text` is `article[start:end]`."""

    id: str
    title: str
    text: str
    start: int
    end: int


def cut(text: str, rng: random.Random) -> tuple[int, int] | None:
    """Return where a run of whole lines of `SHORTEST` to `LONGEST` characters starts and ends, at random."""
    lines = [m.span() for m in re.finditer(r"[^\n]+", text)]
    rng.shuffle(lines)
    for start, _ in lines:
        ends = [e for _, e in lines if SHORTEST <= e - start <= LONGEST]
        if ends:
            return start, max(ends)
    return None


def draw(folder: Path, count: int, seed: int) -> list[DrawnPassage]:
    """Draw passages from articles that have no written questions yet."""
    rng = random.Random(seed)
    digests = forbidden_titles(folder)
    used = {row["id"] for row in read_jsonl(folder / "written_qa.jsonl.xz")}
    used |= {row["id"] for row in read_jsonl(WRITTEN_FILE)} if WRITTEN_FILE.is_file() else set()
    rows = [r for r in read_jsonl(folder / "kowiki.jsonl.xz") if f"kowiki-{_number(r)}" not in used]
    rng.shuffle(rows)
    drawn = []
    for row in rows:
        place = None if is_forbidden(row["title"], digests) else cut(row["text"], rng)
        if place:
            text = row["text"][slice(*place)]
            drawn.append(DrawnPassage(f"kowiki-{_number(row)}", row["title"], text, *place))
        if len(drawn) == count:
            break
    return drawn


def _number(row: dict[str, Any]) -> str:
    return str(row["id"]).removeprefix("kowiki-")


def problems(passage: DrawnPassage, qas: list[dict[str, str]]) -> Iterator[str]:
    """Yield what is wrong with the questions of a passage."""
    if sum(q["type"] == "none" for q in qas) != 1 or len(qas) != 5:
        yield "five questions are needed, exactly one of type none"
    if len({q["question"].strip() for q in qas}) < len(qas):
        yield "two questions are alike"
    words = passage.text.split()
    runs = {" ".join(words[i : i + SHARED_WORDS]) for i in range(len(words))}
    for number, q in enumerate(qas):
        asked = q["question"].split()
        if any(" ".join(asked[i : i + SHARED_WORDS]) in runs for i in range(len(asked) - SHARED_WORDS + 1)):
            yield f"question {number} repeats {SHARED_WORDS} words of the passage"
        yield from (f"question {number}: {problem}" for problem in _answer_problems(passage, q))


def _answer_problems(passage: DrawnPassage, q: dict[str, str]) -> Iterator[str]:
    if q["type"] not in TYPES:
        yield f"unknown type {q['type']!r}"
    elif q["type"] == "none":
        if q["answer"] or q["evidence"] or q["summary"]:
            yield "none takes no answer, evidence or summary"
    elif not q["answer"] or q["answer"] not in q["evidence"]:
        yield "the answer is not in its evidence"
    elif q["evidence"] not in passage.text:
        yield "the evidence is not in the passage"
    elif q["summary"] and q["answer"] not in q["summary"]:
        yield "the summary does not contain the answer"


def check(passages: Path, written: Path) -> list[tuple[DrawnPassage, list[dict[str, str]]]]:
    """Return passages whose questions are sound; print what is wrong with the others."""
    known = {row["id"]: DrawnPassage(**row) for row in read_jsonl(passages)}
    sound, seen = [], set()
    for number, row in enumerate(read_jsonl(written), start=1):
        passage = known.get(row["id"])
        if passage is None or passage.id in seen:
            print(f"line {number}: id {row['id']} is {'written twice' if passage else 'not among the passages'}")
            continue
        seen.add(passage.id)
        found = list(problems(passage, row["qas"]))
        for problem in found:
            print(f"line {number} ({passage.id}): {problem}")
        if not found:
            sound.append((passage, row["qas"]))
    return sound


def kept_row(passage: DrawnPassage, qas: list[dict[str, str]]) -> dict[str, Any]:
    """Return what is kept of a passage and its questions: own words and offsets."""
    rows = []
    for q in qas:
        row: dict[str, Any] = {"type": q["type"], "question": q["question"].strip()}
        if q["answer"]:
            at = passage.text.index(q["evidence"])
            inside = at + q["evidence"].index(q["answer"])
            row["evidence"] = [at, at + len(q["evidence"])]
            row["answer"] = [inside, inside + len(q["answer"])]
        if q["summary"]:
            row["summary"] = q["summary"]
        rows.append(row)
    digest = hashlib.sha256(passage.text.encode()).hexdigest()[:16]
    return {"id": passage.id, "start": passage.start, "end": passage.end, "sha256": digest, "qas": rows}


def main(args: WritingArguments) -> None:
    """Draw, check or keep."""
    if args.action == "draw":
        with Path(args.out).open("x", encoding="utf-8") as lines:
            for passage in draw(Path(args.data), args.count, args.seed):
                lines.write(json.dumps(asdict(passage), ensure_ascii=False) + "\n")
        return
    sound = check(Path(args.passages), Path(args.written))
    print(f"{len(sound)} passages are sound")
    if args.action == "keep":
        known = {row["id"] for row in read_jsonl(WRITTEN_FILE)} if WRITTEN_FILE.is_file() else set()
        fresh = [kept_row(p, qas) for p, qas in tqdm(sound) if p.id not in known]
        if not fresh:
            raise KoQasError("written", "새로 더할 질문이 없습니다.", "every passage is kept already or has problems")
        with WRITTEN_FILE.open("a", encoding="utf-8") as lines:
            for row in fresh:
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(HfArgumentParser(WritingArguments).parse_args_into_dataclasses()[0])
