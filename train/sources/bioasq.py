"""BioASQ task B: English questions of biomedical experts with snippets of abstracts.

Comes in: `questions[]` with `body`, `snippets`, `exact_answer` in several nestings and `ideal_answer`. Goes out:
reading rows, one document for each abstract, made of its snippets (the files hold no more of it), with the ideal
answer as the summary. Published snippet offsets count in the abstract, so answers are looked for anew.
"""

from collections.abc import Iterator
from typing import Any

from koqas.koqas_types import Document
from koqas.train.sources.building import Origin, Outcome, Reader, ReadOptions, document_of, example_of, found_in
from koqas.train.sources.records import Record, listed, text
from koqas.train.sources.tables import records_of


def _rows(record: Record, origin: Origin, options: ReadOptions) -> Iterator[Outcome]:
    asked = record.value
    question = text(asked, "body").strip()
    kind = text(asked, "type")
    ideal = next(iter(_flat(asked.get("ideal_answer"))), "")
    items = _items(asked.get("exact_answer"), kind)
    answer = ", ".join(names[0] for names in items) or ideal
    if missing := record.lacking(question=question, answer=answer):
        yield missing
        return
    documents = _abstracts(asked, origin)
    spans = [span for names in items for span in found_in(documents, names)[:1]]
    if documents and not spans and kind in ("factoid", "list"):
        yield record.rejected("answer_not_in_context", f"{answer[:80]!r} in none of the snippets")
        return
    yield example_of(
        origin,
        record,
        documents,
        question=question,
        summary=ideal,
        answer=answer.lower() if kind == "yesno" else answer,
        evidence=spans,
        native_id=text(asked, "id"),
        kind=kind,
        answers=items[0][1:] if len(items) == 1 else [],
        items=items if kind == "list" else [],
        group=text(asked, "id"),
    )


def _items(exact: Any, kind: str) -> list[list[str]]:  # noqa: ANN401 - str, list or list of lists
    """Return the items of an exact answer, each with its synonyms: one item, or several for a list question."""
    if kind != "list":
        names = _flat(exact)
        return [names] if names else []
    return [names for names in (_flat(item) for item in (exact if isinstance(exact, list) else [exact])) if names]


def _flat(value: Any) -> list[str]:  # noqa: ANN401 - see _items
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    return [name for part in value for name in _flat(part)] if isinstance(value, list) else []


def _abstracts(asked: dict[str, Any], origin: Origin) -> list[Document]:
    """Join the distinct snippets of each abstract, in file order."""
    snippets: dict[str, dict[str, None]] = {}
    for snippet in listed(asked, "snippets"):
        if passage := text(snippet, "text").strip():
            snippets.setdefault(text(snippet, "document"), {})[passage] = None
    return [document_of(origin, "\n".join(parts), url) for url, parts in snippets.items()]


READER = Reader(frozenset({".json"}), lambda file: records_of(file, "questions"), _rows)
