"""Summaries without a model: the sentences of the document that hold the answer and what one needs to read them.

Comes in: analyzed sentences, a question, the place of its answer. Goes out: sentences to quote, word for word, so that
their support is proven by their offsets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from koqas.koqas_text import AnalyzedSentence, analyze, matching_forms, sentences_of, view_of
from koqas.koqas_types import Document, Span
from koqas.train.examples import EvidenceSpan

# A sentence that begins so is about the one before it.
REFERS_BACK = re.compile(
    r"(이(는|를|에|로|것|곳|때|들|러한|와|처럼)?|그(는|를|의|러나|런데|리고|래서|녀는|녀가|들은|곳|때)?|저|해당|따라서|또한|당시|여기)\s"
)
# What is reported as said, rumoured or expected is no fact to ask about.
HEARSAY = re.compile(
    r"(것으로 (알려졌|알려진|전해졌|전해진|보인|보이|추정|추측|예상|전망|관측)|(알려져|전해지고) 있|다는 (소문|의혹|추측|주장|설)"
    r"|(라는|다는|란) 말이 (있|나)|카더라|가능성이 (제기|점쳐)|(할|될|일|을) (전망|예정|것으로 보)|모른다[.\s]|듯하다|지도 모른)"
)
ENOUGH_NEW_WORDS = 2  # words of the question that a further sentence must add
LEAST_SHARE = 0.5  # of the words of a free-form answer that its sentences must hold


@dataclass(frozen=True)
class PlacedSentence:
    """An analyzed sentence of the readable view, and where it stands in the document's own text."""

    analyzed: AnalyzedSentence
    place: Span

    @property
    def forms(self) -> set[str]:
        """Content morphemes by which it is matched."""
        return matching_forms(self.analyzed.tokens)


def placed_sentences(document: Document) -> list[PlacedSentence]:
    """Split a document into sentences with their places."""
    view = view_of(document.text)
    return [PlacedSentence(s, view.original(s.start, s.start + len(s.text))) for s in next(analyze([view.text]))]


def explaining(sentences: Sequence[PlacedSentence], question: str, answer: Span) -> list[PlacedSentence]:
    """Choose sentences that explain an answer: those that hold it, one before if they refer back, one for the question.

    Returns:
        `list`: In the order of the text; empty where no sentence holds the answer.
    """
    chosen = {i for i, s in enumerate(sentences) if s.place.start < answer.end and answer.start < s.place.end}
    if not chosen:
        return []
    first = min(chosen)
    if first and REFERS_BACK.match(sentences[first].analyzed.text):
        chosen.add(first - 1)
    missing = forms_of(question) - {f for i in chosen for f in sentences[i].forms}
    others = [i for i in range(len(sentences)) if i not in chosen]
    if others and missing:
        best = max(others, key=lambda i: (len(sentences[i].forms & missing), -abs(i - first)))
        if len(sentences[best].forms & missing) >= ENOUGH_NEW_WORDS:
            chosen.add(best)
    return [sentences[i] for i in sorted(chosen)]


def closest(sentences: Sequence[PlacedSentence], question: str, answer: str) -> list[PlacedSentence]:
    """Choose the one or two sentences that hold most of a free-form answer's words; empty where that is too few."""
    wanted = forms_of(answer)
    asked = forms_of(question)
    left, chosen = set(wanted), []
    for _ in range(2):
        rest = [s for s in sentences if s not in chosen]
        best = max(rest, key=lambda s: (len(s.forms & left), len(s.forms & asked)), default=None)
        if best is None or not best.forms & left:
            break
        chosen.append(best)
        left -= best.forms
    if not wanted or len(left) > (1 - LEAST_SHARE) * len(wanted):
        return []
    return sorted(chosen, key=lambda s: s.place.start)


def forms_of(text: str) -> set[str]:
    """Return the content morphemes of a text, in lower case."""
    return {f for s in sentences_of(text) for f in matching_forms(s.tokens)}


def spans_in(document: Document, sentences: Sequence[PlacedSentence]) -> list[EvidenceSpan]:
    """Return where sentences stand."""
    return [EvidenceSpan(document.id, s.place.start, s.place.end) for s in sentences]


def summary_of(sentences: Sequence[PlacedSentence]) -> str:
    """Join sentences to a summary."""
    return " ".join(s.analyzed.text for s in sentences)
