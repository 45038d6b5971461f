"""Write the answer as free text with citations: a summary of the evidence, then the answer conditioned on it.

The answer continues the summary's sequence on the same key-value cache. koqas_citations.py then looks for the text in
the passages; koqas_extractive.py is the other way to answer. Knows prompts and models, not retrieval.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from transformers import DynamicCache

from .koqas_citations import supported
from .koqas_events import Piece
from .koqas_options import AskOptions, RepositorySettings
from .koqas_prompts import ChatFormat
from .koqas_sections import Sections
from .koqas_types import Chunk, Composition, Document, ScoredChunk, Sentence
from .koqas_writing import write


@dataclass(frozen=True)
class ComposeOptions:
    """How an answer is written.

    Args:
        summary (`bool`): Summarize first; False answers from the passages directly.
        summary_sentences (`int`): Sentences of an extractive summary.
        context_tokens (`int`): Room for the passages in the prompt.
        length_power (`float`): A span's log-likelihood is divided by its token count to this power.
        answer_threshold (`float`, *optional*): Replaces the threshold of the reading settings.
        least_confidence (`float`): An extractive answer below it is not told at all.
        ranker (`bool`): Extractive answers use the ranker, where the repository has one.
        reader (`bool`): Extractive answers use the language model's verdicts, where it is trained to give them.
        max_new_tokens (`int`): Longest free text, for the summary and for the answer each.
        temperature (`float`): 0 decodes greedily; else sampling.
        seed (`int`): Seed of sampling.
    """

    summary: bool = True
    summary_sentences: int = 2
    context_tokens: int = 480
    length_power: float = 0.0
    answer_threshold: float | None = None
    least_confidence: float = 0.0
    ranker: bool = True
    reader: bool = True
    max_new_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0

    @classmethod
    def of(cls, options: AskOptions, settings: RepositorySettings) -> "ComposeOptions":
        """Return what a question's options and a repository's settings say of writing."""
        both = {**vars(settings), **vars(options)}
        return cls(**{f.name: both[f.name] for f in fields(cls)})


@dataclass
class RatedSentence:
    """A sentence of a kept chunk, with the model's rating of it (0..1)."""

    scored: ScoredChunk
    sentence: Sentence
    rating: float


def fit_context(rated: Sequence[RatedSentence], chat: ChatFormat, room: int) -> list[tuple[Chunk, str]]:
    """Choose what the prompt shows of each chunk: everything if it fits, else the best-rated sentences.

    Returns:
        `list[tuple[Chunk, str]]`: Chunks in their order with the text shown, none of them empty.
    """
    shown: set[int] = set()
    for row in sorted(range(len(rated)), key=lambda i: -rated[i].rating):
        cost = len(chat.content(rated[row].sentence.text))
        if shown and cost > room:
            continue
        shown.add(row)
        room -= cost
    texts: dict[tuple[str, int], tuple[Chunk, list[str]]] = {}
    for row in sorted(shown):
        chunk = rated[row].scored.chunk
        texts.setdefault((chunk.document, chunk.number), (chunk, []))[1].append(rated[row].sentence.text)
    return [(chunk, " ".join(parts)) for chunk, parts in texts.values()]


class Cited:
    """Writes free text with `[n]` citations and locates each cited sentence in its passage.

    Args:
        model: A causal LM.
        chat (`ChatFormat`): Its prompt format.
    """

    def __init__(self, model: Any, chat: ChatFormat) -> None:  # noqa: ANN401
        self.model, self.chat = model, chat

    def pieces(
        self, question: str, kept: Sequence[ScoredChunk], documents: dict[str, Document], options: ComposeOptions
    ) -> Generator[Piece, None, Composition | None]:
        """Write summary and answer piece by piece.

        Returns None when the model says that the passages hold no answer, or when none of them supports the text.
        """
        rated = [RatedSentence(s, x, s.usefulness or s.fused) for s in kept for x in s.chunk.sentences]
        shown = fit_context(rated, self.chat, options.context_tokens)
        ids = self.chat.context([t for _, t in shown], [c.title for c, _ in shown]) + self.chat.question(question)
        torch.manual_seed(options.seed)
        summary, written, cache = "", [*ids, *self.chat.sections["summary"]], DynamicCache()
        if options.summary:
            told = Sections()
            written = yield from self._write(written, cache, told, options)
            summary, written = told.summary, [*written, *self.chat.then_answer]
        told = Sections(answering=True)
        yield from self._write(written, cache, told, options)
        return supported(summary, told.answer, [c for c, _ in shown], documents)

    def _write(
        self, ids: list[int], cache: DynamicCache, told: Sections, options: ComposeOptions
    ) -> Generator[Piece, None, list[int]]:
        """Continue a sequence by one section; returns all ids up to its end, `cache` holds them."""
        # A cache may run past what is kept of the text before; generate() needs at least one uncached token.
        if (surplus := cache.get_seq_length() - (len(ids) - 1)) > 0:
            cache.crop(-surplus)
        closing = self.chat.then_answer[:1] if self.chat.style == "roles" else ()
        stop = {i for i in (*self.chat.end, *closing) if i is not None}
        sampling: dict[str, Any] = {"do_sample": options.temperature > 0}
        if options.temperature > 0:
            sampling["temperature"] = options.temperature
        writing = write(
            self.model,
            self.chat.tokenizer,
            ids,
            past_key_values=cache,
            max_new_tokens=options.max_new_tokens,
            eos_token_id=sorted(stop) or None,
            pad_token_id=self.chat.tokenizer.pad_token_id or 0,
            **sampling,
        )
        try:
            while not told.complete:
                yield from told.read(next(writing))
        except StopIteration as end:
            yield from told.end()
            # The closing tokens are no part of the text; the next section brings its own.
            new = end.value[len(ids) :]
            while new and new[-1] in stop:
                new.pop()
            return [*ids, *new]
        writing.close()  # a folded prompt asks for both sections, so the model went on by itself
        return [*ids, *self.chat.content(told.summary or told.answer)]
