"""Arms that ask one question share what the model has read: a passage is judged and read once for all of them.

Comes in: a pipeline. Goes out: the same answers as without, sooner; seconds mean nothing meanwhile.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from koqas.koqas_docquest import Passage
from koqas.koqas_pipeline import KoQasPipeline

SECTIONS = ("relevance", "usefulness")


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:  # noqa: ANN401  (any object and method)
    """Let a method of one object be another within the block."""
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not None:
            setattr(owner, name, before)


@contextmanager
def shared_reading(qa: KoQasPipeline) -> Iterator[None]:
    """Within the block, keep each analysis, judgement and verdict; leave it after one question to free them."""
    judged: dict[tuple[str, str, str], dict[str, float]] = {}
    read: dict[tuple[Any, ...], list[float]] = {}
    judge = qa.docquest.logits

    def logits(question: str, passages: Sequence[Passage], sections: Sequence[str]) -> list[list[float]]:
        keys = [(question, p.title, p.text) for p in passages]
        # Both sections at once: the second costs one header on the cached passage.
        if fresh := {k: p for k, p in zip(keys, passages, strict=True) if k not in judged}:
            scores = judge(question, list(fresh.values()), SECTIONS)
            judged.update({k: dict(zip(SECTIONS, own)) for k, own in zip(fresh, zip(*scores))})
        return [[judged[k][section] for k in keys] for section in sections]

    with replaced(qa.docquest, "logits", logits):
        answers = qa.extractive.answers
        if qa.ranker is None or answers is None:
            yield
            return
        verdicts = answers.reader.verdicts

        def remembered(title: str, question: str, summary: str, shared: Any, spans: Any) -> list[float]:  # noqa: ANN401
            key = (title, question, summary, tuple(spans))
            if key not in read:
                read[key] = verdicts(title, question, summary, shared, spans)
            return read[key]

        # An analyzed question keeps what the ranker has read for it.
        with (
            replaced(qa.ranker, "question", lru_cache(maxsize=None)(qa.ranker.question)),
            replaced(answers.reader, "verdicts", remembered),
        ):
            yield
