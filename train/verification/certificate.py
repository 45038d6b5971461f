"""The certificate of a verified row: facts that a machine checked, each of which can be checked again.

Stored as `meta["certificate"]`, plain JSON types. Says nothing about truth outside the row's own documents.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from koqas.koqas_types import KoQasError
from koqas.train.examples import Example

# quoted: the answer is the text of an evidence span, or inside one. derived: there is evidence, and the answer is worded
# otherwise (yes, no, a choice, free form). none: the row states that its documents hold no answer.
AnswerPlace = Literal["quoted", "derived", "none"]


@dataclass(frozen=True)
class CheckedSentence:
    """A sentence of the summary, `[start, end)`, and its evidence; see `support.SentenceSupport`."""

    start: int
    end: int
    evidence: tuple[tuple[str, int, int], ...]
    share: float


@dataclass(frozen=True)
class Certificate:
    """What was checked and found.

    Args:
        answer (`AnswerPlace`): Whether the answer stands in the documents.
        answer_document (`str`), answer_start, answer_end (`int`): Where it stands; evidence where it is derived.
        summary (`tuple[CheckedSentence, ...]`): Each sentence of the summary with its evidence.
        answerable_here (`float | None`): Log-odds that the own passage answers; None where nothing can judge (English).
        answerable_elsewhere (`float | None`): The same with the likeliest wrong passage; None: there is none.
        elsewhere_exact (`bool`): False where that is an upper bound.
        wrong_passage (`str`): Id of that passage.
        personal_data (`int`): Findings of the privacy finders in the row; 0, or the row were rejected.
        names_checked (`bool`): Whether names counted among them, or the set keeps its names.
        document_cluster (`str`): Id shared by rows whose documents are near copies.
        benchmarks (`tuple[str, ...]`): Benchmarks the row was compared with and does not overlap.
        license (`str`): Licence of the text.
        published (`str`): Date of the text as its publisher states it; may be empty.
    """

    answer: AnswerPlace
    answer_document: str
    answer_start: int
    answer_end: int
    summary: tuple[CheckedSentence, ...]
    answerable_here: float | None
    answerable_elsewhere: float | None
    elsewhere_exact: bool
    wrong_passage: str
    personal_data: int
    names_checked: bool
    document_cluster: str
    benchmarks: tuple[str, ...]
    license: str
    published: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def of(cls, row: Example) -> "Certificate":
        """Read the certificate of a verified row.

        Raises:
            KoQasError: The row has none, or one of another form.
        """
        try:
            stored = dict(row.meta["certificate"])
            sentences = stored.pop("summary")
            summary = tuple(
                CheckedSentence(s["start"], s["end"], tuple((d, a, b) for d, a, b in s["evidence"]), s["share"])
                for s in sentences
            )
            return cls(**{**stored, "summary": summary, "benchmarks": tuple(stored["benchmarks"])})
        except (KeyError, TypeError, ValueError) as error:
            raise KoQasError(
                f"row {row.id}", "검증서가 없거나 형식이 다릅니다.", f"run the verify stage ({error})"
            ) from error
