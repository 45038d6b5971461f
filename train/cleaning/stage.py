"""The cleaning stage: one row in, the cleaned row or the reason why it is dropped out.

Documents are cleaned with an alignment, so evidence follows; the other texts are cleaned as they are. A distractor of
low quality leaves the row, a useful document takes the row with it. No row is changed in place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from koqas.koqas_types import Document, Span
from koqas.train.cleaning.alignment import Trail
from koqas.train.cleaning.boilerplate import without_boilerplate
from koqas.train.cleaning.characters import composed, noiseless, spaced
from koqas.train.cleaning.markup import looks_like_html, markdown_of, unescaped
from koqas.train.cleaning.quality import QualityPolicy, flaw_of
from koqas.train.examples import EvidenceSpan, Example
from koqas.train.rejections import Rejection

LETTERS = re.compile(r"[^\w]+|_")
KEPT_SHARE = 0.9  # of the letters of a quote that holds markup; what goes are footnote marks and hidden copies


@dataclass(frozen=True)
class CleaningPolicy:
    """What the stage does.

    Args:
        quality (`QualityPolicy`): Thresholds for documents.
        boilerplate (`bool`): Whether lines of page furniture are dropped.
    """

    quality: QualityPolicy = field(default_factory=QualityPolicy)
    boilerplate: bool = True


def clean_text(text: str, protected: Sequence[Span] = (), *, boilerplate: bool = True) -> Trail:
    """Clean one text.

    Args:
        text (`str`): Plain text or HTML.
        protected (`Sequence[Span]`): Spans of `text` whose lines are no boilerplate, whatever they look like.
        boilerplate (`bool`): Whether boilerplate lines are dropped.

    Returns:
        `Trail`: The cleaned text, which can follow spans of the given one.
    """
    trail = Trail(text)
    if looks_like_html(text):
        trail = trail.then(markdown_of(text))
    elif "&" in text:
        trail = trail.then(unescaped(text))
    trail = trail.then(noiseless(trail.text))  # first: an invisible character inside a decomposed syllable parts it
    trail = trail.then(composed(trail.text))
    trail = trail.then(spaced(trail.text))
    if boilerplate:
        followed = [s for s in map(trail.follow, protected) if s]
        trail = trail.then(without_boilerplate(trail.text, followed))
        trail = trail.then(spaced(trail.text))
    return trail


def clean_example(row: Example, policy: CleaningPolicy | None = None) -> Example | Rejection:
    """Clean a row.

    Returns:
        `Example` or `Rejection`: A valid row whose evidence quotes what it quoted before, or why there is none.
    """
    policy = policy or CleaningPolicy()
    documents: list[Document] = []
    useful: list[bool] = []
    trails: dict[str, Trail] = {}
    for document, is_useful in zip(row.documents, row.useful):
        protected = [Span(e.start, e.end) for e in row.evidence if e.document == document.id]
        trail = clean_text(document.text, protected, boilerplate=policy.boilerplate)
        flaw = flaw_of(trail.text, policy.quality)
        if flaw and (is_useful or len(row.documents) == 1):
            return _rejected(row, flaw.reason, f"document {document.id}: {flaw.detail}")
        if not flaw:
            trails[document.id] = trail
            documents.append(replace(document, title=_line(document.title), text=trail.text))
            useful.append(is_useful)
    if row.documents and not documents:
        return _rejected(row, "no_document_left", f"all {len(row.documents)} documents are of low quality")
    return _followed(row, tuple(documents), tuple(useful), trails)


def _followed(
    row: Example, documents: tuple[Document, ...], useful: tuple[bool, ...], trails: dict[str, Trail]
) -> Example | Rejection:
    texts = {d.id: d.text for d in row.documents}
    evidence: list[EvidenceSpan] = []
    answer = _line(row.answer) if row.answer else ""
    for span in row.evidence:
        old = texts[span.document][span.start : span.end]
        new = trails[span.document].follow(Span(span.start, span.end))
        if new is None or not _same_letters(old, trails[span.document].text[new.start : new.end]):
            return _rejected(row, "evidence_lost", f"document {span.document} [{span.start}, {span.end})")
        evidence.append(EvidenceSpan(span.document, new.start, new.end))
        if _is_quote(row.answer, old):
            answer = trails[span.document].text[new.start : new.end]
    cleaned = replace(
        row,
        question=_line(row.question),
        documents=documents,
        useful=useful,
        summary=clean_text(row.summary, boilerplate=False).text,
        answer=answer,
        evidence=tuple(evidence),
    )
    problems = cleaned.problems()
    return _rejected(row, "emptied", "; ".join(problems)) if problems else cleaned


def _is_quote(answer: str, quote: str) -> bool:
    """Tell whether an answer is a quote, itself or as the text that its HTML shows."""
    return bool(answer) and (
        answer == quote or (looks_like_html(quote) and _letters(answer) == _letters(_shown(quote)))
    )


def _same_letters(old: str, new: str) -> bool:
    if not looks_like_html(old):
        return _letters(_shown(old)) == _letters(new)
    shown = _letters(_shown(old))
    kept = len(_letters(new))
    return bool(new) and kept >= KEPT_SHARE * len(shown)


def _shown(fragment: str) -> str:
    return clean_text(fragment, boilerplate=False).text


def _letters(text: str) -> str:
    return LETTERS.sub("", text)


def _line(text: str) -> str:
    return " ".join(_shown(text).split())


def _rejected(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection("cleaning", reason, detail, source=row.source, id=row.id)
