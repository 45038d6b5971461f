"""Read a model's reply strictly: the JSON that was asked for, whose quotes stand in the passage, or a reason why not.

Comes in: reply texts and passages. Goes out: written questions and verdicts whose spans point into the passage. Trusts
nothing a model says about the text: a quote counts where it is found.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from koqas.koqas_types import Document
from koqas.train.examples import EvidenceSpan
from koqas.train.generation.chat import Reply
from koqas.train.sources.locating import locate

FENCE = re.compile(r"^\s*```(?:json)?\s*(.*?)\s*```\s*$", re.DOTALL)
LETTERS = re.compile(r"[\W_]+")
LONGEST_QUESTION, LONGEST_SUMMARY = 300, 1500  # characters
SHORT_ANSWER = 40  # characters; up to here an answer is a name or number, which its summary must repeat literally
SHORTEST_QUOTE = 2
# A question that speaks of its own page cannot be asked of a search system.
PAGE_WORDS = re.compile(
    r"(이|위|본|해당|제시된|주어진)\s?(글|기사|문서|본문|지문|논문|텍스트)[은는이가의에을를에서]|본문에서|지문에서"
)


class UnusableReply(Exception):
    """A reply that cannot be used.

    Args:
        reason (`str`): Fixed name, as in `Rejection`.
        detail (`str`): What is wrong, in English; also told to the model.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True)
class Explanation:
    """Sentences of a summary, and for each the place that supports it."""

    sentences: tuple[str, ...]
    quotes: tuple[EvidenceSpan, ...]

    @property
    def text(self) -> str:
        """The summary as one text."""
        return " ".join(self.sentences)


@dataclass(frozen=True)
class WrittenItem:
    """A question about a passage. `place` is where the answer stands, None where it is in free form."""

    question: str
    answer: str
    place: EvidenceSpan | None
    explanation: Explanation


@dataclass(frozen=True)
class Verdict:
    """For each claim whether the passage supports it, with the quote found there, and the trust in the whole."""

    supported: tuple[bool, ...]
    trust: float


def object_in(reply: Reply) -> dict[str, Any]:
    """Return the JSON object that a reply consists of; a code fence around it is forgiven.

    Raises:
        UnusableReply: `cut_reply` where the length limit cut it, else `not_json`.
    """
    fenced = FENCE.match(reply.text)
    try:
        value = json.loads(fenced.group(1) if fenced else reply.text)
    except ValueError as error:
        if reply.finish == "length":
            raise UnusableReply("cut_reply", "the reply was cut at the length limit; write less") from error
        raise UnusableReply("not_json", f"{error} in {reply.text[:80]!r}") from error
    if not isinstance(value, dict):
        raise UnusableReply("not_json", f"a {type(value).__name__} instead of an object")
    return value


def explanation_of(reply: Reply, documents: Sequence[Document], answer: str) -> Explanation:
    """Read the reply to a summary task."""
    found = object_in(reply)
    literal = any(locate(d.text, answer) for d in documents)
    return _explanation(_list(found, "summary", declined=found), documents, answer if literal else "")


def items_of(reply: Reply, document: Document, most: int) -> list[WrittenItem | UnusableReply]:
    """Read the reply to a question or article task; each item stands or falls alone.

    Raises:
        UnusableReply: The reply as a whole cannot be used, or no item of it can.
    """
    found = object_in(reply)
    items: list[WrittenItem | UnusableReply] = []
    for value in _list(found, "items", declined=found)[:most]:
        try:
            items.append(_item(value, document))
        except UnusableReply as problem:
            items.append(problem)
    problems = [i for i in items if isinstance(i, UnusableReply)]
    if len(problems) == len(items):
        raise problems[0]
    return items


