"""Measure the repository on a SQuAD-format file, end to end and with the gold passage, beside its ablations.

    python train/evaluate.py --korquad FILE --questions 50

KorQuAD is for measuring only. EM and F1 follow the official KorQuAD 1.0 rules (Lim et al. 2019): lower case, no
punctuation, single spaces; F1 over characters; best of the gold answers. Writes results/korquad.json.
"""

import json
import lzma
import random
import re
import resource
import string
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.koqas_pipeline import AskOptions, Inquiry, KoQasPipeline, load, verify
from koqas.koqas_retrieval import Index, query_of
from koqas.koqas_text import answer_candidates, sentences_of
from koqas.koqas_types import Document
from koqas.train.calibrate import calibration_error
from koqas.train.provenance import record_of

PUNCTUATION = set(string.punctuation) | set("《》〈〉‘’“”")


@dataclass
class EvaluateArguments:
    """What `train/evaluate.py` needs to know.

    Args:
        korquad (`str`): SQuAD-format JSON, plain or xz-compressed.
        repository (`str`): Repository folder.
        questions (`int`): Questions sampled for reading; retrieval uses all.
        seed (`int`): Seed of the sample and of the random baseline.
        out (`str`): Where the record goes.
    """

    korquad: str = field(metadata={"help": "SQuAD-format file"})
    repository: str = "."
    questions: int = 50
    seed: int = 0
    out: str = "results/korquad.json"


@dataclass(frozen=True)
class Asked:
    """A question with its gold answers and gold document."""

    question: str
    answers: tuple[str, ...]
    document: Document


