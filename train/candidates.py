"""Several answers to one prompt, sampled from the SFT model in batches, in a file that a killed run goes on with.

Comes in: rows with question and passages, a model. Goes out: JSON lines, one `Candidates` each. Knows nothing about which
answer is better.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from koqas.koqas_prompts import ChatFormat, passage_block
from koqas.koqas_types import KoQasError
from koqas.train.long_answers import LongAnswer
from koqas.train.pairs import fitted_prompt, opening_of


@dataclass(frozen=True)
class SampledAnswer:
    """An answer and the summary it was drawn from; "" where the answer was asked for directly."""

    answer: str
    summary: str = ""


@dataclass(frozen=True)
class Candidates:
    """The different answers to one question over one context; `reference` is the known answer, "" where there is none."""

    question: str
    context: str
    answers: tuple[SampledAnswer, ...]
    reference: str = ""

    @property
    def id(self) -> str:
        """16 hex digits of question, context and answers: a choice made for other answers does not count for these."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn.

    Args:
        answers (`int`): Draws for each prompt; equal ones are kept once.
        summaries (`bool`): Draw a summary first and the answer after it, as serving does.
        temperature (`float`): Above 0.
        top_p (`float`): Nucleus.
        max_new_tokens (`int`): Longest summary and longest answer.
        with_reference (`bool`): The known answer is one of the candidates.
        batch_size (`int`): Prompts in one batch.
        longest (`int`): Tokens of prompt and completion; passages are shortened to it.
        seed (`int`): Seed; each batch has its own, so that a resumed run draws what an unbroken one would.
    """

    answers: int
    summaries: bool
    temperature: float
    top_p: float
    max_new_tokens: int
    with_reference: bool
    batch_size: int
    longest: int
    seed: int


@dataclass
class SamplingCounts:
    """What became of the prompts: done before, sampled now, with shortened passages, and too long to ask."""

    done: int = 0
    sampled: int = 0
    shortened: int = 0
    left_out: int = 0


class Sampler:
    """Draws answers for batches of rows.

    Args:
        model: A causal language model with its adapter.
        chat (`ChatFormat`): Its chat format.
        sampling (`Sampling`): How to draw.
    """

    def __init__(self, model: Any, chat: ChatFormat, sampling: Sampling) -> None:  # noqa: ANN401
        self.model, self.chat, self.sampling = model.eval(), chat, sampling
        self.counts = SamplingCounts()

    def draw(self, rows: Sequence[LongAnswer], seed: int) -> list[Candidates]:
        """Return the candidates of the rows that can be asked; the same rows and seed give the same answers."""
        torch.manual_seed(seed)
        kept, prompts = [], []
        reserve = self.sampling.max_new_tokens * (1 + self.sampling.summaries) + len(self.chat.then_answer)
        opening = opening_of(self.chat, self.sampling.summaries)
        for row in rows:
            # Passages are shortened by the question alone: at the time of asking the answer is not known.
            asked = LongAnswer(row.question, row.passages, "", row.question)
            prompt = fitted_prompt(self.chat, asked, opening, self.sampling.longest - reserve)
            if prompt is None:
                self.counts.left_out += 1
                continue
            self.counts.shortened += prompt.shortened
            kept.append(row)
            prompts.append(prompt.ids)
        drawn = self._answers(prompts) if prompts else []
        self.counts.sampled += len(kept)
        if self.sampling.with_reference:
            drawn = [
                [*d, SampledAnswer(r.answer, r.summary if self.sampling.summaries else "")]
                for d, r in zip(drawn, kept)
            ]
        return [_candidates(row, answers) for row, answers in zip(kept, drawn, strict=True)]

    def _answers(self, prompts: list[list[int]]) -> list[list[SampledAnswer]]:
        times = self.sampling.answers
        repeated = [p for p in prompts for _ in range(times)]
        summaries = [""] * len(repeated)
        if self.sampling.summaries:
            summaries = [s.partition("답변:")[0].strip() for s in self._written(repeated)]  # folded prompts go on
            repeated = [
                [*p, *self.chat.content(s), *self.chat.then_answer] for p, s in zip(repeated, summaries, strict=True)
            ]
        answers = self._written(repeated)
        both = [SampledAnswer(a, s) for a, s in zip(answers, summaries, strict=True)]
        return [both[at : at + times] for at in range(0, len(both), times)]

    @torch.inference_mode()
    def _written(self, prompts: list[list[int]]) -> list[str]:
        """Continue all prompts in one batch, padded on the left."""
        chat, width = self.chat, max(map(len, prompts))
        pad = chat.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        stops = {*chat.end, *(chat.then_answer[:1] if chat.style == "roles" else ())}
        out = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            do_sample=True,
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            top_k=0,
            max_new_tokens=self.sampling.max_new_tokens,
            eos_token_id=sorted(stops),
            pad_token_id=pad,
        )
        return [_text(chat, row[width:], stops) for row in out.tolist()]


def _text(chat: ChatFormat, ids: list[int], stops: set[int]) -> str:
    end = next((n for n, token in enumerate(ids) if token in stops), len(ids))
    return " ".join(chat.tokenizer.decode(ids[:end], skip_special_tokens=True).split())


def _candidates(row: LongAnswer, drawn: Sequence[SampledAnswer]) -> Candidates:
    context = passage_block([p.text for p in row.passages], [p.title for p in row.passages])
    different = {d.answer: d for d in drawn if d.answer}
    return Candidates(row.question, context, tuple(different.values()), row.answer)


def sample_to(path: Path, rows: Sequence[LongAnswer], sampler: Sampler) -> SamplingCounts:
    """Sample all rows into a file; batches that a former run finished stay as they are.

    Raises:
        KoQasError: The file holds candidates of other rows.
    """
    known = {(c.question, c.context) for c in read_candidates(path, torn=True)} if path.is_file() else set()
    wanted = {(r.question, _candidates(r, []).context) for r in rows}
    if known - wanted:
        raise KoQasError("out", f"다른 행의 답이 들어 있습니다: {path}", "pass a new file, or the same --rows")
    path.parent.mkdir(parents=True, exist_ok=True)
    size = sampler.sampling.batch_size
    with path.open("a", encoding="utf-8") as file:
        for start in tqdm(range(0, len(rows), size), desc="sampling", unit="batch"):
            batch = rows[start : start + size]
            if all((r.question, _candidates(r, []).context) in known for r in batch):
                sampler.counts.done += len(batch)
                continue
            for found in sampler.draw(batch, sampler.sampling.seed + start):
                if (found.question, found.context) not in known:
                    file.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return sampler.counts


def read_candidates(path: Path, torn: bool = False) -> list[Candidates]:
    """Read candidates.

    Args:
        path (`Path`): JSON lines.
        torn (`bool`): Cut off a last line that a killed run left unfinished.

    Raises:
        KoQasError: No such file, a line that is no candidates, or none at all.
    """
    if not path.is_file():
        raise KoQasError("candidates", f"파일이 없습니다: {path}", "run `preferences.py sample` first")
    whole = path.read_bytes()
    if torn and not whole.endswith(b"\n"):
        whole = whole[: whole.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
    found = list(_parsed(path, whole.decode("utf-8").split("\n")))
    if not found and not torn:
        raise KoQasError("candidates", f"행이 없습니다: {path}", "run `preferences.py sample` again")
    return found


def _parsed(path: Path, lines: Sequence[str]) -> Iterator[Candidates]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
                answers = tuple(SampledAnswer(str(a["answer"]), str(a.get("summary", ""))) for a in row["answers"])
                yield Candidates(str(row["question"]), str(row["context"]), answers, str(row.get("reference", "")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise KoQasError(
                    f"candidates: {path.name} line {number}", "후보 답이 아닙니다.", f"{type(error).__name__}: {error}"
                ) from error
