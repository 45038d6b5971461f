"""Make the encoder's raw material from Wikipedia: long documents, and rule-made questions about them.

    python train/encoder_documents.py --data DIR --pages text --out runs/encoder_data

Comes in: a folder written by WikiExtractor (`<doc id= url= title=>` … `</doc>`), or without `--pages` the articles among
the corpora. Goes out: `docs.jsonl` (title, text) and `made.jsonl` (`[title, passage, [[question, start, end], …]]`).
Pages whose title is a KorQuAD development title are dropped, as everywhere.
"""

import html
import json
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path

from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_text import analyze
from koqas.train.corpora import articles, forbidden_titles, is_forbidden, paragraphs
from koqas.train.questions import questions_of

PAGE = re.compile(r'<doc id="\d+" url="[^"]*" title="([^"]*)">\n(.*?)\n</doc>', re.DOTALL)
EMPTY_BRACKETS = re.compile(r"\(\s*[,;]?\s*\)")  # what extraction leaves of foreign names
SHORTEST_LINE, SHORTEST_PAGE, LONGEST_PAGE = 25, 500, 12_000  # characters
HANGUL_SHARE = 0.45
LONGEST_TITLE = 25  # characters; longer titles are not woven into questions


@dataclass
class DocumentArguments:
    """What `train/encoder_documents.py` needs to know.

    Args:
        data (`str`): Folder of the corpora, for the titles that may not be used.
        pages (`str`): Folder written by WikiExtractor; empty: the articles of `data`.
        out (`str`): Folder to write.
        minutes (`float`): Time given to making questions (60,000 passages take six on one core).
        seed (`int`): Seed of the order of pages and of the questions.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    pages: str = ""
    out: str = "runs/encoder_data"
    minutes: float = 11.0
    seed: int = 1


def kept_lines(text: str) -> list[str]:
    """Return the lines of a page that are Korean sentences; headings, lists and foreign text are dropped."""
    lines = (re.sub(r"\s+", " ", EMPTY_BRACKETS.sub("", line)).strip() for line in text.split("\n"))
    return [
        line
        for line in lines
        if len(line) >= SHORTEST_LINE
        and line[-1] in '.!?"”)다'
        and len(re.findall("[가-힣]", line)) > HANGUL_SHARE * len(line)
    ]


def pages(folder: Path, digests: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield `(title, text)` of the pages that are long enough and may be used."""
    for path in tqdm(sorted(p for p in folder.rglob("wiki_*") if p.is_file()), desc="pages"):
        for title, text in PAGE.findall(path.read_text("utf-8")):
            title = html.unescape(title)
            kept = "\n".join(kept_lines(html.unescape(text).split("\n", 1)[-1]))
            if len(kept) >= SHORTEST_PAGE and not is_forbidden(title, digests):
                yield title, kept[:LONGEST_PAGE]


def made(documents: list[tuple[str, str]], seed: int) -> Iterator[list[object]]:
    """Yield passages in random order with up to three rule-made questions each."""
    rng = random.Random(seed)
    rng.shuffle(documents)

    def passages() -> Iterator[tuple[str, str]]:
        for title, text in documents:
            found = paragraphs(text)
            yield from ((title, p) for p in rng.sample(found, min(3, len(found))))

    shown, analyzed = tee(passages())
    for (title, passage), sentences in zip(shown, analyze(p for _, p in analyzed), strict=True):
        questions = questions_of(sentences, title if len(title) <= LONGEST_TITLE else "", 3, rng)
        rows = [
            [q.question, passage.find(q.answer), passage.find(q.answer) + len(q.answer)]
            for q in questions
            if passage.count(q.answer) == 1
        ]
        if rows:
            yield [title, passage, rows]


def main(args: DocumentArguments) -> None:
    """Read, write, ask."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    documents = []
    data = Path(args.data)
    given = pages(Path(args.pages), forbidden_titles(data)) if args.pages else articles(data)
    with (out / "docs.jsonl").open("w", encoding="utf-8") as file:
        for title, text in given:
            documents.append((title, text))
            file.write(json.dumps({"title": title, "text": text}, ensure_ascii=False) + "\n")
    ends = time.monotonic() + 60 * args.minutes
    with (out / "made.jsonl").open("w", encoding="utf-8") as file:
        for row in tqdm(made(documents, args.seed), desc="questions"):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            if time.monotonic() > ends:
                break


if __name__ == "__main__":
    main(HfArgumentParser(DocumentArguments).parse_args_into_dataclasses()[0])
