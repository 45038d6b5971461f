"""Flat training rows for any base: one prompt, one completion, the loss on the completion's own words only.

Comes in: `LongAnswer` rows. Goes out: token ids with labels for TRL's SFTTrainer: long answers and, mixed in by the
recipe, DocQuest and first-pass judgements of single passages. Prompts are those of serving (koqas_prompts.py). Where
many questions share a passage, trees.py is the cheaper form.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from datasets import Dataset
from tqdm import tqdm

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_types import KoQasError
from koqas.train.long_answers import LabelledPassage, LongAnswer, fitted, with_citations

IGNORED = -100


@dataclass(frozen=True)
class Mixture:
    """What a recipe trains on.

    Args:
        docquest (`float`): DocQuest judgements for each long answer, on average.
        first_pass (`float`): First-pass judgements for each long answer, on average.
        citations (`bool`): Summary sentences end in the number of their passage.
        longest (`int`): Tokens of the context.
        seed (`int`): Seed of draws and order.
    """

    docquest: float = 0.0
    first_pass: float = 0.0
    citations: bool = True
    longest: int = 4096
    seed: int = 0


@dataclass
class Completion:
    """Token ids with labels (-100: not learned), and the task they belong to."""

    task: str
    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def write(self, ids: Sequence[int], *, learned: bool) -> None:
        """Append tokens."""
        self.input_ids += ids
        self.labels += ids if learned else [IGNORED] * len(ids)


@dataclass(frozen=True)
class Lengths:
    """Tokens of the rows, before the first step.

    Args:
        tasks (`dict[str, int]`): Rows of each task.
        shortened (`int`): Long answers whose passages were shortened.
        left_out (`int`): Long answers that do not fit even so.
        mean, median, p90, p99, longest (`int`): Tokens of a row.
        tokens (`int`): Tokens of all rows.
        learned (`int`): Those of them that carry loss.
    """

    tasks: dict[str, int]
    shortened: int
    left_out: int
    mean: int
    median: int
    p90: int
    p99: int
    longest: int
    tokens: int
    learned: int

    def told(self) -> str:
        """Return the statistics in one line."""
        return ", ".join(f"{k} {v}" for k, v in asdict(self).items())


def then_answer(completion: Completion, chat: ChatFormat) -> None:
    """Close the summary and open the answer.

    Serving writes this text itself for bases that know our roles, all but the token that ends the summary. A base with a
    folded prompt has to write all of it.
    """
    learned = len(chat.then_answer) if chat.style != "roles" else 1
    completion.write(chat.then_answer[:learned], learned=True)
    completion.write(chat.then_answer[learned:], learned=False)


def long_answer(chat: ChatFormat, row: LongAnswer) -> Completion:
    """Tokenize a row: context and question as the prompt, then summary, answer and the end."""
    made = Completion("answer")
    made.write(chat.context([p.text for p in row.passages], [p.title for p in row.passages]), learned=False)
    made.write([*chat.question(row.question), *chat.sections["summary"]], learned=False)
    made.write(chat.content(row.summary) if row.summary else [], learned=True)
    then_answer(made, chat)
    made.write([*chat.content(row.answer), *chat.end], learned=True)
    return made


def judgement(chat: ChatFormat, section: str, passage: LabelledPassage, question: str, flag: bool) -> Completion:
    """Tokenize the judgement of one passage: the loss is on the label token alone."""
    made = Completion(section)
    made.write([*chat.context([passage.text], [passage.title]), *chat.question(question)], learned=False)
    made.write(chat.sections[section], learned=False)
    made.write([chat.label_ids()[0 if flag else 1]], learned=True)
    return made


def completions(chat: ChatFormat, rows: Sequence[LongAnswer], mixture: Mixture) -> tuple[list[Completion], Lengths]:
    """Build the rows of a recipe in a shuffled order, with their statistics.

    Raises:
        KoQasError: No row fits the context.
    """
    rng = random.Random(mixture.seed)
    made: list[Completion] = []
    shortened = left_out = 0
    for row in tqdm(rows, desc="rows", unit="row"):
        fit = _fit(chat, row, mixture)
        if fit is None:
            left_out += 1
            continue
        shortened += fit.passages != row.passages
        made.append(long_answer(chat, fit))
        for section, rate in (("usefulness", mixture.docquest), ("relevance", mixture.first_pass)):
            for _ in range(int(rate) + (rng.random() < rate % 1)):
                made += _draw(chat, section, row, rows, mixture.longest, rng)
    if not any(c.task == "answer" for c in made):
        raise KoQasError(
            "max_length",
            f"{mixture.longest} 토큰에 들어가는 행이 없습니다.",
            "raise --max_length, or shorten the answers",
        )
    rng.shuffle(made)
    return made, _lengths(made, shortened, left_out)


def _fit(chat: ChatFormat, row: LongAnswer, mixture: Mixture) -> LongAnswer | None:
    """Shorten a row's passages until the whole row fits; None where question and answer alone fill the context."""
    cited = with_citations(row) if mixture.citations else row
    full = len(long_answer(chat, cited).input_ids)
    if full <= mixture.longest:
        return cited
    passages = len(chat.context([p.text for p in row.passages], [p.title for p in row.passages])) - len(chat.begin)
    room = mixture.longest - (full - passages)
    while room > 0:
        fit = fitted(row, room, lambda text: len(chat.content(text)))
        if fit is None:
            return None
        cited = with_citations(fit) if mixture.citations else fit  # fewer passages, other numbers
        surplus = len(long_answer(chat, cited).input_ids) - mixture.longest
        if surplus <= 0:
            return cited
        room -= max(surplus, 8)  # tokens of joined sentences are not quite the sum of theirs
    return None


def _draw(
    chat: ChatFormat, section: str, row: LongAnswer, rows: Sequence[LongAnswer], longest: int, rng: random.Random
) -> list[Completion]:
    """Draw one judgement, yes or no with equal chance where the row allows both.

    Yes: a useful passage. No: for usefulness a passage of the row that does not hold the answer or a stranger; for the
    first pass a stranger only, since a passage may treat the question's subject without answering it.
    """
    right = [p for p in row.passages if p.useful and row.answerable]
    wrong = [p for p in row.passages if p.useful is False] if section == "usefulness" else []
    if len(rows) > 1 and (not wrong or rng.random() < 0.5):
        other = rng.choice(rows)
        wrong = list(other.passages) if other is not row and other.question != row.question else wrong
    flag = bool(right) and (not wrong or rng.random() < 0.5)
    if not (pool := right if flag else wrong):
        return []
    made = judgement(chat, section, rng.choice(pool), row.question, flag)
    return [made] if len(made.input_ids) <= longest else []


def _lengths(made: Sequence[Completion], shortened: int, left_out: int) -> Lengths:
    sizes = np.array([len(c.input_ids) for c in made])
    median, p90, p99 = (int(v) for v in np.percentile(sizes, [50, 90, 99]))
    learned = sum(sum(t != IGNORED for t in c.labels) for c in made)
    tasks = dict(Counter(c.task for c in made))
    return Lengths(
        tasks, shortened, left_out, int(sizes.mean()), median, p90, p99, int(sizes.max()), int(sizes.sum()), learned
    )


def completion_dataset(made: Sequence[Completion]) -> Dataset:
    """Return the rows as a dataset that SFTTrainer takes as it is."""
    return Dataset.from_dict({"input_ids": [c.input_ids for c in made], "labels": [c.labels for c in made]})
