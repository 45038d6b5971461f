"""Read the training corpora: xz-compressed JSON lines in one folder, never part of the repository.

Comes in: a folder with kowiki, news_reports, laws and written_qa (`*.jsonl.xz`). Goes out: paragraphs and
passages with questions. Pages whose title is a KorQuAD development title are dropped here, for every user of
this module, since KorQuAD is for measuring only.
"""

import hashlib
import json
import lzma
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koqas.koqas_types import KoQasError

DEVELOPMENT_SHARE = 10  # one passage in ten of written_qa is kept for development
WRITTEN_FILE = Path(__file__).parent / "written" / "questions.jsonl"  # more questions, without their passages


@dataclass(frozen=True)
class WrittenQuestion:
    """A question somebody wrote about a passage; `answer` is empty where the passage does not hold one."""

    question: str
    answer: str
    evidence: str
    summary: str
    kind: str


@dataclass(frozen=True)
class Passage:
    """A passage with its questions."""

    id: str
    title: str
    text: str
    questions: tuple[WrittenQuestion, ...]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of an xz-compressed (or plain) JSON-lines file.

    Raises:
        KoQasError: The file is missing.
    """
    if not path.is_file():
        raise KoQasError(
            "data", f"말뭉치 파일이 없습니다: {path.name}", "point --data at the folder of the training corpora"
        )
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def forbidden_titles(folder: Path) -> frozenset[str]:
    """Return the SHA-1 digests of the KorQuAD development titles."""
    return frozenset((folder / "korquad_dev_titles.sha1").read_text("utf-8").split())


def is_forbidden(title: str, digests: frozenset[str]) -> bool:
    """Tell whether a title is a KorQuAD development title, written with spaces or underscores."""
    title = unicodedata.normalize("NFC", title)
    forms = (title, title.replace(" ", "_"), title.replace("_", " "))
    return any(hashlib.sha1(f.encode()).hexdigest() in digests for f in forms)


def articles(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield `(title, text)` of every page, report and statute that may be trained on."""
    digests = forbidden_titles(folder)
    for row in read_jsonl(folder / "kowiki.jsonl.xz"):
        if not is_forbidden(row["title"], digests):
            yield row["title"], row["text"]
    for row in read_jsonl(folder / "news_reports.jsonl.xz"):
        title, _, body = row["text"].partition("\n")
        yield title, body
    for row in read_jsonl(folder / "laws.jsonl.xz"):
        yield row["title"], re.sub(r"[#*\\]+|<(?:개정|신설|삭제)[^>]*>", "", row["text"])


def paragraphs(text: str, shortest: int = 120, longest: int = 480) -> list[str]:
    """Join lines into paragraphs of `shortest` to about `longest` characters; headings and scraps are dropped."""
    found: list[str] = []
    for line in (" ".join(x.split()) for x in text.split("\n")):
        if len(line) < 25:
            continue
        if found and len(found[-1]) + len(line) < longest:
            found[-1] += " " + line
        else:
            found.append(line)
    return [p[:1200] for p in found if len(p) >= shortest]


def plain_texts(folder: Path) -> list[str]:
    """Return all trainable paragraphs, in file order."""
    return [p for _, text in articles(folder) for p in paragraphs(text)]


def written_passages(folder: Path, split: str) -> list[Passage]:
    """Return the written questions of a split (`train` or `development`), split by a hash of the passage id."""
    passages = []
    digests = forbidden_titles(folder)
    for row in read_jsonl(folder / "written_qa.jsonl.xz"):
        kept_aside = int(hashlib.sha1(row["id"].encode()).hexdigest(), 16) % DEVELOPMENT_SHARE == 0
        if kept_aside != (split == "development") or is_forbidden(row["title"], digests):
            continue
        questions = tuple(
            WrittenQuestion(q["question"], q["answer"], q["evidence"], q["summary"], q["type"]) for q in row["qas"]
        )
        passages.append(Passage(row["id"], row["title"], row["text"], questions))
    return passages + (added_passages(folder) if split == "train" else [])


def added_passages(folder: Path) -> list[Passage]:
    """Return the training questions of written/questions.jsonl with their passages, found again in the corpora.

    Raises:
        KoQasError: A passage is not where it was when its questions were written.
    """
    rows = {row["id"]: row for row in read_jsonl(WRITTEN_FILE)} if WRITTEN_FILE.is_file() else {}
    passages: list[Passage] = []
    if not rows:
        return passages
    for article in read_jsonl(folder / "kowiki.jsonl.xz"):
        row = rows.pop(f"kowiki-{str(article['id']).removeprefix('kowiki-')}", None)
        if row is None:
            continue
        text = article["text"][row["start"] : row["end"]]
        if hashlib.sha256(text.encode()).hexdigest()[:16] != row["sha256"]:
            raise KoQasError("data", f"지문이 달라졌습니다: {row['id']}", "use the kowiki.jsonl.xz of 2023-01")
        questions = tuple(
            WrittenQuestion(
                q["question"], text[slice(*q.get("answer", (0, 0)))], text[slice(*q.get("evidence", (0, 0)))],
                q.get("summary", ""), q["type"],
            )
            for q in row["qas"]
        )  # fmt: skip
        passages.append(Passage(row["id"], article["title"], text, questions))
    if rows:
        raise KoQasError("data", f"지문이 말뭉치에 없습니다: {next(iter(rows))}", "use the kowiki.jsonl.xz of 2023-01")
    return passages
