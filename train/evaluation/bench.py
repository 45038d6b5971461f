"""What the parts of a measuring run share: the pipeline, the questions, the index, the rows measured so far."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from koqas.koqas_pipeline import KoQasPipeline
from koqas.koqas_retrieval import Index
from koqas.koqas_types import KoQasError
from koqas.train.evaluation.ledger import Ledger
from koqas.train.evaluation.questions import Asked, QuestionSet, read_squad
from koqas.train.evaluation.settings import EvaluateArguments, Evaluation

Report = dict[str, Any]
T = TypeVar("T")


@dataclass
class Bench:
    """One run."""

    qa: KoQasPipeline
    evaluation: Evaluation
    ledger: Ledger

    @property
    def arguments(self) -> EvaluateArguments:
        """What the run was told."""
        return self.evaluation.arguments

    @cached_property
    def squad(self) -> QuestionSet:
        """The questions of `korquad`.

        Raises:
            KoQasError: None was named, or see `read_squad`.
        """
        return read_squad(Path(required(self.arguments, "korquad")))

    @cached_property
    def sample(self) -> list[Asked]:
        """The answerable questions that reading is measured on."""
        return drawn(self.squad.answerable, self.arguments.questions, self.evaluation.seed)

    @cached_property
    def index(self) -> Index:
        """All documents of `korquad`."""
        return self.qa.build_index(self.squad.documents, progress=True)


def drawn(asked: Sequence[T], count: int, seed: int) -> list[T]:
    """Draw questions without replacement; a larger draw begins with the smaller one, so its rows are used again."""
    order = list(asked)
    random.Random(seed).shuffle(order)
    return order[:count]


def required(arguments: EvaluateArguments, name: str) -> str:
    """Return an argument that a part cannot do without.

    Raises:
        KoQasError: It was not given.
    """
    value: str = getattr(arguments, name)
    if not value:
        raise KoQasError(name, "이 측정에 필요한 경로가 없습니다.", f"pass --{name} PATH, or leave the part out")
    return value
