"""One chat request, its reply, and what may go wrong between them.

Comes in: messages and settings. Goes out: the body that is sent and the key under which its reply is kept. Knows nothing
of networks.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from koqas.train.generation.settings import GenerationSettings

Message: TypeAlias = dict[str, str]
Step = Literal["write", "check", "repair"]
# Tokens a character costs, before any reply has told: no tokenizer of today's models needs more for Korean text.
WIDE_TOKENS, NARROW_TOKENS = 1.0, 0.4
MESSAGE_TOKENS = 6  # role and separators of one message


@dataclass(frozen=True)
class ChatRequest:
    """The body of a chat completion, and what the call is for."""

    body: dict[str, Any]
    step: Step

    @property
    def key(self) -> str:
        """64 hex digits of the whole body: the same request has one key in every run and on every host."""
        return hashlib.sha256(json.dumps(self.body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()

    @property
    def assumed_tokens(self) -> int:
        """Tokens of the prompt, estimated from its characters."""
        contents = [m["content"] for m in self.body["messages"]]
        return sum(assumed_tokens(c) + MESSAGE_TOKENS for c in contents)


@dataclass(frozen=True)
class Reply:
    """A model's reply.

    Args:
        text (`str`): What it wrote.
        finish (`str`): Why it stopped: `stop`, `length`, `content_filter`, ….
        prompt_tokens (`int`): As the endpoint counted; 0 where it did not say.
        reply_tokens (`int`): The same for the reply.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    reply_tokens: int = 0


class CallFailed(Exception):
    """A request that got no reply.

    Args:
        reason (`str`): Fixed name, as in `Rejection`.
        detail (`str`): What happened, in English.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


Ask: TypeAlias = Callable[[ChatRequest], Awaitable[Reply]]


def request_of(messages: Sequence[Message], settings: GenerationSettings, step: Step = "write") -> ChatRequest:
    """Make the request that settings demand for some messages."""
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [dict(m) for m in messages],
        settings.limit_field: settings.max_tokens,
        "seed": settings.seed,
    }
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.json_mode:
        body["response_format"] = {"type": "json_object"}
    return ChatRequest(body, step)


def assumed_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few."""
    narrow = sum(c < "\u0250" for c in text)
    return round(narrow * NARROW_TOKENS + (len(text) - narrow) * WIDE_TOKENS)


def reply_of(completion: Any) -> Reply:  # noqa: ANN401 - an openai ChatCompletion or its JSON
    """Read the reply out of a chat completion.

    Raises:
        ValueError: It holds no choice with a message.
    """
    whole = completion if isinstance(completion, dict) else getattr(completion, "model_dump", dict)()
    try:
        choice = whole["choices"][0]
        text = choice["message"].get("content") or choice["message"].get("refusal") or ""
        usage = whole.get("usage") or {}
        return Reply(
            str(text),
            str(choice.get("finish_reason") or "stop"),
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"not a chat completion: {str(completion)[:200]!r}") from error
