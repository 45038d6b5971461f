"""Write what the encoder's trainings read, so that they need neither Kiwi nor the corpora at hand.

    python train/encoder_data.py --data DIR --documents docs.jsonl --made made.jsonl --out runs/encoder_data

Comes in: long documents (JSON lines with title and text), rule-made questions (JSON lines `[title, passage, [[question,
start, end], …]]`) and the written questions. Goes out: `stream.npy`, a stream of token ids for pretraining, and
`questions.npz` for fine-tuning, in which every question has the passages that it will be asked of without an answer.
"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from tokenizers import Encoding, Tokenizer
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_encoder import END, START
from koqas.train.corpora import forbidden_titles, is_forbidden, written_passages

NEGATIVES = 4  # passages for each question that do not answer it: near ones first


@dataclass
class EncoderDataArguments:
    """What `train/encoder_data.py` needs to know.

    Args:
        data (`str`): Folder of the corpora.
        documents (`str`): Documents for pretraining.
        made (`str`): Rule-made questions.
        most (`int`): Passages with rule-made questions used.
        out (`str`): Folder to write.
        tokens (`int`): Length of the stream.
        tokenizer (`str`): tokenizer.json of the encoder.
        seed (`int`): Seed of the choice of documents and negatives.
    """

    data: str = field(metadata={"help": "folder of the corpora"})
    documents: str = field(metadata={"help": "documents for pretraining"})
    made: str = field(metadata={"help": "rule-made questions"})
    most: int = 42_000
    out: str = "runs/encoder_data"
    tokens: int = 44_000_000
    tokenizer: str = "tokenizer.json"
    seed: int = 0


@dataclass(frozen=True)
class AskedSpan:
    """A question with the characters of its passage that answer it (none: it has no answer there)."""

    question: str
    passage: int
    spans: tuple[tuple[int, int], ...]
    kind: int


@dataclass(frozen=True)
class TitledText:
    """A passage and the title of its article."""

    title: str
    text: str


MADE, WRITTEN, DEVELOPMENT = 0, 1, 2


def stream(args: EncoderDataArguments, tokenizer: Tokenizer) -> np.ndarray:
    """Return token ids of documents in random order, each with its title before it."""
    digests, rng = forbidden_titles(Path(args.data)), random.Random(args.seed)
    rows = [r for r in map(json.loads, Path(args.documents).open(encoding="utf-8"))]
    rng.shuffle(rows)
    parts, count = [], 0
    with tqdm(total=args.tokens, desc="stream") as bar:
        for begin in range(0, len(rows), 500):
            kept = [r for r in rows[begin : begin + 500] if not is_forbidden(r["title"], digests)]
            for encoding in tokenizer.encode_batch([f"{r['title']}\n{r['text']}" for r in kept]):
                parts.append(np.array([START, *encoding.ids, END], dtype=np.uint16))
                bar.update(len(parts[-1]))
                count += len(parts[-1])
            if count >= args.tokens:
                break
    return np.concatenate(parts)[: args.tokens]


def written(folder: Path, split: str, kind: int, passages: list[TitledText]) -> Iterator[AskedSpan]:
    """Yield the written questions of a split; answers elsewhere than in the cited sentence do not count."""
    for passage in written_passages(folder, split):
        number = len(passages)
        passages.append(TitledText(passage.title, passage.text))
        for q in passage.questions:
            yield AskedSpan(q.question, number, tuple(places_of(passage.text, q.answer, q.evidence)), kind)


def places_of(text: str, answer: str, evidence: str) -> list[tuple[int, int]]:
    """Return where an answer stands in its evidence, or anywhere if it does not stand there."""
    if not answer:
        return []
    at = text.find(evidence) if evidence else -1
    within = (at, at + len(evidence)) if at >= 0 and answer in evidence else (0, len(text))
    starts = [i for i in range(*within) if text.startswith(answer, i) and i + len(answer) <= within[1]]
    return [(i, i + len(answer)) for i in starts]


def made(path: Path, most: int, passages: list[TitledText]) -> Iterator[AskedSpan]:
    """Yield rule-made questions."""
    for line in islice(path.open(encoding="utf-8"), most):
        title, text, asked = json.loads(line)
        passages.append(TitledText(title, text))
        for question, start, end in asked:
            yield AskedSpan(question, len(passages) - 1, ((start, end),), MADE)


def negatives(asked: list[AskedSpan], questions: list[list[int]], texts: list[list[int]], seed: int) -> np.ndarray:
    """Return for each question passages of its kind that share its rare words, and one random one.

    Returns:
        `np.ndarray`: Int32 `(questions, NEGATIVES)`.
    """
    rng, size = np.random.default_rng(seed), 1 + max(max(t, default=0) for t in [*texts, *questions])
    found = np.zeros((len(asked), NEGATIVES), dtype=np.int32)
    for kind in (MADE, WRITTEN, DEVELOPMENT):
        own = np.array([n for n, a in enumerate(asked) if a.kind == kind])
        pool = np.unique([asked[n].passage for n in own]) if len(own) else own
        for block in np.array_split(rng.permutation(len(pool)), max(1, len(pool) // 5000)) if len(pool) else ():
            chosen = pool[np.sort(block)]  # blocks keep the product small; a neighbour among 5,000 is near enough
            rows = own[np.isin([asked[n].passage for n in own], chosen)]
            near = _nearest([questions[n] for n in rows], [texts[p] for p in chosen], size)
            for row, order in zip(rows, near, strict=True):
                others = [chosen[i] for i in order if chosen[i] != asked[row].passage]
                found[row] = [*others[: NEGATIVES - 2], rng.choice(others[NEGATIVES - 2 :]), rng.choice(chosen)]
    return found


def _nearest(questions: list[list[int]], texts: list[list[int]], size: int) -> list[np.ndarray]:
    """Return for each question the 20 texts of greatest TF-IDF likeness, best first."""
    document = _binary(texts, size)
    weight = np.log(len(texts) / (1.0 + np.asarray(document.sum(0))[0])).clip(0) ** 2
    norm = np.sqrt(np.asarray(document.multiply(weight).sum(1))[:, 0]) + 1e-6
    likeness = (_binary(questions, size).multiply(weight).tocsr() @ document.T).tocsr()
    orders = []
    for row in range(len(questions)):
        values = likeness.getrow(row).toarray()[0] / norm
        orders.append(np.argsort(-values, kind="stable")[:20])
    return orders


def _binary(rows: list[list[int]], size: int) -> csr_matrix:
    sets = [sorted(set(r)) for r in rows]
    indptr = np.cumsum([0, *map(len, sets)])
    return csr_matrix((np.ones(indptr[-1]), np.concatenate(sets), indptr), shape=(len(rows), size))


def tokens_of(encoding: Encoding, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the first and last token of each span of characters."""
    found = []
    for start, end in spans:
        inside = [n for n, (begin, stop) in enumerate(encoding.offsets) if begin < end and stop > start]
        found += [(inside[0], inside[-1])] if inside else []
    return found


