"""Long answers to learn from: a question, passages, the summary and the answer; read, rated and fitted to the context.

Comes in: a CSV with Context, Question, Summary, Answer, or rows of the data factory (Parquet, JSON lines). Goes out:
`LongAnswer` rows whose passages leave room for question and answer. Knows nothing about tokens except how to count them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from koqas.koqas_prompts import ABSTENTION
from koqas.koqas_text import search_tokens, sentences_of
from koqas.koqas_types import KoQasError
from koqas.train.examples import FEATURES, Example, read_examples
from koqas.train.rows import REFUSAL, read_csv

USEFUL, USELESS = 0.6, 0.3  # share of the summary's words from which, and up to which, an unlabelled passage is judged
SENTENCE = re.compile(r"\S[^\n]*?(?:[.?!](?=\s)|(?=\n)|$)")
CITED = 0.5  # least share of a summary sentence's words that the passage it cites must hold


@dataclass(frozen=True)
class LabelledPassage:
    """A passage with its title and whether it holds the answer (None: not known)."""

    text: str
    title: str = ""
    useful: bool | None = None


@dataclass(frozen=True)
class LongAnswer:
    """One question with its passages, the summary of the evidence and the answer that follows from it."""

    question: str
    passages: tuple[LabelledPassage, ...]
    summary: str
    answer: str
    answerable: bool = True
    quotes: tuple[str, ...] = ()


def read_long_answers(path: Path) -> list[LongAnswer]:
    """Read rows; those without a question or without documents are no long answers and are left out, counted.

    Raises:
        KoQasError: Missing file or column, an empty cell, a bad row, or nothing to learn from.
    """
    if path.suffix == ".csv":
        return [_of_csv(row) for row in read_csv(path)]
    if path.suffix == ".parquet" and path.is_file():
        try:
            missing = [c for c in FEATURES if c not in pq.read_schema(path).names]
        except pa.ArrowInvalid as error:
            raise KoQasError("rows", f"Parquet 파일이 아닙니다: {path}", str(error)) from error
        if missing:
            raise KoQasError("rows", f"열이 없습니다: {', '.join(missing)}", f"columns must be {', '.join(FEATURES)}")
    examples = list(tqdm(read_examples(path), desc="rows", unit="row"))
    found = [_of_example(e) for e in examples if e.shape == "reading"]
    if not found:
        raise KoQasError(
            "rows", f"질문과 문서가 있는 행이 없습니다: {path} ({len(examples)}행)", "pass rows of the shape 'reading'"
        )
    if len(found) < len(examples):
        print(f"{len(examples) - len(found)} of {len(examples)} rows have no question or no documents: left out")
    return found


def _of_csv(row: dict[str, str]) -> LongAnswer:
    passages = re.sub(r"(?m)^\[\d+\] ", "", row["Context"]).split("\n")
    answerable = not REFUSAL.search(row["Answer"])
    texts = [LabelledPassage(p, useful=None if answerable else False) for p in passages if p.strip()]
    if answerable:
        texts = [replace(p, useful=_judged(p.text, row["Summary"], len(texts))) for p in texts]
    return LongAnswer(row["Question"], tuple(texts), row["Summary"], row["Answer"], answerable)


def _judged(passage: str, summary: str, passages: int) -> bool | None:
    """Tell whether a passage of a row without labels holds the answer, by the summary's words in it."""
    if passages == 1:
        return True
    share = shared(words_of(summary), words_of(passage))
    return True if share >= USEFUL else False if share <= USELESS else None


def _of_example(example: Example) -> LongAnswer:
    passages = tuple(
        LabelledPassage(d.text, d.title, useful) for d, useful in zip(example.documents, example.useful, strict=True)
    )
    answer = example.answer if example.answerable else ABSTENTION
    summary = example.summary or (" ".join(dict.fromkeys(_evidence_sentences(example))) if example.answerable else "")
    return LongAnswer(example.question, passages, summary, answer, example.answerable, example.quotes())


