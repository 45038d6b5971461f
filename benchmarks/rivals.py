"""Search of other libraries beside this project's, on one corpus and machine; writes results/rivals.json.

    pip install "koqas[benchmarks]"      # best in an environment of its own
    python benchmarks/rivals.py --korquad FILE --filler kowiki.jsonl.xz

The corpus is KorQuAD passages (measuring only) with passages of other articles around them; each is one chunk for
everybody. Every set-up runs in a process of its own; its memory is what the process gains from the set-up's first object to the
last answer, Kiwi's model included. A small index is built first, so that loading counts in no time. Times are
CPU time, which other work on the machine disturbs little; single-threaded work takes as long as it says.
"""

import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm
from transformers import HfArgumentParser

from koqas.benchmarks.rival_searchers import PAIRS, Haystack, LlamaIndex, Txtai, Vectors
from koqas.benchmarks.searchers import KoQas, PlainBm25, bigram_tokens, whitespace_tokens
from koqas.benchmarks.suite import measured, read_suite
from koqas.koqas_types import Document, KoQasError
from koqas.train.evaluation.ranking import DEPTH, rank_score
from koqas.train.provenance import record_of

PACKAGES = ("haystack-ai", "llama-index-core", "llama-index-retrievers-bm25", "txtai")
LONGEST = 600  # characters of a filler passage
SCALE = 10_000  # chunks that index times are told for


@dataclass
class RivalsArguments:
    """What `benchmarks/rivals.py` needs to know.

    Args:
        korquad (`str`): SQuAD-format JSON, plain or xz-compressed.
        filler (`str`): JSON lines (.xz) with `id`, `title`, `text`, for further passages.
        chunks (`int`): Passages in all.
        questions (`int`): Questions sampled.
        seed (`int`): Seed of the sample.
        repository (`str`): Repository folder.
        setups (`list[str]`): Set-ups to measure; all by default.
        out (`str`): Where the record goes.
        one (`str`): Measure this set-up in this process and print its row (used by the command itself).
    """

    korquad: str = field(metadata={"help": "SQuAD-format file"})
    filler: str = ""
    chunks: int = 1000
    questions: int = 200
    seed: int = 0
    repository: str = "."
    setups: list[str] = field(default_factory=list)
    out: str = "results/rivals.json"
    one: str = ""


@dataclass(frozen=True)
class SetUp:
    """A searcher and how it is set up, in words."""

    told: str
    make: Callable[[str], Any]


SETUPS = {
    "whitespace_bm25": SetUp("bm25s, white space", lambda r: PlainBm25(whitespace_tokens)),
    "bigram_bm25": SetUp("bm25s, character pairs", lambda r: PlainBm25(bigram_tokens)),
    "haystack": SetUp("InMemoryDocumentStore as it comes (BM25L, single CJK characters)", lambda r: Haystack()),
    "haystack_korean": SetUp(
        "BM25Okapi, bm25_tokenization_regex of character pairs",
        lambda r: Haystack(bm25_algorithm="BM25Okapi", bm25_tokenization_regex=PAIRS),
    ),
    "haystack_hybrid": SetUp(
        "the same joined with the static embedding by reciprocal rank",
        lambda r: Haystack(Vectors(r), bm25_algorithm="BM25Okapi", bm25_tokenization_regex=PAIRS),
    ),
    "llama_index": SetUp("BM25Retriever as it comes (English stemmer)", lambda r: LlamaIndex()),
    "llama_index_korean": SetUp(
        "token_pattern of character pairs, no stemming",
        lambda r: LlamaIndex(token_pattern=PAIRS, skip_stemming=True),
    ),
    "llama_index_kiwi": SetUp(
        "Kiwi's content morphemes, token_pattern of white space, no stemming",
        lambda r: LlamaIndex(morphemes=True, token_pattern=r"\S+", skip_stemming=True),
    ),
    "txtai": SetUp("keyword=True as it comes", lambda r: Txtai()),
    "txtai_korean": SetUp("BM25 over ngrams=2", lambda r: Txtai(tokenizer={"ngrams": 2})),
    "txtai_hybrid": SetUp(
        "the same with the static embedding, hybrid=True", lambda r: Txtai(Vectors(r), tokenizer={"ngrams": 2})
    ),
    "ko_qas": SetUp("this project as it comes", KoQas),
}


@dataclass(frozen=True)
class Corpus:
    """Passages, and questions with the id of the passage they were asked about."""

    documents: list[Document]
    questions: list[tuple[str, str]]


