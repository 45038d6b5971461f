"""Training rows for the adapter, as prompt trees: the written questions, or a CSV of long answers.

Comes in: the corpora folder, or a CSV with Context, Question, Summary, Answer. Goes out: prompt trees with
labels for relevance (is the passage about the same thing), usefulness (does it hold the answer), and the answer
conditioned on its summary.
"""

import csv
import random
import re
from pathlib import Path

import numpy as np
from tqdm import tqdm

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_ranker import AnalyzedQuestion, Ranker
from koqas.koqas_retrieval import Index, IndexSettings, query_of
from koqas.koqas_text import AnalyzedSentence, analyze, sentences_of
from koqas.koqas_types import Document, KoQasError
from koqas.train.corpora import Passage, WrittenQuestion, written_passages
from koqas.train.judgements import Judged, judgement_tree
from koqas.train.readings import reading_tree
from koqas.train.trees import LossWeights, PromptTree, TreeQuestion, prompt_tree

CANDIDATES = 16  # spans shown in a reading
SHOWN_SENTENCES = (1, 2, 3, 3, 4)  # how many sentences a reading shows, drawn anew each time

CSV_COLUMNS = ("Context", "Question", "Summary", "Answer")
REFUSAL = re.compile("없습니다|없어요|나와 있지 않|확인할 수 없|알 수 없|찾을 수 없|다루지 않")


def written_trees(
    folder: Path, chat: ChatFormat, ranker: Ranker, longest: int, seed: int, copies: int = 1
) -> list[PromptTree]:
    """Build trees of the written training questions: a reading for each, a judgement tree for each passage.

    A reading shows the best sentences of the passage, as serving does; where the evidence is not among them it takes
    the place of the last one, or the question is read as unanswerable. A judgement tree asks a passage its own
    questions, one of a BM25 neighbour and one of a random passage.

    Args:
        folder (`Path`): Folder of the corpora.
        chat (`ChatFormat`): Prompt format.
        ranker (`Ranker`): Scores sentences.
        longest (`int`): Longest tree in tokens.
        seed (`int`): Seed of negatives, sentences and order.
        copies (`int`): Different draws of negatives, sentences and title drops for each passage.
    """
    rng = random.Random(seed)
    passages = written_passages(folder, "train")
    neighbours = _bm25_neighbours(passages)
    analyzed = list(analyze(tqdm([p.text for p in passages], desc="passages")))
    questions = [[ranker.analyzed_question(sentences_of(q.question)) for q in p.questions] for p in passages]
    trees: list[PromptTree | None] = []
    for _ in range(copies):
        for number, (passage, sentences) in enumerate(zip(passages, analyzed, strict=True)):
            title = passage.title if rng.random() < 0.75 else ""
            for q, question in zip(passage.questions, questions[number], strict=True):
                trees.append(_reading(chat, ranker, title, q, question, sentences, rng))
            own = [Judged(a.sentences, True, bool(q.answer)) for q, a in zip(passage.questions, questions[number])]
            near = rng.choice(questions[rng.choice(neighbours[number])])
            far = rng.choice(rng.choice(questions))
            judged = [*own, Judged(near.sentences, False, False), Judged(far.sentences, False, False)]
            known = [m for s in sentences_of(title) for m in s.tokens] if title else []
            trees.append(judgement_tree(chat, sentences, title, known, judged, LossWeights(), longest))
    kept = [t for t in trees if t and len(t.input_ids) <= longest]
    rng.shuffle(kept)
    return kept


def _reading(
    chat: ChatFormat,
    ranker: Ranker,
    title: str,
    q: WrittenQuestion,
    question: AnalyzedQuestion,
    sentences: list[AnalyzedSentence],
    rng: random.Random,
) -> PromptTree | None:
    scores = ranker.sentence_scores(question, sentences)
    order = sorted(range(len(sentences)), key=lambda i: -scores[i])[: rng.choice(SHOWN_SENTENCES)]
    holding = [i for i, s in enumerate(sentences) if q.answer and q.answer in s.text]
    gold = [i for i in holding if sentences[i].text in q.evidence or q.evidence in sentences[i].text] or holding
    answer = q.answer
    if answer and not set(order) & set(gold):
        if gold and rng.random() < 0.85:
            order[-1] = rng.choice(gold)
        else:
            answer = ""
    shown = [sentences[i] for i in sorted(set(order))]
    if not answer and any(q.answer and q.answer in s.text for s in shown):
        return None  # the answer's words without its evidence: neither right nor wrong
    return reading_tree(chat, title, question.sentences, answer, shown, CANDIDATES, rng)


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
    """Build trees from a CSV with the columns Context, Question, Summary, Answer.

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
    return kept


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
