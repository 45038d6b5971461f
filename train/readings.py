"""Reading trees: a question, a few sentences and their candidate spans, of which one, or none, is the answer.

Comes in: analyzed sentences with a question and its answer. Goes out: prompt trees in the form that
koqas_reader.py scores when it answers.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_reader import reading_of
from koqas.koqas_text import AnalyzedSentence, Morpheme, answer_candidates, matching_forms, shared_words
from koqas.koqas_types import Span
from koqas.train.trees import PromptTree


@dataclass(frozen=True)
class Shown:
    """Sentences joined to a summary, with the spans of their candidates and of the words shared with the question."""

    text: str
    candidates: list[Span]
    shared: list[Span]


def shown_sentences(sentences: Sequence[AnalyzedSentence], question: Sequence[Morpheme]) -> Shown:
    """Join sentences and shift their spans to the joined text."""
    text, candidates, shared = "", [], []
    forms = matching_forms(question)
    for sentence in sentences:
        start = len(text) + bool(text)
        candidates += [Span(start + s.start, start + s.end) for s in answer_candidates(sentence)]
        shared += [Span(start + s.start, start + s.end) for s in shared_words(sentence, forms)]
        text = f"{text} {sentence.text}" if text else sentence.text
    return Shown(text, candidates, shared)


def reading_tree(
    chat: ChatFormat,
    title: str,
    question: Sequence[AnalyzedSentence],
    answer: str,
    sentences: Sequence[AnalyzedSentence],
    most: int,
    rng: random.Random,
) -> PromptTree | None:
    """Tokenize one reading, or return None when its sentences have nothing to choose from.

    Args:
        chat (`ChatFormat`): Prompt format.
        title (`str`): Title of the passage, or "".
        question (`Sequence[AnalyzedSentence]`): The question, analyzed.
        answer (`str`): The right answer; "" where these sentences do not hold one.
        sentences (`Sequence[AnalyzedSentence]`): What the reader is shown.
        most (`int`): Candidates kept; the right ones always are.
        rng (`random.Random`): Chooses the others.
    """
    asked = [m for s in question for m in s.tokens]
    shown = shown_sentences(sentences, asked)
    summary, spans = shown.text, shown.candidates
    right = [s for s in spans if answer and summary[s.start : s.end] == answer]
    if answer and not right:
        place = summary.find(answer)
        if place < 0:
            return None
        right = [Span(place, place + len(answer))]
    wrong = [s for s in spans if s not in right]
    # Spans that overlap the answer are the hard ones; half of the room is theirs.
    near = [s for s in wrong if any(s.start < r.end and s.end > r.start for r in right)]
    near = rng.sample(near, min(len(near), most // 2))
    far = [s for s in wrong if s not in near]
    offered = [*right, *near, *rng.sample(far, min(len(far), max(most - len(near) - len(right), 0)))]
    if not offered:
        return None
    reading = reading_of(chat, title, " ".join(s.text for s in question), summary, shown.shared)
    tree = PromptTree()
    root = tree.grow(-1, reading.prefix)
    for span in offered:
        ids, first = reading.branch(span)
        tree.grow(root, [*ids, chat.end[0]], first)
        tree.choices[-1], tree.right[-1] = 0, span in right
    return tree
