"""The privacy stage: one row in, the masked row with its key or the reason why it is dropped out.

All texts of a row share one book of masks, so that the name in the question is the name in the passage. An answer is
masked where its evidence is; where a mask would cut the evidence, the row goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from koqas.koqas_types import Span
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.privacy.findings import IDENTIFIERS, NAME, Finding, settled
from koqas.train.privacy.identifiers import identifiers_in
from koqas.train.privacy.keys import RowKey
from koqas.train.privacy.masking import MaskBook, MaskedText, cut_by
from koqas.train.privacy.names import KiwiNames, NameFinder
from koqas.train.rejections import Rejection


@dataclass(frozen=True)
class PrivacyPolicy:
    """What the stage masks.

    Args:
        kinds (`frozenset[str]`): Kinds to mask. An encyclopedia or a news set whose questions ask for people keeps its
            names: give it the identifiers alone.
        names (`NameFinder`): Finds names and organizations; asked only when `kinds` holds one of them.
        masked_answers (`bool`): Whether a row may stay whose answer is nothing but masks (`[이름1]`).
    """

    kinds: frozenset[str] = frozenset((*IDENTIFIERS, NAME))
    names: NameFinder = field(default_factory=KiwiNames)
    masked_answers: bool = True


@dataclass(frozen=True)
class MaskedRow:
    """A masked row and what restores it."""

    row: Example
    key: RowKey


def find(texts: list[str], policy: PrivacyPolicy) -> list[list[Finding]]:
    """Return for each text what the policy masks, in order, none overlapping."""
    found = [identifiers_in(t) for t in texts]
    if not policy.kinds <= frozenset(IDENTIFIERS):
        found = [[*a, *b] for a, b in zip(found, policy.names(texts))]
    return [settled(f for f in findings if f.kind in policy.kinds) for findings in found]


def mask_example(row: Example, policy: PrivacyPolicy) -> MaskedRow | Rejection:
    """Mask a row.

    Returns:
        `MaskedRow` or `Rejection`: A valid row in which equal things have equal masks, or why there is none.
    """
    places = _places(row)
    texts = list(places.values())
    found = dict(zip(places, find(texts, policy)))
    if not any(found.values()):
        return MaskedRow(row, RowKey(row.id, {}, tuple((e.start, e.end) for e in row.evidence)))
    book = MaskBook()
    for text in texts:
        book.reserve(text)
    for place, text in places.items():
        book.learn(text, found[place])
    found = {place: book.repeated(text, found[place]) for place, text in places.items()}
    for span in row.evidence:
        finding = cut_by(found[f"text {span.document}"], Span(span.start, span.end))
        if finding:
            return _rejected(row, "answer_cut", f"evidence [{span.start}, {span.end}) ends inside a {finding.kind}")
    masked = {place: book.apply(text, found[place]) for place, text in places.items()}
    return _assembled(row, masked, policy)


def identifiers_left(texts: Iterable[str]) -> list[str]:
    """Return the kinds of the structured identifiers that texts still hold; empty after masking."""
    return [f.kind for t in texts for f in identifiers_in(t)]


def _places(row: Example) -> dict[str, str]:
    """Documents first, so that numbers follow the order of the passage."""
    documents = {
        f"{name} {d.id}": text for d in row.documents for name, text in (("title", d.title), ("text", d.text))
    }
    return {**documents, "question": row.question, "summary": row.summary, "answer": row.answer}


def _assembled(row: Example, masked: dict[str, MaskedText], policy: PrivacyPolicy) -> MaskedRow | Rejection:
    documents = tuple(
        replace(d, title=masked[f"title {d.id}"].text, text=masked[f"text {d.id}"].text) for d in row.documents
    )
    originals = {d.id: d.text for d in row.documents}
    evidence: list[EvidenceSpan] = []
    answer = masked["answer"]
    for span in row.evidence:
        text = masked[f"text {span.document}"]
        place = text.edited.follow(Span(span.start, span.end))
        if place is None:
            return _rejected(row, "answer_cut", f"evidence [{span.start}, {span.end}) was masked away")
        evidence.append(EvidenceSpan(span.document, place.start, place.end))
        if row.answer == originals[span.document][span.start : span.end]:
            quote = text.text[place.start : place.end]
            if quote != answer.text:
                return _rejected(row, "answer_cut", "the answer is masked otherwise than its evidence")
    if answer.pieces and not policy.masked_answers and _only_masks(answer):
        return _rejected(row, "answer_masked", "nothing of the answer is left but masks")
    changed = replace(
        row,
        question=masked["question"].text,
        documents=documents,
        summary=masked["summary"].text,
        answer=answer.text,
        evidence=tuple(evidence),
    )
    problems = changed.problems()
    if problems:
        return _rejected(row, "answer_cut", "; ".join(problems))
    places = {name: text.pieces for name, text in masked.items()}
    return MaskedRow(changed, RowKey(row.id, places, tuple((e.start, e.end) for e in row.evidence)))


def _only_masks(answer: MaskedText) -> bool:
    covered = sum(p.end - p.start for p in answer.pieces)
    return covered >= len(answer.text.strip())


def _rejected(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection("privacy", reason, detail, source=row.source, id=row.id)