def read_corpus(args: RivalsArguments) -> Corpus:
    """Read the passages and draw the questions."""
    documents, asked = [], []
    for article in json.loads(_opened(args.korquad))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            title = article["title"].replace("_", " ")
            documents.append(Document(f"{article['title']}-{number}", paragraph["context"], title))
            asked += [(qa["question"], documents[-1].id) for qa in paragraph["qas"]]
    asked = random.Random(args.seed).sample(asked, min(args.questions, len(asked)))
    for line in _opened(args.filler).splitlines() if args.filler else ():
        if len(documents) >= args.chunks:
            break
        row = json.loads(line)
        documents.append(Document(f"filler-{row['id']}", row["text"][:LONGEST], row["title"]))
    return Corpus(documents, asked)


def _opened(name: str) -> str:
    path = Path(name)
    try:
        return (
            lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8")
        ).read()
    except OSError as error:
        raise KoQasError("korquad", f"파일을 읽을 수 없습니다: {path}", str(error)) from error


def measure(name: str, args: RivalsArguments) -> dict[str, Any]:
    """Measure one set-up in this process."""
    corpus, setup = read_corpus(args), SETUPS[name]
    before = _resident_mb()
    searcher = setup.make(args.repository)
    searcher.index(corpus.documents[:20])  # loads what is loaded once
    searcher = setup.make(args.repository)
    began = time.process_time()
    searcher.index(corpus.documents)
    seconds = time.process_time() - began
    scores, times = [], []
    for question, right in corpus.questions:
        began = time.process_time()
        found = searcher.search(question, DEPTH)
        times.append(time.process_time() - began)
        scores.append(rank_score(found, {right: 1.0}))
    row = {
        "set_up": setup.told,
        "ndcg@10": round(float(np.mean([s.ndcg for s in scores])), 4),
        "hit@1": round(float(np.mean([s.hit1 for s in scores])), 4),
        "n": len(scores),
        f"index_cpu_seconds_per_{SCALE}_chunks": round(seconds * SCALE / len(corpus.documents), 1),
        "query_cpu_ms_p50": round(float(np.percentile(times, 50)) * 1000, 2),
        "query_cpu_ms_p95": round(float(np.percentile(times, 95)) * 1000, 2),
        "index_mb": _size_of(searcher),
        "memory_mb": round(_resident_mb() - before),
    }
    suite = measured(setup.make(args.repository), read_suite())
    return row | {"robustness": suite["held_out"]}


def _resident_mb() -> float:
    """Return the memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _size_of(searcher: Any) -> float:  # noqa: ANN401
    """Return the size of the saved index in MB; texts are part of it."""
    with tempfile.TemporaryDirectory() as folder:
        searcher.save(Path(folder))
        return round(sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 2**20, 1)


def main(args: RivalsArguments) -> None:
    """Measure every set-up in a process of its own and write the record; a set-up that fails is recorded as failed.

    Raises:
        KoQasError: An unknown set-up.
    """
    if args.one:
        print(json.dumps(measure(args.one, args), ensure_ascii=False))
        return
    if unknown := set(args.setups) - set(SETUPS):
        raise KoQasError("setups", f"알 수 없는 설정입니다: {sorted(unknown)}", f"some of {', '.join(SETUPS)}")
    report = {}
    for name in tqdm(args.setups or list(SETUPS), desc="rivals", unit="set-up"):
        given = [f"--{k}={v}" for k, v in asdict(args).items() if k not in ("setups", "out", "one") and v != ""]
        done = subprocess.run(
            [sys.executable, __file__, *given, f"--one={name}"], capture_output=True, text=True, check=False
        )
        failed = {"failed": done.stderr[-400:]}
        report[name] = failed if done.returncode else json.loads(done.stdout.splitlines()[-1])
        print(name, json.dumps({k: v for k, v in report[name].items() if k != "robustness"}, ensure_ascii=False))
        _write(args, report)


def _write(args: RivalsArguments, report: dict[str, Any]) -> None:
    """Write the record; done after each set-up, so that a run that is stopped has told something."""
    record = record_of(args) | {"rivals": {p: version(p) for p in PACKAGES}, "report": report}
    record["arguments"] = {k: v for k, v in record["arguments"].items() if k not in ("filler", "one")}
    Path(args.out).write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(HfArgumentParser(RivalsArguments).parse_args_into_dataclasses()[0])
