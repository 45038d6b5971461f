"""How well answers rest on the documents: literal quotes, citations, foreign script. Knows results, not models.

Comes in: results of the pipeline with the passages they were written from. Goes out: shares. Citations are judged as in
ALCE (Gao et al. 2023, arXiv:2305.14627), with lexical support (train/verification/support.py) in place of an entailment
model: a free paraphrase may count as unsupported, a contradiction in the same words as supported.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from koqas.koqas_citations import CITATION
from koqas.koqas_text import sentences_of
from koqas.train.verification.stage import LEAST_SUPPORT
from koqas.train.verification.support import passage_sentences, support_of

SCRIPTS = {
    "hanja": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"),
    "latin": re.compile(r"[A-Za-z]+"),
    "kana": re.compile(r"[\u3041-\u30ff]+"),
}


@dataclass(frozen=True)
class Citations:
    """What a text's citations are worth.

    Args:
        sentences (`int`): Sentences that say something.
        supported (`int`): Those which their citations together support.
        cited (`int`): Citations.
        needed (`int`): Those whose passage supports the sentence alone, or without which it would not be supported.
    """

    sentences: int
    supported: int
    cited: int
    needed: int


def leaked_scripts(text: str, sources: Sequence[str]) -> list[str]:
    """Return the scripts (`hanja`, `latin`, `kana`) of which a text has letters that stand in no source."""
    held = "\n".join(sources).lower()
    bare = CITATION.sub("", text)
    return [n for n, letters in SCRIPTS.items() if any(run.lower() not in held for run in letters.findall(bare))]


def citations_of(text: str, passages: Sequence[str], question: str = "") -> Citations:
    """Judge the `[n]` of a text against the passages that it numbers from 1.

    Args:
        text (`str`): Sentences with citations.
        passages (`Sequence[str]`): What was shown, in its order.
        question (`str`): Numbers and names may come from it too.
    """
    sentences = supported = cited = needed = 0
    for sentence in cited_sentences(text):
        bare = CITATION.sub("", sentence).strip()
        if not sentences_of(bare):
            continue
        sentences += 1
        given = list(dict.fromkeys(int(n) - 1 for n in CITATION.findall(sentence)))
        shown = [passages[n] if 0 <= n < len(passages) else "" for n in given]
        cited += len(given)
        if not shown or not supports(bare, shown, question):
            continue
        supported += 1
        for place in range(len(shown)):
            others = shown[:place] + shown[place + 1 :]
            needed += supports(bare, [shown[place]], question) or not (others and supports(bare, others, question))
    return Citations(sentences, supported, cited, needed)


def cited_sentences(text: str) -> list[str]:
    """Cut a text into sentences, each with the citations that follow it."""
    parts: list[str] = []
    for sentence in sentences_of(text):
        found = text[sentence.start : sentence.start + len(sentence.text)]
        if parts and not CITATION.sub("", found).strip(" .\n"):
            parts[-1] += found  # a citation behind the full stop
        elif parts and (leading := re.match(r"(?:\s*\[\d+\])+", found)):
            parts[-1] += leading.group()
            parts.append(found[leading.end() :])
        else:
            parts.append(found)
    return parts


def supports(sentence: str, passages: Sequence[str], question: str) -> bool:
    """Tell whether passages hold most of a sentence's content words and all its numbers and names."""
    held = [s for n, p in enumerate(passages) for s in passage_sentences(str(n), sentences_of(p))]
    found = support_of(sentences_of(sentence), held, [*passages, question])
    return bool(found) and all(s.share >= LEAST_SUPPORT and not s.missing for s in found)
