"""Check again, without any model, that a result's evidence stands in the documents."""

from collections.abc import Iterable
from typing import Any

from .koqas_documents import load_documents
from .koqas_retrieval import Index
from .koqas_types import Document, sha256_of


def verify(result: dict[str, Any], documents: Any) -> bool:  # noqa: ANN401
    """Re-check a result's evidence without any model.

    Args:
        result (`dict`): What the pipeline returned.
        documents: The documents it was asked of (anything `load_documents` reads, or an `Index`).

    Returns:
        `bool`: True when every quote stands at its offsets in a text with the recorded hash, and an answered
        result has evidence.
    """
    known: Iterable[Document] = (
        documents.documents.values() if isinstance(documents, Index) else load_documents(documents)
    )
    texts = {d.id: d.text for d in known}
    for e in result["evidence"]:
        text = texts.get(e["document"])
        if (
            text is None
            or sha256_of(text) != e["sha256"]
            or text[e["start"] : e["end"]] != e["quote"]
            or not e["quote"]
        ):
            return False
    return bool(result["evidence"]) or not result["answered"]
