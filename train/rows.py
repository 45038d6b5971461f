"""Training rows for the adapter, as prompt trees: the written questions, or a CSV of long answers.

Comes in: the corpora folder, or a CSV with Context, Question, Summary, Answer. Goes out: packed prompt trees with
labels for relevance (is the passage about the same thing), usefulness (does it hold the answer), and the answer
conditioned on its summary.
"""

import csv
import random
import re
from pathlib import Path

import numpy as np

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_retrieval import Index, IndexSettings, query_of
from koqas.koqas_text import analyze
from koqas.koqas_types import Document, KoQasError
from koqas.train.corpora import Passage, WrittenQuestion, written_passages
from koqas.train.trees import LossWeights, PromptTree, TreeQuestion, pack, prompt_tree

CSV_COLUMNS = ("Context", "Question", "Summary", "Answer")
REFUSAL = re.compile("없습니다|없어요|나와 있지 않|확인할 수 없|알 수 없|찾을 수 없|다루지 않")


def written_trees(folder: Path, chat: ChatFormat, longest: int, seed: int, copies: int = 1) -> list[PromptTree]:
    """Build packed trees of the written training questions.

    Each passage stands once whole, with its own questions, one of a BM25 neighbour and one of a random
    passage; two of its sentences stand alone, since serving scores sentences with the same prompt.

    Args:
        folder (`Path`): Folder of the corpora.
        chat (`ChatFormat`): Prompt format.
        longest (`int`): Tokens of a packed sequence.
        seed (`int`): Seed of negatives and order.
        copies (`int`): Different draws of negatives, sentences and title drops for each passage.
    """
    rng = random.Random(seed)
    passages = written_passages(folder, "train")
    neighbours = _bm25_neighbours(passages)
    sentences = [[s.text for s in found] for found in analyze(p.text for p in passages)]
    trees: list[PromptTree | None] = []
    for _ in range(copies):
        for passage, near, parts in zip(passages, neighbours, sentences):
            others = [rng.choice(passages[rng.choice(near)].questions).question]
            others.append(rng.choice(rng.choice(passages).questions).question)
            foreign = [TreeQuestion(q, False, False) for q in others]
            own = [_whole(q) for q in passage.questions]
            title = passage.title if rng.random() < 0.7 else ""
            trees.append(prompt_tree(chat, [passage.text], title, [*own, *foreign], LossWeights(), longest))
            for part in _instructive(parts, passage.questions, rng):
                asked = [_single(q, part) for q in rng.sample(passage.questions, min(4, len(passage.questions)))]
                trees.append(prompt_tree(chat, [part], title, asked, LossWeights(), longest))
    kept = [t for t in trees if t]
    rng.shuffle(kept)
    return pack(kept, longest)


def _whole(q: WrittenQuestion) -> TreeQuestion:
    if not q.answer:
        return TreeQuestion(q.question, True, False)
    return TreeQuestion(q.question, True, True, q.evidence, q.answer)


def _single(q: WrittenQuestion, sentence: str) -> TreeQuestion:
    holds = bool(q.answer) and q.answer in sentence and sentence in q.evidence
    if holds and sentence == q.evidence:
        return TreeQuestion(q.question, None, True, q.evidence, q.answer)
    return TreeQuestion(q.question, None, holds)


def _instructive(parts: list[str], questions: tuple[WrittenQuestion, ...], rng: random.Random) -> list[str]:
    """Choose up to two sentences, one of them evidence where there is any."""
    holding = [p for p in parts if any(q.answer and p in q.evidence for q in questions)]
    first = rng.sample(holding, min(1, len(holding)))
    rest = [p for p in parts if p not in first]
    return [*first, *rng.sample(rest, min(1, len(rest)))]


def _bm25_neighbours(passages: list[Passage], count: int = 6) -> list[list[int]]:
    """Return for each passage the numbers of the passages that BM25 finds for its first question."""
    documents = [Document(str(i), p.text, p.title) for i, p in enumerate(passages)]
    index = Index.build(documents, None, IndexSettings(max_chars=10**9))
    found = []
    for number, passage in enumerate(passages):
        hits = index.search(query_of(passage.questions[0].question), count + 1)
        found.append([n for n in (int(h.chunk.document) for h in hits) if n != number][:count])
    return found


def csv_trees(path: Path, chat: ChatFormat, longest: int, seed: int) -> list[PromptTree]:
    """Build packed trees from a CSV with the columns Context, Question, Summary, Answer.

    Raises:
        KoQasError: Missing file or column, no rows, an empty cell (row named).
    """
    rows = read_csv(path)
    rng = random.Random(seed)
    trees = []
    for row in rows:
        passages = re.sub(r"(?m)^\[\d+\] ", "", row["Context"]).split("\n")
        answerable = not REFUSAL.search(row["Answer"])
        asked = TreeQuestion(row["Question"], True, answerable, row["Summary"], row["Answer"])
        foreign = TreeQuestion(
            rng.choice([r["Question"] for r in rows if r is not row] or [row["Question"]]), False, False
        )
        trees.append(prompt_tree(chat, passages, "", [asked, foreign], LossWeights(), longest))
    kept = [t for t in trees if t]
    if not kept:
        raise KoQasError("longest", f"{longest} 토큰에 들어가는 행이 없습니다.", "raise --longest")
    print(
        f"{len(kept)} of {len(rows)} rows fit {longest} tokens; mean {np.mean([len(t.input_ids) for t in kept]):.0f}"
    )
    return pack(kept, longest)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a long-answer CSV.

    Raises:
        KoQasError: See `csv_trees`.
    """
    if not path.is_file():
        raise KoQasError("rows", f"파일이 없습니다: {path}", "pass a CSV path, or 'written' with --data")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    missing = [c for c in CSV_COLUMNS if rows and c not in rows[0]]
    if not rows or missing:
        raise KoQasError(
            "rows", f"열이 없거나 비어 있습니다: {missing or path}", f"columns must be {', '.join(CSV_COLUMNS)}"
        )
    for number, row in enumerate(rows, start=2):
        for column in CSV_COLUMNS:
            if not (row[column] or "").strip():
                raise KoQasError(
                    f"rows: {path.name} line {number}, {column}", "빈 칸입니다.", "fill the cell or drop the row"
                )
    return rows