def flat(rows: list[list[int]], dtype: type = np.uint16) -> dict[str, np.ndarray]:
    """Return rows of different lengths as one array and where each begins."""
    return {"values": np.array([v for r in rows for v in r], dtype=dtype), "begins": np.cumsum([0, *map(len, rows)])}


def main(args: EncoderDataArguments) -> None:
    """Tokenize and write."""
    out, tokenizer, folder = Path(args.out), Tokenizer.from_file(args.tokenizer), Path(args.data)
    out.mkdir(parents=True, exist_ok=True)
    passages: list[TitledText] = []
    asked = [*written(folder, "train", WRITTEN, passages), *written(folder, "development", DEVELOPMENT, passages)]
    asked += made(Path(args.made), args.most, passages)
    texts = tokenizer.encode_batch([p.text for p in passages], add_special_tokens=False)
    titles = [e.ids for e in tokenizer.encode_batch([p.title for p in passages], add_special_tokens=False)]
    questions = [e.ids for e in tokenizer.encode_batch([a.question for a in asked], add_special_tokens=False)]
    golds = [[v for pair in tokens_of(texts[a.passage], a.spans) for v in pair] for a in tqdm(asked, desc="spans")]
    arrays: dict[str, np.ndarray] = {
        "passage": np.array([a.passage for a in asked], dtype=np.int32),
        "kind": np.array([a.kind for a in asked], dtype=np.int8),
        "negatives": negatives(asked, questions, [e.ids for e in texts], args.seed),
    }
    parts = {"texts": [e.ids for e in texts], "titles": titles, "questions": questions, "golds": golds}
    for name, rows in parts.items():
        arrays |= {f"{name}.{k}": v for k, v in flat(rows).items()}
    np.savez(out / "questions.npz", **arrays)  # type: ignore[arg-type]
    np.save(out / "stream.npy", stream(args, tokenizer))


if __name__ == "__main__":
    main(HfArgumentParser(EncoderDataArguments).parse_args_into_dataclasses()[0])
