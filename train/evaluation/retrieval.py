"""Retrieval over any questions with relevant documents, a set in BEIR layout among them.

Comes in: an index, queries, judgements. Goes out: nDCG@10, Hit@k, MRR. A document ranks with its best chunk.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from koqas.koqas_retrieval import Index, query_of
from koqas.koqas_types import Document, KoQasError
from koqas.train.evaluation.bench import Bench, Report, required
from koqas.train.evaluation.ranking import DEPTH, rank_score

SYSTEMS = {"fused": {}, "lexical": {"dense": False}, "dense": {"lexical": False}}
SPLITS = ("test", "dev", "train")


@dataclass(frozen=True)
class Judged:
    """A query with the grades of its judged documents."""

    question: str
    relevant: Mapping[str, float]


@dataclass(frozen=True)
class RetrievalSet:
    """Documents, and queries with judgements."""

    documents: list[Document]
    queries: list[Judged]


def ranked_documents(index: Index, question: str, **systems: bool) -> list[str]:
    """Return the ids of the ten best documents; chunks are drawn until ten documents are found or none are left."""
    query, found, wanted = query_of(question), dict[str, None](), 25
    while True:
        found = dict.fromkeys(s.chunk.document for s in index.search(query, wanted, **systems))
        if len(found) >= DEPTH or wanted >= len(index.chunks):
            return list(found)[:DEPTH]
        wanted *= 4


def retrieval(index: Index, queries: list[Judged]) -> dict[str, Report]:
    """Measure BM25 and dense vectors, fused and each alone (dense only where the index has vectors)."""
    report = {}
    for name, systems in SYSTEMS.items():
        if name == "dense" and index.dense is None:
            continue
        bar = tqdm(queries, desc=f"retrieval, {name}", unit="q", dynamic_ncols=True)
        scores = [rank_score(ranked_documents(index, q.question, **systems), q.relevant).to_dict() for q in bar]
        report[name] = {"n": len(scores)} | {k: round(float(np.mean([s[k] for s in scores])), 4) for k in scores[0]}
    return report


def beir(bench: Bench) -> Report:
    """Measure a set in BEIR layout."""
    found = read_beir(Path(required(bench.arguments, "beir")))
    index = bench.qa.build_index(found.documents, progress=True)
    return {"documents": len(found.documents), "chunks": len(index.chunks)} | retrieval(index, found.queries)


def read_beir(folder: Path) -> RetrievalSet:
    """Read `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` (else dev, else train).

    Raises:
        KoQasError: A file is missing or a line is bad (named), or no query has a relevant document.
    """
    split = next((s for s in SPLITS if (folder / "qrels" / f"{s}.tsv").is_file()), "test")
    grades: dict[str, dict[str, float]] = {}
    try:
        with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                grades.setdefault(row["query-id"], {})[row["corpus-id"]] = float(row["score"])
        documents = [
            Document(str(r["_id"]), str(r["text"] or r["title"]), str(r.get("title") or ""))
            for r in _rows(folder / "corpus.jsonl")
        ]
        questions = {str(r["_id"]): str(r["text"]) for r in _rows(folder / "queries.jsonl")}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise KoQasError(
            "beir",
            f"BEIR 꼴이 아닙니다: {folder}",
            f"{type(error).__name__}: {error}; see github.com/beir-cellar/beir",
        ) from error
    judged = [Judged(questions[q], g) for q, g in grades.items() if q in questions and max(g.values()) > 0]
    if not judged:
        raise KoQasError("beir", f"맞는 문서가 있는 질의가 없습니다: {folder}", "check ids in queries.jsonl and qrels")
    return RetrievalSet(documents, judged)


def _rows(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]
