"""The documents of one visitor: read file by file, so that one bad file costs nothing else, then indexed.

Comes in: paths of uploaded files. Goes out: documents with their index, and the files that could not be read with the
reason. Knows nothing of Gradio.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from koqas.koqas_documents import load_documents
from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_retrieval import Index
from koqas.koqas_types import Document, KoQasError

MOST_FILES = 10_000


@dataclass
class Shelf:
    """Documents by id, their index, and what could not be read."""

    documents: dict[str, Document] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    index: Index | None = None

    @classmethod
    def over(cls, index: Index | None) -> "Shelf":
        """Return a shelf with what a pipeline has indexed already."""
        return cls(dict(index.documents) if index else {}, [], index)


def shelved(
    qa: KoQasPipeline, shelf: Shelf, paths: Sequence[str], tell: Callable[[int, int], None] = lambda done, all_of: None
) -> Shelf:
    """Return a shelf with further files; the old one stays as it was.

    Args:
        qa (`KoQasPipeline`): Makes the index.
        shelf (`Shelf`): What is there already.
        paths (`Sequence[str]`): Files.
        tell (`Callable[[int, int], None]`): Hears how many files of how many are read.
    """
    documents, problems = dict(shelf.documents), []
    for number, name in enumerate(sorted(paths)):
        tell(number, len(paths))
        path = Path(name)
        try:
            for document in load_documents(path):
                key = _free(path.name if document.id in (path.name, name) else document.id, documents)
                documents[key] = replace(document, id=key)
        except KoQasError as error:
            problems.append(f"{path.name}: {error}")
        except Exception as error:  # a reader's own failure is that file's problem, not the visitor's
            problems.append(f"{path.name}: 읽지 못했습니다 ({type(error).__name__}: {error})")
    tell(len(paths), len(paths))
    if len(documents) == len(shelf.documents):
        return Shelf(documents, problems, shelf.index)
    return Shelf(documents, problems, qa.build_index(list(documents.values()), progress=True))


def _free(name: str, taken: dict[str, Document]) -> str:
    number, key = 1, name
    while key in taken:
        number += 1
        key = f"{name} ({number})"
    return key
