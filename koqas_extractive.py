"""Answer with the documents' own words: the summary is sentences of the passages, the answer a span of the summary.

Nothing can be invented. A repository with a trained reader and ranker chooses with them (koqas_answers.py); any other
language model rates sentences with the usefulness prompt and candidate spans by their likelihood after the summary.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch

from .koqas_answers import Answers, Choice, ReadSentence
from .koqas_citations import evidence_of
from .koqas_docquest import Calibrations, DocQuest, Passage
from .koqas_events import AnswerPiece, Piece, SummaryPiece
from .koqas_generation import ComposeOptions, RatedSentence, fit_context
from .koqas_prompts import ChatFormat
from .koqas_ranker import AnalyzedQuestion
from .koqas_text import answer_candidates, one_sentence
from .koqas_types import Composition, Document, ScoredChunk


class Extractive:
    """Chooses sentences, then a span of them.

    Args:
        model: A causal LM.
        chat (`ChatFormat`): Its prompt format.
        docquest (`DocQuest`): Rates single sentences with the usefulness prompt.
        calibrations (`Calibrations`): Turn logits and coverage into ratings.
        answers (`Answers`, *optional*): The trained reader and ranker of the repository.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        chat: ChatFormat,
        docquest: DocQuest,
        calibrations: Calibrations,
        answers: Answers | None = None,
    ) -> None:
        self.model, self.chat, self.docquest, self.calibrations = model, chat, docquest, calibrations
        self.answers = answers

    def pieces(
        self,
        question: str | AnalyzedQuestion,
        kept: Sequence[ScoredChunk],
        documents: dict[str, Document],
        coverage: Callable[[str, str], float],
        options: ComposeOptions,
    ) -> Generator[Piece, None, Composition | None]:
        """Choose, then tell the summary sentence by sentence and the answer.

        Returns None, and tells nothing, when the passages offer no span, or none that is likely enough.
        """
        if self.answers is not None and isinstance(question, AnalyzedQuestion) and (options.ranker or options.reader):
            most = options.summary_sentences if options.summary else 1
            choice = self.answers.choose(
                question, kept, most, options.answer_threshold, ranker=options.ranker, model=options.reader
            )
        else:
            text = question.text if isinstance(question, AnalyzedQuestion) else question
            choice = self.by_likelihood(text, kept, coverage, options)
        if choice is None or choice.chance < options.least_confidence:
            return None
        quoted = [choice.source, *(s for s in choice.summary if s is not choice.source)]
        places = [s.scored.chunk.sentences[s.number] for s in quoted]
        evidence = tuple(
            evidence_of(documents[s.scored.chunk.document], p, s.scored.chunk)
            for s, p in zip(quoted, places, strict=True)
        )
        told = [s.analyzed.text for s in choice.summary] or [choice.source.analyzed.text]
        for number, sentence in enumerate(told):
            yield SummaryPiece(f" {sentence}" if number else sentence)
        yield AnswerPiece(choice.answer)
        return Composition(" ".join(told), choice.answer, choice.chance, evidence)

    def by_likelihood(
        self,
        question: str,
        kept: Sequence[ScoredChunk],
        coverage: Callable[[str, str], float],
        options: ComposeOptions,
    ) -> Choice | None:
        """Choose with any language model: best-rated sentences, then the span it is likeliest to write."""
        rated = self.rate(question, kept, coverage)
        best = sorted(rated, key=lambda r: -r.rating)[: options.summary_sentences] if options.summary else rated
        chosen = [_read(r) for r in rated if any(r is b for b in best)]
        spans: dict[str, ReadSentence] = {}
        for read in chosen:
            for span in answer_candidates(read.analyzed):
                spans.setdefault(read.analyzed.text[span.start : span.end], read)
        if not spans:
            return None
        summary = " ".join(r.analyzed.text for r in chosen) if options.summary else ""
        prefix = self._prompt(question, rated, summary, options)
        answer, chance = pick(list(spans), self.score(prefix, list(spans), options.length_power))
        source = spans[answer]
        usefulness = source.scored.usefulness
        shown = chosen if options.summary else []
        return Choice(shown, answer, source, chance * (1.0 if usefulness is None else usefulness))

    def rate(
        self, question: str, kept: Sequence[ScoredChunk], coverage: Callable[[str, str], float]
    ) -> list[RatedSentence]:
        """Rate every sentence of the kept chunks with the usefulness prompt, times its chunk's usefulness."""
        rows = [(scored, sentence) for scored in kept for sentence in scored.chunk.sentences]
        passages = [Passage(s.text, c.chunk.title, coverage(s.text, "")) for c, s in rows]
        (logits,) = self.docquest.logits(question, passages, ["usefulness"])
        rated = []
        for (scored, sentence), passage, logit in zip(rows, passages, logits, strict=True):
            own = self.calibrations.sentence.probability(logit, passage)
            rated.append(
                RatedSentence(scored, sentence, own * (1.0 if scored.usefulness is None else scored.usefulness))
            )
        return rated

    def _prompt(
        self, question: str, rated: Sequence[RatedSentence], summary: str, options: ComposeOptions
    ) -> list[int]:
        shown = fit_context(rated, self.chat, options.context_tokens)
        ids = self.chat.context([t for _, t in shown], [c.title for c, _ in shown]) + self.chat.question(question)
        if not summary:
            return [*ids, *self.chat.sections.get("answer", self.chat.sections["summary"])]
        return [*ids, *self.chat.sections["summary"], *self.chat.content(summary), *self.chat.then_answer]

    @torch.inference_mode()
    def score(self, prefix: list[int], answers: Sequence[str], length_power: float = 0.0) -> list[float]:
        """Return the log-likelihood of each answer with its terminator after a prefix.

        All answers are branches of one sequence behind the cached prefix: a token sees the prefix and its own
        answer only, so one forward pass scores them all.
        """
        device, dtype = self.model.device, self.model.dtype
        first = self.model(input_ids=torch.tensor([prefix], device=device), use_cache=True, logits_to_keep=1)
        heads = torch.log_softmax(first.logits[0, -1].float(), dim=-1)
        branches = [self.chat.content(a) for a in answers]
        ids = [t for b in branches for t in b]
        owner = torch.tensor([n for n, b in enumerate(branches) for _ in b])
        sees = (owner[:, None] == owner[None, :]) & torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
        mask = torch.zeros(1, 1, len(ids), len(prefix) + len(ids), dtype=dtype)
        mask[0, 0, :, len(prefix) :].masked_fill_(~sees, torch.finfo(dtype).min)
        logits = self.model(
            input_ids=torch.tensor([ids], device=device),
            attention_mask=mask.to(device),
            position_ids=torch.tensor([[len(prefix) + i for b in branches for i in range(len(b))]], device=device),
            past_key_values=first.past_key_values,
            use_cache=True,
        ).logits[0]
        logs = torch.log_softmax(logits.float(), dim=-1)
        scores, at = [], 0
        for branch in branches:
            following = [*branch[1:], *self.chat.end[:1]]
            rows = logs[at : at + len(following)]
            total = heads[branch[0]] + rows[torch.arange(len(following)), torch.tensor(following, device=device)].sum()
            scores.append(float(total) / (len(branch) + 1) ** length_power)
            at += len(branch)
        return scores


def pick(answers: Sequence[str], scores: Sequence[float]) -> tuple[str, float]:
    """Return the best answer and its share of the probability among all candidates."""
    chances = torch.softmax(torch.tensor(scores, dtype=torch.float64), dim=0)
    best = int(chances.argmax())
    return answers[best], float(chances[best])


def _read(rated: RatedSentence) -> ReadSentence:
    number = next(i for i, s in enumerate(rated.scored.chunk.sentences) if s is rated.sentence)
    return ReadSentence(rated.scored, number, one_sentence(rated.sentence.text))
