"""Write the answer as free text with citations: a summary of the evidence, then the answer conditioned on it.

Every sentence is located in its source; what no passage supports is not an answer. The answer continues the summary's
sequence on the same key-value cache. koqas_extractive.py is the other way to answer. Knows prompts and models, not
retrieval.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from .koqas_prompts import ChatFormat
from .koqas_text import search_tokens, sentences_of
from .koqas_types import Chunk, Composition, Document, Evidence, ScoredChunk, Sentence, sha256_of

CITATION = re.compile(r"\s*\[(\d+)\]")
REFUSAL = re.compile(r"(찾을|확인할|알) 수 없|나와 있지 않|(답|정보|내용|언급)[이가은는]? 없")
LOCATED = 0.5  # least share of a summary sentence's words that its source sentence must hold


@dataclass(frozen=True)
class ComposeOptions:
    """How an answer is written.

    Args:
        summary (`bool`): Summarize first; False answers from the passages directly.
        summary_sentences (`int`): Sentences of an extractive summary.
        context_tokens (`int`): Room for the passages in the prompt.
        length_power (`float`): A span's log-likelihood is divided by its token count to this power.
        answer_threshold (`float`, *optional*): Replaces the threshold of the reading settings.
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
    ranker: bool = True
    reader: bool = True
    max_new_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0


@dataclass
class RatedSentence:
    """A sentence of a kept chunk, with the model's rating of it (0..1)."""

    scored: ScoredChunk
    sentence: Sentence
    rating: float


def evidence_of(document: Document, start: int, end: int) -> Evidence:
    """Quote a span of a document."""
    return Evidence(document.id, start, end, document.text[start:end], sha256_of(document.text))


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
    """Writes free text with `[n]` citations and locates each cited sentence in its passage."""

    def __init__(self, model: Any, chat: ChatFormat) -> None:  # noqa: ANN401
        self.model, self.chat = model, chat

    def compose(
        self, question: str, kept: Sequence[ScoredChunk], documents: dict[str, Document], options: ComposeOptions
    ) -> Composition | None:
        """Generate summary and answer, or return None when the model says that the passages hold no answer."""
        rated = [RatedSentence(s, x, s.usefulness or s.fused) for s in kept for x in s.chunk.sentences]
        shown = fit_context(rated, self.chat, options.context_tokens)
        ids = self.chat.context([t for _, t in shown], [c.title for c, _ in shown]) + self.chat.question(question)
        torch.manual_seed(options.seed)
        summary, written, cache = "", [*ids, *self.chat.sections["summary"]], DynamicCache()
        if options.summary:
            summary, written, cache = self._write(written, cache, options)
            written = [*written, *self.chat.then_answer]
        answer, _, _ = self._write(written, cache, options)
        if not answer or REFUSAL.search(answer):
            return None
        evidence, located, told = self._locate(summary or answer, shown, documents)
        if not evidence:  # free text that no passage supports is not an answer
            return None
        return Composition(summary, CITATION.sub("", answer).strip(), located / max(told, 1), tuple(evidence))

    @torch.inference_mode()
    def _write(
        self, ids: list[int], cache: DynamicCache, options: ComposeOptions
    ) -> tuple[str, list[int], DynamicCache]:
        """Continue a sequence; return the new text, all ids up to its end and the cache of those ids."""
        # A cache may run past what is kept of the text before; generate() needs at least one uncached token.
        if (surplus := cache.get_seq_length() - (len(ids) - 1)) > 0:
            cache.crop(-surplus)
        stop = {
            i
            for i in (*self.chat.end, *(self.chat.then_answer[:1] if self.chat.style == "roles" else ()))
            if i is not None
        }
        sampling: dict[str, Any] = {"do_sample": options.temperature > 0}
        if options.temperature > 0:
            sampling["temperature"] = options.temperature
        out = self.model.generate(
            input_ids=torch.tensor([ids], device=self.model.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=self.model.device),
            past_key_values=cache,
            max_new_tokens=options.max_new_tokens,
            eos_token_id=sorted(stop) or None,
            pad_token_id=self.chat.tokenizer.pad_token_id or 0,
            **sampling,
        )[0].tolist()
        new = out[len(ids) :]
        while new and new[-1] in stop:
            new.pop()
        text = self.chat.tokenizer.decode(new, skip_special_tokens=True)
        if "답변:" in text:  # a folded prompt asks for both sections, so the model may go on by itself
            text = text.split("답변:")[0]
            new = self.chat.content(text.strip())
        return text.strip(), [*ids, *new], cache

    def _locate(
        self, text: str, shown: list[tuple[Chunk, str]], documents: dict[str, Document]
    ) -> tuple[list[Evidence], int, int]:
        """Find for each sentence the passage sentence that holds most of its words."""
        found: dict[tuple[str, int], Evidence] = {}
        located = told = 0
        for sentence in sentences_of(text):
            cited = [int(n) for n in CITATION.findall(sentence.text)]
            bare = CITATION.sub("", sentence.text).strip()
            words = {t for s in sentences_of(bare) for t in search_tokens(s.tokens, s.text)}
            if not words:
                continue
            told += 1
            numbers = [n - 1 for n in cited if 1 <= n <= len(shown)] or range(len(shown))
            options = [
                (self._share(words, s.text), chunk, s)
                for n in numbers
                for chunk in [shown[n][0]]
                for s in chunk.sentences
            ]
            share, chunk, best = max(options, key=lambda o: o[0])
            if share >= LOCATED:
                located += 1
                found[(chunk.document, best.start)] = evidence_of(documents[chunk.document], best.start, best.end)
        return list(found.values()), located, told

    @staticmethod
    def _share(words: set[str], text: str) -> float:
        held = {t for s in sentences_of(text) for t in search_tokens(s.tokens, s.text)}
        return len(words & held) / len(words)
