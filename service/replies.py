"""Write replies in the form of OpenAI's chat completions, the rest of a result in the field `koqas`.

Comes in: results and events of the pipeline. Goes out: plain dicts.
"""

import time
import uuid
from typing import Any

from koqas.koqas_events import AnswerPiece, Done, Event, SummaryPiece
from koqas.koqas_types import KoQasError


class ChatReply:
    """One reply: the same id and time in all of its chunks.

    Args:
        model (`str`): Name of the model that the client asked for.
    """

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._told = ""

    def whole(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a reply in one piece."""
        message = {"role": "assistant", "content": result["answer"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {"object": "chat.completion", **self._head, "choices": [choice], "koqas": result}

    def chunks(self, event: Event) -> list[dict[str, Any]]:
        """Return the chunks that tell of an event; pieces of the answer are content, all else stands in `koqas`."""
        if isinstance(event, AnswerPiece):
            self._told += event.text
            return [self._chunk(event.text)]
        if isinstance(event, SummaryPiece):
            return [self._chunk("", koqas=event.to_dict())]
        if not isinstance(event, Done):
            return [self._chunk("", koqas=event.to_dict())]
        rest = []
        if not event.result.answered:  # what was told of an answer that no passage supports is taken back
            rest = [self._chunk(("\n\n" if self._told else "") + event.result.answer)]
        return [*rest, self._chunk("", finish="stop", koqas=event.to_dict())]

    def _chunk(self, text: str, *, finish: str | None = None, koqas: dict[str, Any] | None = None) -> dict[str, Any]:
        delta = {"role": "assistant", "content": text} if finish is None else {}
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"object": "chat.completion.chunk", **self._head, "choices": [choice]}
        return chunk if koqas is None else chunk | {"koqas": koqas}


def error_body(message: str, kind: str, param: str | None = None) -> dict[str, Any]:
    """Return an error as OpenAI's clients read it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": None}}


def refusal(error: KoQasError) -> dict[str, Any]:
    """Return the body for bad input."""
    return error_body(str(error), "invalid_request_error", error.field)
