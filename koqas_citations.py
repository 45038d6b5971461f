"""Find where free text stands in the passages it was written from: citations `[n]`, else the words themselves.

Comes in: a summary, an answer and the passages that the model was shown. Goes out: a composition with evidence, or
None where the text refuses or no passage supports it. Knows Korean text; knows nothing about models.
"""

import re
from collections.abc import Sequence

from .koqas_locations import locate
from .koqas_text import search_tokens, sentences_of
from .koqas_types import Chunk, Composition, Document, Evidence, Sentence, sha256_of

CITATION = re.compile(r"\s*\[(\d+)\]")
REFUSAL = re.compile(r"(찾을|확인할|알) 수 없|나와 있지 않|(답|정보|내용|언급)[이가은는]? 없")
LOCATED = 0.5  # least share of a summary sentence's words that its source sentence must hold


def evidence_of(document: Document, sentence: Sentence, chunk: Chunk) -> Evidence:
    """Quote a sentence of a document's chunk, and say where it stands."""
    start, end = sentence.start, sentence.end
    location = locate(document, start, end, chunk.headings)
    return Evidence(document.id, start, end, document.text[start:end], sha256_of(document.text), location)


def supported(summary: str, answer: str, shown: Sequence[Chunk], documents: dict[str, Document]) -> Composition | None:
    """Return what was written with its evidence; None for a refusal and for text that no passage supports.

    Args:
        summary (`str`): Sentences with citations, or "".
        answer (`str`): The answer.
        shown (`Sequence[Chunk]`): Passages in the order of their numbers.
        documents (`dict[str, Document]`): Their documents by id.
    """
    if not answer or REFUSAL.search(answer):
        return None
    found: dict[tuple[str, int], Evidence] = {}
    located = told = 0
    for sentence in sentences_of(summary or answer):
        words = _words(CITATION.sub("", sentence.text).strip())
        if not words:
            continue
        told += 1
        cited = [int(n) for n in CITATION.findall(sentence.text)]
        chunks = [shown[n - 1] for n in cited if 1 <= n <= len(shown)] or shown
        rows = [(_share(words, s.text), chunk, s) for chunk in chunks for s in chunk.sentences]
        share, chunk, best = max(rows, key=lambda row: row[0])
        if share >= LOCATED:
            located += 1
            found[(chunk.document, best.start)] = evidence_of(documents[chunk.document], best, chunk)
    if not found:
        return None
    return Composition(summary, CITATION.sub("", answer).strip(), located / max(told, 1), tuple(found.values()))


def _words(text: str) -> set[str]:
    return {t for s in sentences_of(text) for t in search_tokens(s.tokens, s.text)}


def _share(words: set[str], text: str) -> float:
    return len(words & _words(text)) / len(words)
