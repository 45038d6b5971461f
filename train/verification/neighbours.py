"""A wrong passage for every question: the likeliest passage of another document of the same run, by BM25.

Comes in: rows. Goes out: passages. Tokens are character bigrams alone: that ranks nearly as well as with morphemes
(nDCG@10 .956 beside .965 on KorQuAD 1.0) and needs no analyzer, and a wrong passage only has to be a tempting one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import bm25s

from koqas.koqas_text import search_tokens
from koqas.koqas_types import Document
from koqas.train.examples import Example

LONGEST = 1200  # characters of a passage, as generation cuts them
MOST_PASSAGES = 50_000  # each question costs time in proportion; so many hold a tempting one for any question
TRIED = 8  # places of the ranking that are looked at for one of another document


@dataclass(frozen=True)
class _Passage:
    """A piece of a document, and the group of documents that are copies or parts of one."""

    group: str
    document: Document


class Neighbours:
    """Passages of a run, searched for tempting ones.

    Args:
        rows (`Iterable[Example]`): Rows of the run; documents that come again count once.
    """

    def __init__(self, rows: Iterable[Example]) -> None:
        self._passages: list[_Passage] = []
        seen: set[str] = set()
        for row in rows:
            for document in row.documents:
                if document.id not in seen and len(self._passages) < MOST_PASSAGES:
                    seen.add(document.id)
                    self._passages += [_Passage(group_of(row), d) for d in pieces_of(document)]
        self._index = bm25s.BM25(k1=1.2, b=0.75)
        if self._passages:
            tokens = [_tokens(f"{p.document.title} {p.document.text}") or [""] for p in self._passages]
            self._index.index(tokens, show_progress=False)

    def wrong_passage(self, row: Example) -> Document | None:
        """Return the likeliest passage of another document; None where no other document shares a token."""
        tokens = _tokens(row.question)
        if not self._passages or not tokens:
            return None
        scores = self._index.get_scores(tokens)
        own = {d.id for d in row.documents}
        group = group_of(row)
        most = min(len(scores), TRIED)
        while True:
            best = scores.argpartition(-most)[-most:]
            for place in sorted(best, key=lambda i: (-scores[i], i)):
                passage = self._passages[place]
                if scores[place] > 0 and passage.group != group and passage.document.id.split("#")[0] not in own:
                    return passage.document
            if most == len(scores):
                return None
            most = min(len(scores), most * TRIED)  # the first places are all of the row's own document


def group_of(row: Example) -> str:
    """Return what the copies and parts of one document share: its cluster, else its group, else its id."""
    first = row.documents[0].id if row.documents else row.id
    return str(row.meta.get("document_cluster") or row.meta.get("group") or first)


def pieces_of(document: Document) -> list[Document]:
    """Cut a long document at line ends or spaces; a piece's id is the document's, `#` and where it begins."""
    pieces: list[Document] = []
    text, start = document.text, 0
    while start < len(text):
        end = min(start + LONGEST, len(text))
        if end < len(text):
            cut = max(text.rfind("\n", start, end), text.rfind(". ", start, end) + 1)
            cut = cut if cut > start + LONGEST // 2 else text.rfind(" ", start, end)
            end = cut + 1 if cut > start else end
        if text[start:end].strip():
            pieces.append(Document(f"{document.id}#{start}", text[start:end], document.title))
        start = end
    return pieces if len(pieces) > 1 else [document]


def _tokens(text: str) -> list[str]:
    return list(dict.fromkeys(search_tokens((), text)))
