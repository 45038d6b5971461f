"""Draw rule-made questions for a person to judge, and keep the judgement.

    python train/made_sample.py --data DIR                       # prints numbered questions
    python train/made_sample.py --data DIR --accepted 3 8 21     # writes results/made_questions.json

A question is acceptable when a reader would take it for one a person wrote: it is grammatical, asks for what its
answer is, and says no other thing than the text. The record keeps numbers and a hash of the sample, since the texts
are not the project's own.
"""

import hashlib
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from transformers import HfArgumentParser

from koqas.koqas_text import analyze
from koqas.train.corpora import articles, paragraphs
from koqas.train.provenance import record_of
from koqas.train.questions import questions_of


@dataclass
class MadeSampleArguments:
    """What `train/made_sample.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        count (`int`): Questions drawn.
        seed (`int`): Seed of the sample.
        accepted (`list[int]`): Numbers of the acceptable ones; empty prints the sample.
        out (`str`): Where the record goes.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    count: int = 100
    seed: int = 3
    accepted: list[int] = field(default_factory=list)
    out: str = "results/made_questions.json"


def drawn(folder: Path, count: int, seed: int) -> list[str]:
    """Return lines of question, answer and sentence, one of a paragraph."""
    rng = random.Random(seed)
    pages = [(title, p) for title, text in articles(folder) for p in paragraphs(text)]
    rng.shuffle(pages)
    lines: list[str] = []
    chosen = pages[: 4 * count]  # a third of the paragraphs gives no question
    for (title, _), sentences in zip(chosen, analyze(text for _, text in chosen), strict=True):
        made = questions_of(sentences, title, 5, rng)
        if made and len(lines) < count:
            m = rng.choice(made)
            lines.append(f"{m.question} | {m.answer}")
    return lines


def main(args: MadeSampleArguments) -> None:
    """Print or record."""
    lines = drawn(Path(args.data), args.count, args.seed)
    if not args.accepted:
        print("\n".join(f"{n} {line}" for n, line in enumerate(lines)))
        return
    record = record_of(args) | {
        "n": len(lines),
        "accepted_share": len(args.accepted) / len(lines),
        "sample_sha256": hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest(),
    }
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{record['accepted_share']:.0%} of {len(lines)} accepted")


if __name__ == "__main__":
    main(HfArgumentParser(MadeSampleArguments).parse_args_into_dataclasses()[0])