def _evidence_sentences(example: Example) -> Iterable[str]:
    """Yield the sentences that hold the evidence: the summary of a row that has none."""
    texts = {d.id: d.text for d in example.documents}
    for span in example.evidence:
        for sentence in SENTENCE.finditer(texts[span.document]):
            if sentence.start() < span.end and span.start < sentence.end():
                yield sentence.group()


def words_of(text: str) -> set[str]:
    """Return the search tokens of a text."""
    return {t for s in sentences_of(text) for t in search_tokens(s.tokens, s.text)}


def shared(words: set[str], held: set[str]) -> float:
    """Return the share of words that are held; 0 without words."""
    return len(words & held) / len(words) if words else 0.0


def with_citations(row: LongAnswer) -> LongAnswer:
    """Let every summary sentence end in the number of the passage that holds most of its words, as serving asks.

    Sentences that carry a number already, and those that no passage supports, stay as they are.
    """
    held = [words_of(p.text) for p in row.passages]
    sentences = []
    for sentence in sentences_of(row.summary):
        shares = [shared({*search_tokens(sentence.tokens, sentence.text)}, h) for h in held]
        best = max(range(len(held)), key=lambda i: shares[i])
        known = re.search(r"\[\d+\]", sentence.text)
        sentences.append(sentence.text if known or shares[best] < CITED else f"{sentence.text} [{best + 1}]")
    return replace(row, summary=" ".join(sentences))


def fitted(row: LongAnswer, room: int, count: Callable[[str], int]) -> LongAnswer | None:
    """Shorten passages to `room` tokens, keeping the sentences of most use for the answer, in their order.

    The passages are what gives: a sentence with evidence stays longest, then sentences of useful passages by the words
    they share with summary, answer and question, then the rest. Passages left without a sentence go.

    Args:
        row (`LongAnswer`): The row.
        room (`int`): Tokens for the numbered passages.
        count (`Callable[[str], int]`): Tokens of a text.

    Returns:
        `LongAnswer | None`: The row itself where it fits; None where not even one sentence does.
    """
    if sum(count(f"[{n}] {p.title} | {p.text}\n") for n, p in enumerate(row.passages, 1)) <= room:
        return row
    sentences = [[s.text for s in sentences_of(p.text)] for p in row.passages]
    places = [(n, m) for n, texts in enumerate(sentences) for m in range(len(texts))]
    wanted = words_of(f"{row.summary}\n{row.answer}\n{row.question}")
    rated = sorted(places, key=lambda at: -_use(row, row.passages[at[0]], sentences[at[0]][at[1]], wanted))
    kept: set[tuple[int, int]] = set()
    opened: set[int] = set()
    for number, place in rated:
        head = 0 if number in opened else count(f"[{number + 1}] {row.passages[number].title} | \n")
        cost = head + count(sentences[number][place]) + 1
        if cost <= room:
            room -= cost
            kept.add((number, place))
            opened.add(number)
    if not kept:
        return None
    return replace(row, passages=tuple(_remaining(row.passages, sentences, kept)))


def _use(row: LongAnswer, passage: LabelledPassage, sentence: str, wanted: set[str]) -> float:
    evident = any(q in sentence or sentence in q for q in row.quotes) or (row.answerable and row.answer in sentence)
    return (
        4.0 * evident
        + 2.0 * (passage.useful is True)
        + 1.0 * (passage.useful is None)
        + shared(wanted, words_of(sentence))
    )


def _remaining(
    passages: Sequence[LabelledPassage], sentences: Sequence[Sequence[str]], kept: set[tuple[int, int]]
) -> Iterable[LabelledPassage]:
    for number, passage in enumerate(passages):
        texts = [s for m, s in enumerate(sentences[number]) if (number, m) in kept]
        if texts:
            yield replace(passage, text=" ".join(texts))
