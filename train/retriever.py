"""Train the embedded dense encoder: static token vectors for Korean questions and passages, from scratch.

    OMP_NUM_THREADS=1 nice -n 10 python train/retriever.py --data DIR --out retriever

Comes in: the folder of the training corpora. Goes out: a sentence-transformers folder with float16 vectors, which
`model2vec.StaticModel.from_pretrained` reads too, and `provenance.json` with what it was made from and how well
it finds the development passages. A text is the normalized mean of its token vectors, so encoding needs no neural
network and costs microseconds. Vectors start as long as the token is rare, one half in random directions (a random
projection of tf-idf), one half from co-occurrences (word_vectors.py), and are then trained to bring a question next
to its passage, away from the batch's others.
"""

import hashlib
import json
import os
import platform
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

# Set before the import of tokenizers, whose thread pool would otherwise take every core.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from datasets import Dataset
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import HfArgumentParser

from koqas.koqas_text import analyze
from koqas.train.corpora import Passage, articles, paragraphs, read_jsonl, written_passages
from koqas.train.questions import questions_of
from koqas.train.word_vectors import pmi_vectors

USED_FILES = (
    "kowiki.jsonl.xz",
    "news_reports.jsonl.xz",
    "laws.jsonl.xz",
    "written_qa.jsonl.xz",
    "parakqc_groups.jsonl.xz",
    "paraphrase_pairs.jsonl.xz",
    "korquad_dev_titles.sha1",
)
UNKNOWN = "[UNK]"
VOCABULARY_TEXTS = 10000  # raw paragraphs: rare names; the morphemes on top teach where particles begin
MEANING_TEXTS = 60000  # paragraphs whose co-occurrences are counted
OTHERS = 20000  # paragraphs that make the search of the development passages harder
LONGEST_PASSAGE = 600  # characters, like the chunks the encoder will see

Pair = tuple[str, str]
Page = tuple[str, list[str]]
Scores = dict[str, dict[str, float]]


@dataclass
class RetrieverArguments:
    """What `train/retriever.py` needs to know.

    Args:
        data (`str`): Folder of the training corpora (see `corpora.py`).
        out (`str`): Folder for the model and `provenance.json`.
        vocab_size (`int`): Size of the Unigram vocabulary.
        dimension (`int`): Length of a vector.
        meaning (`int`): How many of its numbers start from co-occurrences; the others start at random.
        made_articles (`int`): Articles to make rule-made questions from, two paragraphs each (Kiwi is slow).
        paragraph_pairs (`int`): Pairs of an article's opening with another of its paragraphs.
        question_pairs (`int`): Pairs of paraphrased questions.
        written_repeats (`int`): How often a written question is seen in one epoch.
        epochs (`float`): Passes over all pairs.
        batch_size (`int`): Pairs in one step; each has the others' passages as negatives.
        learning_rate (`float`): Peak learning rate of AdamW.
        scale (`float`): Factor of the cosine in the loss (inverse temperature).
        threads (`int`): Torch threads.
        seed (`int`): Seed of vectors, samples and order.
    """

    data: str = field(metadata={"help": "folder of the training corpora"})
    out: str = "retriever"
    vocab_size: int = 16000
    dimension: int = 208
    meaning: int = 104
    made_articles: int = 4000
    paragraph_pairs: int = 45000
    question_pairs: int = 4000
    written_repeats: int = 1
    epochs: float = 1.0
    batch_size: int = 512
    learning_rate: float = 0.005
    scale: float = 15.0
    threads: int = 1
    seed: int = 0


def passage_text(title: str, text: str) -> str:
    """Write a passage the way the index writes a chunk for the encoder."""
    return f"{title} {text}".strip()[:LONGEST_PASSAGE]


def training_pages(folder: Path, rng: random.Random) -> list[Page]:
    """Return `(title, paragraphs)` in random order, without the articles the development passages come from.

    Those articles are dropped so that the development score is about texts the encoder has never seen.
    """
    kept_aside = written_passages(folder, "development")
    titles = {p.title for p in kept_aside if p.title}
    openings = ["".join(p.text.split())[:60] for p in kept_aside]
    pages: list[Page] = []
    for title, text in articles(folder):
        joined = "".join(text.split())
        if title not in titles and not any(o in joined for o in openings) and (found := paragraphs(text)):
            pages.append((title, found))
    rng.shuffle(pages)
    return pages


def written_pairs(passages: Iterable[Passage]) -> Iterator[Pair]:
    """Pair each answerable written question with its passage and with its evidence sentence."""
    for passage in passages:
        for question in passage.questions:
            if question.answer:
                yield question.question, passage_text(passage.title, passage.text)
                yield question.question, passage_text(passage.title, question.evidence)