def verdict_of(reply: Reply, document: Document, claims: int) -> Verdict:
    """Read the reply to a check of numbered claims. A claim is supported where its quote is in the passage."""
    found = object_in(reply)
    verdicts: dict[int, bool] = {}
    for claim in _list(found, "claims"):
        number, supported = _field(claim, "number", int), _field(claim, "supported", bool)
        verdicts[number] = supported and _place(_field(claim, "quote", str), [document]) is not None
    if sorted(verdicts) != list(range(1, claims + 1)):
        raise UnusableReply("missing_field", f"verdicts for claims {sorted(verdicts)} instead of 1 to {claims}")
    trust = found.get("trust")
    if isinstance(trust, bool) or not isinstance(trust, (int, float)) or not 0 <= trust <= 1:
        raise UnusableReply("missing_field", f"trust is {trust!r}, not a number from 0 to 1")
    return Verdict(tuple(verdicts[n] for n in range(1, claims + 1)), float(trust))


def holds(text: str, answer: str) -> bool:
    """Tell whether a text repeats an answer, up to white space, case and punctuation."""
    return LETTERS.sub("", answer).lower() in LETTERS.sub("", text).lower()


def checked(explanation: Explanation, answer: str) -> Explanation:
    """Return an explanation that is short enough and says the answer, where that is short and stands in the text."""
    if len(explanation.text) > LONGEST_SUMMARY:
        raise UnusableReply("summary_too_long", f"{len(explanation.text)} characters, most {LONGEST_SUMMARY}")
    if len(answer) <= SHORT_ANSWER and not holds(explanation.text, answer):
        raise UnusableReply("answer_not_in_summary", f"the sentences with found quotes do not say {answer!r}")
    return explanation


def _item(value: Any, document: Document) -> WrittenItem:  # noqa: ANN401 - anything JSON can hold
    question = " ".join(_field(value, "question", str).split())
    answer = _field(value, "answer", str).strip()
    if not question or not answer or len(question) > LONGEST_QUESTION:
        raise UnusableReply("missing_field", f"question of {len(question)} and answer of {len(answer)} characters")
    if PAGE_WORDS.search(question):
        raise UnusableReply("speaks_of_page", f"the question speaks of its own page: {question!r}")
    if holds(question, answer):
        raise UnusableReply("answer_in_question", f"the question {question!r} holds its answer {answer!r}")
    found = locate(document.text, answer)
    place = EvidenceSpan(document.id, found.start, found.end) if found else None
    if place:
        answer = document.text[place.start : place.end]
    explanation = _explanation(_list(value, "summary"), [document], answer if place else "")
    return WrittenItem(question, answer, place, explanation)


def _explanation(values: list[Any], documents: Sequence[Document], answer: str) -> Explanation:
    """Keep the sentences whose quotes are found; a short `answer` (empty: in free form) must be among them."""
    sentences, quotes = [], []
    for value in values:
        sentence = " ".join(_field(value, "sentence", str).split())
        place = _place(_field(value, "quote", str), documents)
        if sentence and place:
            sentences.append(sentence)
            quotes.append(place)
    if not sentences:
        raise UnusableReply("quote_not_found", f"none of {len(values)} quotes stands in the text letter by letter")
    return checked(Explanation(tuple(sentences), tuple(quotes)), answer)


def _place(quote: str, documents: Sequence[Document]) -> EvidenceSpan | None:
    if len(quote.strip()) < SHORTEST_QUOTE:
        return None
    for document in documents:
        if found := locate(document.text, quote):
            return EvidenceSpan(document.id, found.start, found.end)
    return None


def _list(value: Any, name: str, declined: dict[str, Any] | None = None) -> list[Any]:  # noqa: ANN401
    found = _field(value, name, list)
    if not found and declined is not None:
        raise UnusableReply("declined", str(declined.get("problem") or "the model gave nothing and no reason")[:300])
    return found


def _field(value: Any, name: str, kind: type) -> Any:  # noqa: ANN401
    """Return a field of the right type."""
    if not isinstance(value, dict) or not isinstance(value.get(name), kind):
        shown = type(value.get(name)).__name__ if isinstance(value, dict) else f"inside a {type(value).__name__}"
        raise UnusableReply("missing_field", f"{name!r} must be a {kind.__name__}, it is {shown}")
    if kind is int and isinstance(value[name], bool):
        raise UnusableReply("missing_field", f"{name!r} must be a number")
    return value[name]
