"""What happens while a question is answered, one object at a time, in the order in which it happens.

    Retrieved → Scored → (Retrieved → Scored)* → SummaryPiece* → AnswerPiece* → Done

Pieces join to the text as it is being written. What counts is the result in `Done`: free text that no passage supports
is taken back there, and citations in the answer are gone.
"""

from dataclasses import dataclass
from typing import Any

from .koqas_types import Result, ScoredChunk


@dataclass(frozen=True)
class Retrieved:
    """A search round has found chunks (retrieval scores only)."""

    round: int
    chunks: tuple[ScoredChunk, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {"event": "retrieved", "round": self.round, "documents": [c.to_dict() for c in self.chunks]}


@dataclass(frozen=True)
class Scored:
    """The chunks of a round have been judged."""

    round: int
    chunks: tuple[ScoredChunk, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {"event": "scored", "round": self.round, "documents": [c.to_dict() for c in self.chunks]}


@dataclass(frozen=True)
class SummaryPiece:
    """The next characters of the summary."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {"event": "summary", "text": self.text}


@dataclass(frozen=True)
class AnswerPiece:
    """The next characters of the answer."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {"event": "answer", "text": self.text}


@dataclass(frozen=True)
class Done:
    """The question is answered, or the documents do not hold the answer."""

    result: Result

    def to_dict(self) -> dict[str, Any]:
        """Return a plain dict that `json.dumps` accepts."""
        return {"event": "done", "result": self.result.to_dict()}


Piece = SummaryPiece | AnswerPiece
Event = Retrieved | Scored | SummaryPiece | AnswerPiece | Done