def made_pairs(pages: list[Page], rng: random.Random) -> tuple[list[Pair], list[str]]:
    """Pair rule-made questions with their paragraphs; also return the morphemes Kiwi found, for the vocabulary."""
    chosen = [(title, text) for title, texts in pages for text in rng.sample(texts, min(2, len(texts)))]
    pairs: list[Pair] = []
    morphemes: list[str] = []
    for (title, text), sentences in zip(chosen, analyze(t for _, t in chosen), strict=True):
        made = questions_of(sentences, title, 5, rng)
        pairs += [(q.question, passage_text(title, text)) for q in made]
        morphemes += [s.text[m.start : m.end] for s in sentences for m in s.tokens]
    return pairs, morphemes


def paragraph_pairs(pages: list[Page], most: int) -> list[Pair]:
    """Pair title and first sentence of an article with its other paragraphs, three of an article at most."""
    pairs: list[Pair] = []
    for title, texts in pages:
        opening = re.split(r"(?<=다\.) ", texts[0], maxsplit=1)[0][:200]
        pairs += [(f"{title} {opening}".strip(), text[:LONGEST_PASSAGE]) for text in texts[1:4]]
    return pairs[:most]


def question_pairs(folder: Path, most: int, rng: random.Random) -> list[Pair]:
    """Pair questions that ask the same: two of each ParaKQC group, and the positive question pairs."""
    groups = (row["sentences"] for row in read_jsonl(folder / "parakqc_groups.jsonl.xz"))
    pairs: list[Pair] = [(a, b) for a, b in (rng.sample(g, 2) for g in groups)]
    rows = read_jsonl(folder / "paraphrase_pairs.jsonl.xz")
    # In this set 0 marks two ways of saying the same (its documentation has it the other way round).
    pairs += [(row["a"], row["b"]) for row in rows if row.get("same") == 0]
    rng.shuffle(pairs)
    return pairs[:most]


def learn_tokenizer(pieces: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn a Unigram vocabulary on texts or morphemes.

    Word boundaries are not marked: a noun has one vector, whether it begins a word or ends a compound.
    The trainer of tokenizers takes no seed: two runs give slightly different vocabularies.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits()])
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size, special_tokens=[UNKNOWN], unk_token=UNKNOWN, max_piece_length=8, show_progress=False
    )
    tokenizer.train_from_iterator(pieces, trainer)
    return tokenizer


def start_vectors(tokenizer: Tokenizer, texts: list[str], args: RetrieverArguments) -> np.ndarray:
    """Return the vectors training starts from: as long as the token is rare, partly random, partly from `pmi_vectors`.

    Random directions tell tokens apart, the others bring those that are used alike together. The vector of unknown
    pieces is zero, since model2vec leaves them out.
    """
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch(texts[:VOCABULARY_TEXTS], add_special_tokens=False):
        counts.update(set(encoding.ids))
    size, used = tokenizer.get_vocab_size(), min(len(texts), VOCABULARY_TEXTS)
    rarity = np.array([np.log((used + 1) / (counts[i] + 1)) for i in range(size)])
    directions = args.dimension - args.meaning
    vectors = np.random.default_rng(args.seed).normal(size=(size, directions)) / np.sqrt(directions)
    if args.meaning:
        meant, _ = pmi_vectors(texts[:MEANING_TEXTS], tokenizer, args.meaning, args.seed)
        vectors = np.concatenate([vectors, meant], 1) / np.sqrt(2)
    vectors *= rarity[:, None] / rarity.max()
    vectors[tokenizer.token_to_id(UNKNOWN)] = 0
    return vectors.astype(np.float32)


def train(model: SentenceTransformer, pairs: list[Pair], args: RetrieverArguments) -> None:
    """Train in place. No text occurs twice in a batch: a passage's other questions would count as negatives."""
    data = Dataset.from_dict({"anchor": [a for a, _ in pairs], "positive": [b for _, b in pairs]})
    with TemporaryDirectory() as scratch:
        settings = SentenceTransformerTrainingArguments(
            output_dir=scratch,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=args.batch_size,
            learning_rate=args.learning_rate,
            warmup_steps=0.05,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            seed=args.seed,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            logging_steps=20,
        )
        loss = MultipleNegativesRankingLoss(model, scale=args.scale)
        SentenceTransformerTrainer(model=model, args=settings, train_dataset=data, loss=loss).train()


