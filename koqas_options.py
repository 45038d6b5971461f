"""What one question may be asked with, and what a repository's config.json says about its model.

Comes in: keyword arguments of the user, the `koqas` block of config.json, the question. Goes out: checked values, or one
error that names the field. Knows nothing of how they are used.
"""

from dataclasses import dataclass, fields
from typing import Any

from .koqas_answers import ReadingSettings
from .koqas_docquest import Calibrations
from .koqas_text import view_of
from .koqas_types import KoQasError

LONGEST_QUESTION = 2000


@dataclass(frozen=True)
class AskOptions:
    """How one question is answered. Every field can be given to `pipeline(...)` or to a call.

    Args:
        top_k (`int`): Chunks retrieved in the first round.
        lexical (`bool`): Use BM25.
        dense (`bool`): Use the dense vectors.
        first_pass (`bool`): Filter chunks by relevance before DocQuest.
        first_pass_threshold (`float`, *optional*): Relevance a chunk needs; None: the repository's.
        docquest (`bool`): Score usefulness; False keeps the best chunks by retrieval alone.
        threshold (`float`, *optional*): Usefulness a chunk needs to be kept; None: the repository's.
        answer_threshold (`float`, *optional*): Probability that some candidate answer is right below which the
            question is not answered; None: the repository's.
        least_confidence (`float`): Answers of lower confidence are withheld; see `KoQasPipeline.calibrate`.
        max_kept (`int`): Most chunks the answer is written from.
        max_rounds (`int`): Searches before abstaining.
        grounding (`str`, *optional*): `extractive` or `cited`; None: the repository's.
        summary (`bool`): Summarize before answering.
        ranker (`bool`): Use the trained ranker, where the repository has one.
        reader (`bool`): Use the language model's verdicts on candidate answers, where it is trained to give them.
        max_new_tokens (`int`): Longest free text (`cited`).
        batch_size (`int`): Passages in one forward pass.
        temperature (`float`): Sampling temperature of free text; 0 is greedy.
        seed (`int`): Seed of sampling.
    """

    top_k: int = 8
    lexical: bool = True
    dense: bool = True
    first_pass: bool = True
    first_pass_threshold: float | None = None
    docquest: bool = True
    threshold: float | None = None
    answer_threshold: float | None = None
    least_confidence: float = 0.0
    max_kept: int = 3
    max_rounds: int = 2
    grounding: str | None = None
    summary: bool = True
    ranker: bool = True
    reader: bool = True
    max_new_tokens: int = 256
    batch_size: int = 8
    temperature: float = 0.0
    seed: int = 0

    def checked(self) -> "AskOptions":
        """Return self.

        Raises:
            KoQasError: A value has the wrong type or range; names it.
        """
        for name in ("top_k", "max_kept", "max_rounds", "max_new_tokens", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
                raise KoQasError(name, f"1 이상의 정수여야 합니다: {value!r}", f"pass {name}=8, for example")
        for name in ("threshold", "first_pass_threshold", "answer_threshold", "least_confidence"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1
            ):
                raise KoQasError(name, f"0과 1 사이의 수여야 합니다: {value!r}", f"pass {name}=0.5, for example")
        self._check_choices()
        return self

    def _check_choices(self) -> None:
        for name in ("lexical", "dense", "first_pass", "docquest", "summary", "ranker", "reader"):
            if not isinstance(getattr(self, name), bool):
                raise KoQasError(
                    name, f"True나 False여야 합니다: {getattr(self, name)!r}", f"pass {name}=True or False"
                )
        if self.grounding not in (None, "extractive", "cited"):
            raise KoQasError("grounding", f"알 수 없는 방식입니다: {self.grounding!r}", "use 'extractive' or 'cited'")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise KoQasError("seed", f"정수여야 합니다: {self.seed!r}", "pass seed=0, for example")
        if not isinstance(self.temperature, (int, float)) or not 0 <= self.temperature <= 5:
            raise KoQasError(
                "temperature", f"0에서 5 사이의 수여야 합니다: {self.temperature!r}", "pass temperature=0"
            )
        if not (self.lexical or self.dense):
            raise KoQasError("lexical", "lexical과 dense를 모두 끌 수 없습니다.", "leave one of them on")


ASK_FIELDS = frozenset(f.name for f in fields(AskOptions))


@dataclass(frozen=True)
class RepositorySettings:
    """The `koqas` block of config.json: how this repository's model is prompted, calibrated and used."""

    chat_style: str = "auto"
    grounding: str = "cited"
    threshold: float = 0.5
    first_pass_threshold: float = 0.1
    context_tokens: int = 3000
    passage_tokens: int = 1200
    length_power: float = 0.0
    summary_sentences: int = 2
    dense_weight: float = 0.15
    max_chars: int = 600
    calibrations: Calibrations = Calibrations()
    reading: ReadingSettings = ReadingSettings()

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "RepositorySettings":
        """Read the block; keys that are not settings (provenance) are passed over."""
        known = {f.name for f in fields(cls)} - {"calibrations", "reading"}
        given = {k: v for k, v in row.items() if k in known}
        return cls(
            **given,
            calibrations=Calibrations.from_dict(row.get("calibration", {})),
            reading=ReadingSettings.from_dict(row.get("reading", {})),
        )

    def for_another_model(self) -> "RepositorySettings":
        """Return the settings without what was fitted to the repository's own model; how texts are cut stays."""
        return RepositorySettings(dense_weight=self.dense_weight, max_chars=self.max_chars)


def check_question(question: Any, number: int | None = None) -> str:  # noqa: ANN401
    """Return a question in readable form.

    Raises:
        KoQasError: Not text, empty or too long.
    """
    field = "question" if number is None else f"question[{number}]"
    if not isinstance(question, str):
        raise KoQasError(field, f"문자열이어야 하는데 {type(question).__name__}입니다.", "pass the question as str")
    text = " ".join(view_of(question).text.split())
    if not text:
        raise KoQasError(field, "질문이 비어 있습니다.", "ask something")
    if len(text) > LONGEST_QUESTION:
        raise KoQasError(field, f"질문이 너무 깁니다({len(text):,}자).", f"at most {LONGEST_QUESTION:,} characters")
    return text
