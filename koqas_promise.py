"""A promise about answers, fitted on the user's own labelled questions: "at most 5 % wrong, then 72 % are answered".

Comes in: questions with known answers and what the pipeline said to them. Goes out: the confidence from which on answers
are given. The test is that of selective prediction with a guarantee (Geifman & El-Yaniv 2017, arXiv:1705.08500) in a
fixed sequence (Angelopoulos et al. 2021, arXiv:2110.01052): from the surest answers on, each further one is admitted as
long as "more than `most_wrong` of these are wrong" can be rejected. It holds for questions like the labelled ones.
"""

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from .koqas_types import KoQasError

FEWEST = 10  # labelled questions
_BARE = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class LabelledQuestion:
    """A question with its right answers; without any, the documents do not answer it."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What the pipeline made of a labelled question: how sure it was (None: it abstained), and whether it was right."""

    confidence: float | None
    right: bool


@dataclass(frozen=True)
class Promise:
    """What may be expected of questions like the labelled ones.

    Args:
        most_wrong (`float`): Largest share of wrong answers among those given, 0..1.
        certainty (`float`): Probability with which it holds, over draws of the labelled questions; 0: only observed.
        least_confidence (`float`): Answers below this confidence are withheld. 1.0 where nothing can be promised.
        answered (`float`): Share of the labelled questions that are answered then, 0..1.
        wrong (`float`): Share of wrong answers observed among those.
        questions (`int`): Labelled questions.
    """

    most_wrong: float
    certainty: float
    least_confidence: float
    answered: float
    wrong: float
    questions: int

    def options(self) -> dict[str, float]:
        """Return the options that keep the promise: `qa(question, **promise.options())`, or `pipeline(..., **…)`."""
        return {"least_confidence": self.least_confidence}

    def __str__(self) -> str:
        sure = f" (확신 {self.certainty:.0%})" if self.certainty else " (본 그대로, 보증 없음)"
        if not self.answered:
            least = fewest_answers(self.most_wrong, self.certainty)
            return (
                f"질문 {self.questions}개로는 '틀린 답 {self.most_wrong:.0%} 이하'{sure}를 약속할 수 없습니다. 가장 확실한 답 "
                f"{least}개가 모두 맞아야 합니다: 질문을 더 모으거나 most_wrong을 올리세요 (nothing can be promised)."
            )
        return (
            f"틀린 답을 {self.most_wrong:.0%} 이하로 하면{sure} 질문의 {self.answered:.0%}에 답합니다: 질문 {self.questions}개에서 "
            f"틀린 답 {self.wrong:.1%}, least_confidence={self.least_confidence:.4f} (wrong answers → questions answered)"
        )


def promise_of(outcomes: Sequence[Outcome], most_wrong: float = 0.05, certainty: float = 0.9) -> Promise:
    """Fit a promise.

    Args:
        outcomes (`Sequence[Outcome]`): One for each labelled question.
        most_wrong (`float`): Largest share of wrong answers among those given, above 0 and below 1.
        certainty (`float`): Probability with which it must hold; 0 takes the observed share for the true one.

    Raises:
        KoQasError: Too few outcomes, or a share out of range.
    """
    if len(outcomes) < FEWEST:
        raise KoQasError("pairs", f"질문이 {len(outcomes)}개뿐입니다.", f"label at least {FEWEST}, better about 100")
    if not 0 < most_wrong < 1:
        raise KoQasError("most_wrong", f"0과 1 사이여야 합니다: {most_wrong!r}", "pass most_wrong=0.05, for example")
    if not 0 <= certainty < 1:
        raise KoQasError("certainty", f"0 이상 1 미만이어야 합니다: {certainty!r}", "pass certainty=0.9, for example")
    given = sorted(((o.confidence, o.right) for o in outcomes if o.confidence is not None), reverse=True)
    wrong, best = 0, (0, 0)
    first = fewest_answers(most_wrong, certainty)
    for count, (confidence, right) in enumerate(given, start=1):
        wrong += not right
        tied = count < len(given) and given[count][0] == confidence  # equal answers are given or withheld together
        if count < first or tied:
            continue
        if certainty and binomial_tail(wrong, count, most_wrong) > 1 - certainty:
            break
        if wrong <= most_wrong * count:
            best = (count, wrong)
    count, wrong = best
    # Rounded downwards, so that the answer that was counted last is given.
    least = math.floor(given[count - 1][0] * 1e6) / 1e6 if count else 1.0
    share = wrong / count if count else 0.0
    return Promise(most_wrong, certainty, least, count / len(outcomes), share, len(outcomes))


