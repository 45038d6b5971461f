"""Show right and wrong answers on development questions, for the card.

    python train/showcase.py --data DIR --repository .

Every question is asked end to end over all development passages. The first five of each kind in a random order are
kept, not chosen. Writes results/showcase.json.
"""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_pipeline import load
from koqas.train.corpora import written_passages
from koqas.train.provenance import record_of


@dataclass
class ShowcaseArguments:
    """What `train/showcase.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        repository (`str`): Repository folder.
        questions (`int`): Questions asked.
        kept (`int`): Examples kept of each kind.
        seed (`int`): Seed of the order.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    repository: str = "."
    questions: int = 100
    kept: int = 5
    seed: int = 0


def main(args: ShowcaseArguments) -> None:
    """Ask, compare, keep."""
    folder = Path(args.repository)
    passages = written_passages(Path(args.data), "development")
    qa = load(args.repository, documents=[{"id": p.id, "title": p.title, "text": p.text} for p in passages])
    asked = [q for p in passages for q in p.questions]
    random.Random(args.seed).shuffle(asked)
    right: list[dict[str, str]] = []
    wrong: list[dict[str, str]] = []
    for q in tqdm(asked[: args.questions], desc="questions"):
        result = qa(q.question)
        example = {"question": q.question, "given": result["answer"], "gold": q.answer, "type": q.kind}
        (right if result["answer"] == q.answer else wrong).append(example)
    record = record_of(args) | {
        "n": len(right) + len(wrong),
        "right": len(right),
        "right_examples": right[: args.kept],
        "wrong_examples": wrong[: args.kept],
    }
    (folder / "results" / "showcase.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{len(right)} of {record['n']} right")


if __name__ == "__main__":
    main(HfArgumentParser(ShowcaseArguments).parse_args_into_dataclasses()[0])
