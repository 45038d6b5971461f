"""What can be said about a candidate answer without a language model: form, place, neighbours, and the question's wish.

Comes in: an analyzed question and analyzed sentences with their lexical scores. Goes out: numbers for each candidate span,
which `koqas_spans.py` reads beside the words. Nothing here is learned.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .koqas_text import AnalyzedSentence, Morpheme, answer_candidates
from .koqas_types import Span

ASKING_WORDS = {
    "누구": "who", "누가": "who", "언제": "when", "어디": "where", "무엇": "what", "무어": "what", "뭐": "what", "뭘": "what",
    "몇": "count", "얼마": "amount", "어느": "which", "어떤": "which", "무슨": "which", "왜": "why", "어떻게": "how",
    "어떠하": "how", "어떻": "how",
}  # fmt: skip
CONTENT = frozenset("NNG NNP NR VV VA XR SL SH SN MAG".split())
YEAR = re.compile(r"\d{1,4}년(대|경|도|쯤)?$")
DATE = re.compile(r"\d+월|\d+일$|세기|시대$")
NUMBER = re.compile(r"^\D{0,2}[\d,.]+")
NUMERIC = (
    "sentence_score", "sentence_rank", "sentence_share", "matched_left", "matched_right", "near_left", "near_right",
    "clause_share", "inside_question", "inside_title", "chars", "morphemes", "extends_left", "extends_right", "contains_other",
    "repeats", "at_start", "in_brackets", "quoted", "head_is_last", "head_inside", "head_beside", "unit_matches", "is_year",
    "is_date", "is_number", "has_number", "has_name", "has_foreign", "only_common", "particle_agrees", "predicate_matches",
    "next_matched", "previous_matched", "candidate_weight", "modifier_before", "copula_after",
)  # fmt: skip


@dataclass(frozen=True)
class QuestionView:
    """What a question asks for.

    Args:
        weights (`dict[str, float]`): Content morphemes with their inverse document frequency.
        kind (`str`): Kind of question word (`who`, `when`, …), or `bare` where there is none.
        head (`str`): Head noun of what is asked for (`책` in `조선의 책은?`), or "".
        particle (`str`): Particle on the question word, or "".
        predicate (`str`): Last verb, adjective or verbal noun.
    """

    weights: dict[str, float]
    kind: str
    head: str
    particle: str
    predicate: str


@dataclass(frozen=True)
class CandidateView:
    """Features of the candidates of some sentences, row by row.

    Args:
        places (`list[tuple[int, Span]]`): Sentence number and span of each candidate.
        numeric (`np.ndarray`): Float32 `(candidates, len(NUMERIC))`.
        sentences (`tuple[AnalyzedSentence, ...]`): The sentences.
        title (`str`): Title of the passage.
    """

    places: list[tuple[int, Span]]
    numeric: np.ndarray
    sentences: tuple[AnalyzedSentence, ...]
    title: str


class Weights(Protocol):
    """Gives every token a weight (inverse document frequency)."""

    def __getitem__(self, token: str) -> float:
        """Return the weight of a token."""


def bucket(name: str, value: str, size: int) -> int:
    """Hash a named value into `size` buckets."""
    return zlib.crc32(f"{name}={value}".encode()) % size


def question_view(sentences: Sequence[AnalyzedSentence], weight: Weights) -> QuestionView:
    """Describe an analyzed question.

    Args:
        sentences (`Sequence[AnalyzedSentence]`): The question.
        weight (`Weights`): Inverse document frequency of tokens.
    """
    tokens = [t for s in sentences for t in s.tokens]
    asking = next((i for i, t in enumerate(tokens) if t.form in ASKING_WORDS and t.tag[0] in "NM"), None)
    kind = ASKING_WORDS[tokens[asking].form] if asking is not None else "bare"
    head, particle = _head(tokens, asking)
    verbs = [t.form for i, t in enumerate(tokens) if t.tag in ("VV", "VA") or _verbal(tokens, i)]
    predicate = verbs[-1] if verbs else ""
    skipped = set(range(asking, asking + 1)) if asking is not None else set()
    weights = {t.form: weight[t.form] for i, t in enumerate(tokens) if t.tag in CONTENT and i not in skipped}
    return QuestionView(weights, kind, head, particle, predicate)


def _verbal(tokens: list[Morpheme], at: int) -> bool:
    return tokens[at].tag in ("NNG", "XR") and at + 1 < len(tokens) and tokens[at + 1].tag in ("XSV", "XSA")


def _head(tokens: list[Morpheme], asking: int | None) -> tuple[str, str]:
    """Return the head noun of what is asked for and the particle on the question word."""
    nouns = ("NNG", "NNP", "NNB", "XSN", "SL", "NR", "XR")
    at = len(tokens) if asking is None else asking
    after = at + 1
    last = ""
    while asking is not None and after < len(tokens) and tokens[after].tag in nouns:
        last = tokens[after].form
        after += 1
    particle = tokens[after].form if after < len(tokens) and tokens[after].tag[0] == "J" else ""
    if last:
        return last, particle
    if (
        asking is not None
        and not (after < len(tokens) and tokens[after].tag in ("VCP", "SF", "EF", "JX"))
        and after < len(tokens)
    ):
        return "", particle
    before = [i for i in range(at) if tokens[i].tag in nouns]
    if not before:
        return "", particle
    place = before[-1]
    topic = place + 1 < len(tokens) and tokens[place + 1].tag in ("JX", "JKS", "SF", "VCP")
    return (tokens[place].form if topic or asking is None else ""), particle


def candidate_view(
    question: QuestionView,
    sentences: Sequence[AnalyzedSentence],
    scores: Sequence[float],
    title: str,
    weight: Weights,
) -> CandidateView:
    """Describe every candidate span of the sentences.

    Args:
        question (`QuestionView`): What is asked.
        sentences (`Sequence[AnalyzedSentence]`): Where the answer may be.
        scores (`Sequence[float]`): Their lexical scores.
        title (`str`): Title of the passage.
        weight (`Weights`): Inverse document frequency of tokens.
    """
    top = max([*scores, 1e-6])
    ranks = np.argsort(np.argsort([-s for s in scores]))
    whole = " ".join(s.text for s in sentences)
    places: list[tuple[int, Span]] = []
    rows: list[list[float]] = []
    for number, sentence in enumerate(sentences):
        base = (scores[number] / 10, float(ranks[number]), scores[number] / top)
        place = _Sentence(question, sentence, title, whole, weight, answer_candidates(sentence))
        for span in place.spans:
            described = place.describe(span)
            if described is not None:
                places.append((number, span))
                rows.append([*base, *described])
    numeric = np.array(rows, dtype=np.float32).reshape(-1, len(NUMERIC))
    return CandidateView(places, numeric, tuple(sentences), title)


class _Sentence:
    """One sentence against one question; describes its candidates."""

    def __init__(
        self,
        question: QuestionView,
        sentence: AnalyzedSentence,
        title: str,
        whole: str,
        weight: Weights,
        spans: list[Span],
    ) -> None:
        self.question, self.sentence, self.title, self.whole = question, sentence, title, whole
        self.weight, self.spans = weight, spans
        self.tokens = sentence.tokens
        self.starts = {t.start: i for i, t in reversed(list(enumerate(self.tokens)))}
        self.matched = np.array([question.weights.get(t.form, 0.0) for t in self.tokens], dtype=np.float32)
        self.total = sum(question.weights.values()) or 1.0
        listed = list(self.tokens)
        self.verbal = [t.tag in ("VV", "VA") or _verbal(listed, i) for i, t in enumerate(listed)]
        self.clause = np.cumsum([t.tag == "EC" for t in self.tokens])

    def describe(self, span: Span) -> list[float] | None:
        """Return the features, or None where the span is not on morphemes."""
        inside = [
            i for i, t in enumerate(self.tokens) if t.start >= span.start and t.end <= span.end and t.end > t.start
        ]
        if not inside:
            return None
        first, last = inside[0], inside[-1]
        return self._numeric(span, first, last)

    def _numeric(self, span: Span, first: int, last: int) -> list[float]:
        q, text = self.question, self.sentence.text
        answer = text[span.start : span.end]
        tokens = self.tokens[first : last + 1]
        left, right = self.matched[:first], self.matched[last + 1 :]
        clause = (self.clause == self.clause[first]).copy()
        clause[first : last + 1] = False
        content = [self.weight[t.form] for t in tokens if t.tag in CONTENT]
        held = [q.weights.get(t.form, 0.0) for t in tokens]
        unit = tokens[-1].form
        verb = next(
            (
                i
                for i in range(last + 1, len(self.tokens))
                if self.tokens[i].tag in ("VV", "VA") or _verbal(list(self.tokens), i)
            ),
            None,
        )
        before = text[: span.start].rstrip()
        after = text[span.end :]
        follower = self.tokens[last + 1] if last + 1 < len(self.tokens) else None
        particle = (
            follower.form if follower is not None and follower.start == span.end and follower.tag[0] == "J" else ""
        )
        return [
            float(left.sum()) / self.total, float(right.sum()) / self.total, _near(left[::-1]) / self.total, _near(right) / self.total,
            float(self.matched[clause].sum()) / self.total,
            sum(held) / max(sum(content), 1e-6), float(answer in self.title), len(answer) / 10, len(tokens) / 5,
            float(any(s.end == span.end and s.start < span.start for s in self.spans)),
            float(any(s.start == span.start and s.end > span.end for s in self.spans)),
            sum(s.start >= span.start and s.end <= span.end for s in self.spans) / 5 - 0.2,
            min(self.whole.count(answer), 5) / 5, float(first == 0), float(before.endswith("(")),
            float(before[-1:] in "〈《「『“‘\"'" if before else False),
            float(bool(q.head) and unit == q.head), float(bool(q.head) and q.head in answer),
            float(bool(q.head) and (before.endswith(q.head) or after.lstrip().startswith(q.head))),
            float(q.kind == "count" and bool(q.head) and answer.endswith(q.head)),
            float(bool(YEAR.search(answer))), float(bool(DATE.search(answer))), float(bool(NUMBER.match(answer))),
            float(any(c.isdigit() for c in answer)), float(any(t.tag == "NNP" for t in tokens)),
            float(any(t.tag in ("SL", "SH") for t in tokens)), float(all(t.tag in ("NNG", "XSN", "NNB") for t in tokens)),
            float(bool(particle) and particle == q.particle),
            float(verb is not None and self.tokens[verb].form == q.predicate),
            float(last + 1 < len(self.tokens) and any(self.matched[last + 1 : last + 4] > 0)),
            float(first > 0 and any(self.matched[max(0, first - 3) : first] > 0)),
            (sum(content) / len(content) / 10) if content else 0.0,
            float(first > 0 and self.tokens[first - 1].tag in ("ETM", "JKG")),
            float(follower is not None and follower.tag == "VCP"),
        ]  # fmt: skip


def _near(weights: np.ndarray) -> float:
    """Return the sum of matched weights, each divided by its distance."""
    return float((weights / (1.0 + np.arange(len(weights)))).sum())