def fewest_answers(most_wrong: float, certainty: float) -> int:
    """Return how many answers must all be right before anything can be promised."""
    return math.ceil(math.log(1 - certainty) / math.log(1 - most_wrong)) if certainty else 1


def binomial_tail(wrong: int, count: int, rate: float) -> float:
    """Return the probability of at most `wrong` wrong answers of `count` where each is wrong with probability `rate`."""
    logs = [
        math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1)
        + i * math.log(rate) + (count - i) * math.log1p(-rate)
        for i in range(wrong + 1)
    ]  # fmt: skip
    return min(math.fsum(map(math.exp, logs)), 1.0)


def agrees(said: str, answers: Iterable[str]) -> bool:
    """Tell whether an answer holds one of the right ones; case, spaces and punctuation do not count.

    More words around it are no fault, other digits beside a number are: `1942` does not hold `42`.
    """
    bare = _BARE.sub("", said).casefold()
    for answer in (_BARE.sub("", a).casefold() for a in answers):
        before, after = (r"(?<!\d)" if answer[:1].isdigit() else ""), (r"(?!\d)" if answer[-1:].isdigit() else "")
        if answer and re.search(before + re.escape(answer) + after, bare):
            return True
    return False


def labelled_questions(pairs: Any) -> list[LabelledQuestion]:  # noqa: ANN401  (what callers pass is checked here)
    """Read labelled questions: a .csv or .jsonl file, or a list of `{question, answer}` or `(question, answer)`.

    An answer is a text, several of them in a list, or empty where the documents do not hold one.

    Raises:
        KoQasError: Another shape; names the row.
    """
    if isinstance(pairs, (str, os.PathLike)):
        pairs = _rows(Path(pairs))
    found = []
    for number, pair in enumerate(pairs):
        if isinstance(pair, dict) and {"question", "answer"} <= set(pair):
            question, answer = pair["question"], pair["answer"]
        elif isinstance(pair, (tuple, list)) and len(pair) == 2:
            question, answer = pair
        else:
            raise KoQasError(f"pairs[{number}]", "질문과 답의 쌍이 아닙니다.", 'pass {"question": ..., "answer": ...}')
        answers = [answer] if isinstance(answer, str) else [] if answer is None else answer
        if not isinstance(question, str) or not question.strip():
            raise KoQasError(f"pairs[{number}].question", "질문이 비어 있습니다.", "pass the question as text")
        if not isinstance(answers, (tuple, list)) or not all(isinstance(a, str) for a in answers):
            raise KoQasError(
                f"pairs[{number}].answer", "답은 문자열이나 그 목록이어야 합니다.", 'pass "" for no answer'
            )
        found.append(LabelledQuestion(question, tuple(a for a in answers if a.strip())))
    return found


def _rows(path: Path) -> list[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if path.suffix == ".csv":
                return list(csv.DictReader(lines))
            return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, csv.Error) as error:
        raise KoQasError("pairs", f"읽을 수 없는 파일입니다: {path}", f"{error}; pass a .csv or .jsonl") from error


def outcomes_of(
    ask: Callable[[str], dict[str, Any]],
    labelled: Sequence[LabelledQuestion],
    right: Callable[[str, Sequence[str]], bool] = agrees,
    *,
    progress: bool = True,
) -> list[Outcome]:
    """Ask every labelled question.

    Args:
        ask (`Callable`): Returns the pipeline's result to a question.
        labelled (`Sequence[LabelledQuestion]`): What to ask.
        right (`Callable[[str, Sequence[str]], bool]`): Whether an answer is right.
        progress (`bool`): Show a progress bar.
    """
    outcomes = []
    for pair in tqdm(labelled, desc="보정", unit="질문", disable=not progress):
        result = ask(pair.question)
        sure = float(result["confidence"]) if result["answered"] else None
        outcomes.append(Outcome(sure, sure is not None and right(result["answer"], pair.answers)))
    return outcomes
