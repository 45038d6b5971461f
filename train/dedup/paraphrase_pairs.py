"""Pairs of questions to train the paraphrase network on, each with its label and where it comes from.

Comes in: the folder of the training corpora. Goes out: labelled pairs. `question_pair` marks *different* with 1: of its
pairs marked 0, most share nearly all words, of those marked 1 few do. Here 1 always means the same.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from koqas.koqas_text import kiwi
from koqas.koqas_types import Span
from koqas.train.corpora import read_jsonl, written_passages

SAME_FROM, DIFFERENT_TO = 4.0, 2.5  # korsts scores 0..5; what lies between says neither
NEAREST_OTHERS = 4
QUESTION_WORDS = ("누가", "언제", "어디서", "무엇을", "왜", "어떻게", "몇 번")
ASKED = re.compile("누가|누구[가를]?|언제|어디[서에]?|어디에서|무엇[을이]?|왜|어떻게|몇 [가-힣]+")
# How a question may end, and the endings that ask the same.
ENDINGS = {
    "는가?": ("나요?", "는지?", "나?", "습니까?"),
    "인가?": ("인가요?", "입니까?", "인지 알려 줘.", "이야?"),
    "한가?": ("한가요?", "합니까?", "한지 궁금합니다."),
    "나요?": ("나?", "는가?", "는지 알려 주세요."),
    "인가요?": ("인가?", "입니까?", "이야?"),
    "입니까?": ("인가?", "인가요?", "이지?"),
    "나?": ("나요?", "는가?", "니?"),
}
TOPIC = re.compile("(?<=[가-힣])([가-힣])([은는을를])(?= )")


@dataclass(frozen=True)
class LabelledPair:
    """Two questions, whether they ask the same, their source, and whether they are kept for development."""

    a: str
    b: str
    same: bool
    source: str
    development: bool


def labelled_pairs(folder: Path) -> list[LabelledPair]:
    """Read all pairs; a tenth, by a hash of the group or passage, is for development.

    Raises:
        KoQasError: A corpus is missing.
    """
    return [*_scored(folder), *_grouped(folder), *_altered(folder), *_same_passage(folder)]


def _aside(key: str) -> bool:
    return int(hashlib.sha1(key.encode()).hexdigest(), 16) % 10 == 0


def _scored(folder: Path) -> Iterator[LabelledPair]:
    for row in read_jsonl(folder / "paraphrase_pairs.jsonl.xz"):
        aside = _aside(row["a"])
        if row["source"] == "question_pair":
            yield LabelledPair(row["a"], row["b"], row["same"] == 0, "question_pair", aside)
        elif row["score"] >= SAME_FROM or row["score"] <= DIFFERENT_TO:
            yield LabelledPair(row["a"], row["b"], row["score"] >= SAME_FROM, "korsts", aside)


def _grouped(folder: Path) -> Iterator[LabelledPair]:
    """Paraphrases within a group; against them sentences of the groups that look most alike."""
    chance = random.Random(5)
    groups = [row["sentences"] for row in read_jsonl(folder / "parakqc_groups.jsonl.xz")]
    bigrams = [{s[i : i + 2] for s in g for i in range(len(s) - 1)} for g in groups]
    for number, group in enumerate(groups):
        aside = _aside(f"group {number}")
        for a, b in zip(group, group[1:]):
            yield LabelledPair(a, b, True, "parakqc", aside)
        alike = sorted(
            (j for j in range(len(groups)) if j != number and _aside(f"group {j}") == aside),
            key=lambda j: -len(bigrams[number] & bigrams[j]) / len(bigrams[number] | bigrams[j]),
        )
        for j in alike[:NEAREST_OTHERS]:
            for _ in range(2):
                yield LabelledPair(chance.choice(group), chance.choice(groups[j]), False, "parakqc", aside)


def _written(folder: Path, split: str) -> list[list[str]]:
    """Return the questions of each passage."""
    return [[q.question for q in p.questions] for p in written_passages(folder, split)]


def _altered(folder: Path) -> Iterator[LabelledPair]:
    """Written questions changed by rule: another noun or question word asks for something else, another ending not."""
    chance = random.Random(6)
    for split in ("train", "development"):
        aside = split == "development"
        questions = [q for group in _written(folder, split) for q in group[:2]]
        nouns = [
            [Span(t.start, t.start + t.len) for t in kiwi().tokenize(q) if t.tag in ("NNG", "NNP") and t.len > 1]
            for q in questions
        ]
        for question, spans in zip(questions, nouns):
            other = chance.randrange(len(questions))
            if spans and nouns[other]:
                place, taken = chance.choice(spans), chance.choice(nouns[other])
                changed = _with(question, place, questions[other][taken.start : taken.end])
                yield LabelledPair(question, changed, False, "noun exchanged", aside)
            asked = ASKED.search(question)
            if asked:
                word = chance.choice([w for w in QUESTION_WORDS if w != asked.group()])
                changed = _with(question, Span(*asked.span()), word)
                yield LabelledPair(question, changed, False, "question word exchanged", aside)
            ending = next((e for e in ENDINGS if question.endswith(e)), None)
            if ending:
                changed = question.removesuffix(ending) + chance.choice(ENDINGS[ending])
                yield LabelledPair(question, TOPIC.sub(_other_particle, changed, count=1), True, "ending", aside)


def _with(text: str, place: Span, word: str) -> str:
    return text[: place.start] + word + text[place.end :]


def _other_particle(match: re.Match[str]) -> str:
    return match.group(1) + {"은": "이", "는": "가", "을": "은", "를": "는"}[match.group(2)]


def _same_passage(folder: Path) -> Iterator[LabelledPair]:
    """Two questions somebody wrote about one passage to ask for different things."""
    for split in ("train", "development"):
        for group in _written(folder, split):
            for a, b in combinations(group, 2):
                yield LabelledPair(a, b, False, "same passage", split == "development")