def save(model: SentenceTransformer, folder: Path) -> None:
    """Write vectors as float16, and a `normalize` that makes model2vec do what the second module does."""
    static = model[0]
    assert isinstance(static, StaticEmbedding)
    with torch.no_grad():
        static.embedding.weight[static.tokenizer.token_to_id(UNKNOWN)] = 0
    model.half()
    model.save(str(folder), create_model_card=False)
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes it private to the user
    path = folder / "config_sentence_transformers.json"
    config = json.loads(path.read_text("utf-8")) | {"normalize": True}
    path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def development_scores(folder: Path, passages: list[Passage], others: list[str]) -> Scores:
    """Search for every answerable development question with the saved model.

    Args:
        folder (`Path`): The saved model.
        passages (`list[Passage]`): Development passages.
        others (`list[str]`): Texts that answer none of the questions, for a search that is not easy.

    Returns:
        `Scores`: Scores among the development passages alone, and with the others added.
    """
    encoder = StaticModel.from_pretrained(folder)
    asked = [(q.question, i) for i, p in enumerate(passages) for q in p.questions if q.answer]
    texts = encoder.encode([*(passage_text(p.title, p.text) for p in passages), *others]).astype(np.float32)
    scores = encoder.encode([q for q, _ in asked]).astype(np.float32) @ texts.T
    right = scores[np.arange(len(asked)), [i for _, i in asked]][:, None]
    found: Scores = {}
    for name, size in (("passages", len(passages)), ("passages_and_others", len(texts))):
        ranks = 1 + (scores[:, :size] > right).sum(1)
        hits = {f"hit@{k}": round(float((ranks <= k).mean()), 4) for k in (1, 5, 10)}
        mrr = round(float((1 / ranks).mean()), 4)
        found[name] = {"questions": len(asked), "texts": size, **hits, "mrr": mrr}
    return found


def provenance(args: RetrieverArguments, counts: dict[str, int], scores: Scores, begun: float) -> str:
    """Return the JSON text that says how the model came to be; paths of this machine stay out of it."""
    folder = Path(args.data)
    options = {k: v for k, v in asdict(args).items() if k not in ("data", "out")}
    packages = ("sentence-transformers", "model2vec", "tokenizers", "torch", "transformers", "kiwipiepy", "numpy")
    flags = [{args.data: "DIR", args.out: Path(args.out).name}.get(a, a) for a in sys.argv[1:]]
    record = {
        "command": " ".join(["python train/retriever.py", *flags]),
        "arguments": options,
        "seed": args.seed,
        "pairs": counts,
        "data_sha256": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in USED_FILES},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "seconds": round(time.time() - begun, 1),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "development": scores,
    }
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def training_pairs(
    args: RetrieverArguments, pages: list[Page], rng: random.Random
) -> tuple[dict[str, list[Pair]], list[str]]:
    """Return the pairs of every kind, and the morphemes of the rule-made questions' paragraphs."""
    folder = Path(args.data)
    made, morphemes = made_pairs(pages[: args.made_articles], rng)
    pairs = {
        "written": list(written_pairs(written_passages(folder, "train"))) * args.written_repeats,
        "made": made,
        "paragraph": paragraph_pairs(pages, args.paragraph_pairs),
        "question": question_pairs(folder, args.question_pairs, rng),
    }
    return pairs, morphemes


def main(args: RetrieverArguments) -> None:
    """Gather pairs, learn the vocabulary, train, save, measure."""
    begun = time.time()
    torch.set_num_threads(args.threads)
    rng = random.Random(args.seed)
    folder, out = Path(args.data), Path(args.out)
    pages = training_pages(folder, rng)
    kinds, morphemes = training_pairs(args, pages, rng)
    counts = {kind: len(pairs) for kind, pairs in kinds.items()}
    print(f"{len(pages)} articles, pairs: {counts}, {time.time() - begun:.0f} s")
    pairs = [pair for found in kinds.values() for pair in found]
    rng.shuffle(pairs)
    texts = [p for _, found in pages for p in found]
    tokenizer = learn_tokenizer(morphemes + texts[:VOCABULARY_TEXTS], args.vocab_size)
    vectors = start_vectors(tokenizer, texts, args)
    print(f"vocabulary of {len(vectors)}, {time.time() - begun:.0f} s")
    model = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=vectors), Normalize()], device="cpu"
    )
    train(model, pairs, args)
    save(model, out)
    others = [passage_text(title, p) for title, found in pages for p in found][:OTHERS]
    scores = development_scores(out, written_passages(folder, "development"), others)
    (out / "provenance.json").write_text(provenance(args, counts, scores, begun), "utf-8")
    print(scores)


if __name__ == "__main__":
    main(HfArgumentParser(RetrieverArguments).parse_args_into_dataclasses()[0])