def read_squad(path: Path) -> tuple[list[Document], list[Asked]]:
    """Read documents (one for each paragraph) and questions."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        data = json.load(file)["data"]
    documents, asked = [], []
    for article in data:
        for number, paragraph in enumerate(article["paragraphs"]):
            title = article["title"].replace("_", " ")
            document = Document(f"{article['title']}-{number}", paragraph["context"], title)
            documents.append(document)
            for qa in paragraph["qas"]:
                asked.append(Asked(qa["question"], tuple(a["text"] for a in qa["answers"]), document))
    return documents, asked


def normalized(text: str) -> str:
    """Normalize an answer by the KorQuAD 1.0 rules."""
    return " ".join("".join(c for c in text.lower() if c not in PUNCTUATION).split())


def exact_and_f1(answer: str, gold: tuple[str, ...]) -> tuple[float, float]:
    """Return exact match and character F1 against the best gold answer."""
    best = 0.0
    said = Counter(normalized(answer).replace(" ", ""))
    for g in gold:
        true = Counter(normalized(g).replace(" ", ""))
        same = sum((said & true).values())
        best = max(best, 2 * same / max(sum(said.values()) + sum(true.values()), 1))
    return float(any(normalized(answer) == normalized(g) for g in gold)), best


def retrieval(index: Index, asked: list[Asked], **stages: bool) -> dict[str, float]:
    """Return nDCG@10 and Hit@1 of documents (a document ranks with its best chunk)."""
    gains, hits = [], []
    for a in tqdm(asked, desc="retrieval"):
        ranked: list[str] = []
        for s in index.search(query_of(a.question), 25, **stages):
            if s.chunk.document not in ranked:
                ranked.append(s.chunk.document)
        place = ranked[:10].index(a.document.id) if a.document.id in ranked[:10] else None
        gains.append(0.0 if place is None else 1 / np.log2(place + 2))
        hits.append(float(place == 0))
    return {"n": len(asked), "ndcg@10": round(float(np.mean(gains)), 4), "hit@1": round(float(np.mean(hits)), 4)}


def reading(qa: KoQasPipeline, asked: list[Asked], index: Index | None, **options: Any) -> dict[str, float]:  # noqa: ANN401
    """Return EM, F1, evidence hits and seconds; `index=None` asks the gold passage alone."""
    rows = []
    for a in tqdm(asked, desc="reading"):
        where = index or qa.build_index([a.document])
        result = qa(a.question, documents=where, **options)
        said = result["answer"] if result["answered"] else ""
        em, f1 = exact_and_f1(said, a.answers)
        quotes = " ".join(e["quote"] for e in result["evidence"])
        hit = any(g in quotes for g in a.answers)
        literal = not result["answered"] or (
            verify(result, where) and re.sub(r"\s+", " ", said) in re.sub(r"\s+", " ", quotes)
        )
        rows.append((em, f1, hit, result["answered"], literal, result["timings"]["total"]))
    em, f1, hit, answered, literal, _ = np.mean(np.asarray(rows, dtype=float), axis=0)
    seconds = float(np.median([r[-1] for r in rows]))
    names = ("em", "f1", "evidence_hit", "answered", "literal")
    return (
        {"n": len(rows)}
        | {k: round(float(v), 4) for k, v in zip(names, (em, f1, hit, answered, literal))}
        | {"median_seconds": round(seconds, 3)}
    )


def random_span(asked: list[Asked], seed: int) -> dict[str, float]:
    """Return EM and F1 of a random candidate of the gold passage."""
    rng = random.Random(seed)
    rows = []
    for a in asked:
        spans = [s.text[c.start : c.end] for s in sentences_of(a.document.text) for c in answer_candidates(s)]
        rows.append(exact_and_f1(rng.choice(spans), a.answers))
    em, f1 = np.mean(rows, axis=0)
    return {"n": len(rows), "em": round(float(em), 4), "f1": round(float(f1), 4)}


def usefulness(qa: KoQasPipeline, asked: list[Asked], index: Index, seed: int) -> dict[str, Any]:
    """Return DocQuest's AUROC against passages of three levels: random, BM25 neighbour, same article.

    The lexical baseline is the BM25 score divided by the number of query tokens.
    """
    rng = random.Random(seed)
    by_document = {c.document: c for c in index.chunks if c.number == 0}
    article = {d: d.rsplit("-", 1)[0] for d in by_document}
    scores: dict[str, list[tuple[bool, float, float]]] = {n: [] for n in ("random", "neighbour", "same_article")}
    for a in tqdm(asked, desc="usefulness"):
        inquiry = Inquiry(a.question, index, AskOptions(), qa.ranker)
        ranked = [s.chunk.document for s in index.search(inquiry.query, 30)]
        others = [d for d in by_document if article[d] != article[a.document.id]]
        near = [d for d in ranked if d in by_document and article[d] != article[a.document.id]]
        same = [d for d in by_document if article[d] == article[a.document.id] and d != a.document.id]
        wrong = {"random": rng.choice(others), "neighbour": near[0] if near else None}
        wrong["same_article"] = rng.choice(same) if same else None
        chosen = [a.document.id, *(d for d in wrong.values() if d)]
        passages = [inquiry.passage(by_document[d]) for d in chosen]
        (logits,) = qa.docquest.logits(inquiry.text, passages, ["usefulness"])
        calibration = qa.settings.calibrations.usefulness
        chance = {d: calibration.probability(x, p) for d, x, p in zip(chosen, logits, passages, strict=True)}
        bm25 = index.lexical.get_scores(inquiry.query.tokens)
        place = {c.document: i for i, c in enumerate(index.chunks) if c.number == 0}
        plain = {d: float(bm25[place[d]]) / max(len(inquiry.query.tokens), 1) for d in chosen}
        for level, d in wrong.items():
            if d:
                right = a.document.id
                scores[level] += [(True, chance[right], plain[right]), (False, chance[d], plain[d])]
    report: dict[str, Any] = {}
    for level, rows in scores.items():
        truth, own, lexical = zip(*rows, strict=True)
        report[level] = {
            "n": len(truth),
            "auroc": round(float(roc_auc_score(truth, own)), 4),
            "auroc_bm25": round(float(roc_auc_score(truth, lexical)), 4),
            "expected_calibration_error": round(calibration_error(np.asarray(own), np.asarray(truth)), 4),
        }
    return report


def main(args: EvaluateArguments) -> None:
    """Measure everything and write the record."""
    qa = load(args.repository)
    documents, asked = read_squad(Path(args.korquad))
    sample = random.Random(args.seed).sample(asked, min(args.questions, len(asked)))
    index = qa.build_index(documents, progress=True)
    # The gold passage is known to hold the answer, so nothing is refused.
    gold: dict[str, Any] = {"threshold": 0.0, "first_pass": False, "answer_threshold": 0.0, "docquest": False}
    report: dict[str, Any] = {
        "retrieval": {
            "fused": retrieval(index, asked),
            "lexical": retrieval(index, asked, dense=False),
            "dense": retrieval(index, asked, lexical=False),
        },
        "usefulness": usefulness(qa, sample, index, args.seed),
        "end_to_end": reading(qa, sample, index),
        "end_to_end_never_refusing": reading(qa, sample, index, threshold=0.0, answer_threshold=0.0),
        "end_to_end_no_docquest": reading(
            qa, sample, index, docquest=False, first_pass=False, max_kept=3, answer_threshold=0.0
        ),
        "gold_passage": reading(qa, sample, None, **gold),
        "gold_passage_no_summary": reading(qa, sample, None, summary=False, **gold),
        "gold_passage_ranker_alone": reading(qa, sample, None, reader=False, **gold),
        "gold_passage_model_alone": reading(qa, sample, None, ranker=False, **gold),
        "gold_passage_random_span": random_span(sample, args.seed),
    }
    report["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if hasattr(qa.model, "disable_adapters"):
        qa.model.disable_adapters()
        report["gold_passage_no_adapter"] = reading(qa, sample, None, **gold)
        report["gold_passage_model_alone_no_adapter"] = reading(qa, sample, None, ranker=False, **gold)
    out = Path(args.out)
    out.parent.mkdir(exist_ok=True, parents=True)
    out.write_text(json.dumps(record_of(args) | {"report": report}, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main(HfArgumentParser(EvaluateArguments).parse_args_into_dataclasses()[0])
