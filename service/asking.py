"""Read the bodies of requests: what is asked, of which documents, with which options.

Comes in: bytes from anyone. Goes out: a checked `Ask`, or an error that names the field. Nothing in a body is ever taken
for a path, and no option can make one question arbitrarily expensive.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from koqas.koqas_options import ASK_FIELDS
from koqas.koqas_types import KoQasError

# Options whose size is work or memory, with the most that a request may ask for.
CEILINGS = {"top_k": 50, "max_kept": 10, "max_rounds": 5, "max_new_tokens": 1024}
NOT_FOR_CLIENTS = frozenset({"batch_size"})
OPTIONS = tuple(sorted(ASK_FIELDS - NOT_FOR_CLIENTS))


@dataclass(frozen=True)
class Ask:
    """One question.

    Args:
        question (`str`): What is asked.
        documents (`list[dict[str, Any]] | None`): Documents of this question alone; None: those of the service.
        options (`dict[str, Any]`): Fields of `AskOptions`.
        stream (`bool`): Answer event by event.
        model (`str`): Name the client gives the model; it is sent back.
    """

    question: str
    documents: list[dict[str, Any]] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    stream: bool = False
    model: str = "ko-qas"


def body_of(raw: bytes) -> dict[str, Any]:
    """Parse a body.

    Raises:
        KoQasError: No JSON object.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise KoQasError("body", "JSON이 아닙니다.", "send a JSON object in UTF-8") from error
    if not isinstance(body, dict):
        raise KoQasError("body", "JSON 객체여야 합니다.", 'for example {"question": "…"}')
    return body


def answers_ask(body: dict[str, Any]) -> Ask:
    """Read a body of `/v1/answers`: `question`, `documents`, `stream` and the options side by side.

    Raises:
        KoQasError: A field is unknown or has a wrong type or size; names it.
    """
    rest = {k: v for k, v in body.items() if k not in ("question", "documents", "stream")}
    question = body.get("question")
    if not isinstance(question, str):
        raise KoQasError("question", "질문은 문자열이어야 합니다.", 'send {"question": "…"}')
    return Ask(question, _documents(body.get("documents")), _options(rest), _flag(body, "stream"))


def chat_ask(body: dict[str, Any]) -> Ask:
    """Read a body of `/v1/chat/completions`.

    The last message of the user is the question; the documents and options stand in `documents` and `koqas`. Of OpenAI's
    own fields `temperature`, `seed` and `max_tokens` or `max_completion_tokens` are used, others are passed over.

    Raises:
        KoQasError: No question, or a field has a wrong type or size; names it.
    """
    options = body.get("koqas") or {}
    if not isinstance(options, dict):
        raise KoQasError("koqas", "객체여야 합니다.", 'for example {"koqas": {"threshold": 0.5}}')
    known = {"temperature": "temperature", "seed": "seed"}
    known |= {"max_tokens": "max_new_tokens", "max_completion_tokens": "max_new_tokens"}
    given = {ours: body[theirs] for theirs, ours in known.items() if body.get(theirs) is not None}
    if (tokens := given.get("max_new_tokens")) and isinstance(tokens, int):
        given["max_new_tokens"] = min(tokens, CEILINGS["max_new_tokens"])
    model = body.get("model") if isinstance(body.get("model"), str) else "ko-qas"
    question = _last_user_text(body.get("messages"))
    return Ask(
        question, _documents(body.get("documents")), _options(given | options), _flag(body, "stream"), str(model)
    )


def _last_user_text(messages: Any) -> str:  # noqa: ANN401
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise KoQasError("messages", "메시지의 목록이어야 합니다.", '[{"role": "user", "content": "…"}]')
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].get("role") == "user":
            return _text_of(messages[number].get("content"), f"messages[{number}].content")
    raise KoQasError("messages", "사용자의 메시지가 없습니다.", '[{"role": "user", "content": "…"}]')


def _text_of(content: Any, where: str) -> str:  # noqa: ANN401
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [p.get("text") if isinstance(p, dict) and p.get("type") == "text" else None for p in parts]
    if not all(isinstance(t, str) for t in texts):
        raise KoQasError(where, "글만 받습니다.", "send a string or parts of type text")
    return "\n".join(str(t) for t in texts)


def _documents(given: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401
    if given is None:
        return None
    if not isinstance(given, list):
        raise KoQasError("documents", "문서의 목록이어야 합니다.", 'send ["text", …] or [{"id", "title", "text"}, …]')
    rows: list[dict[str, Any]] = []
    for number, item in enumerate(given):
        row = {"text": item} if isinstance(item, str) else item
        if not isinstance(row, dict):
            raise KoQasError(f"documents[{number}]", "문자열이나 객체여야 합니다.", 'send "text" or {"id", "text"}')
        rows.append(row)
    return rows


def _options(given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name not in OPTIONS:
            raise KoQasError(name, "알 수 없는 항목입니다.", f"known: {', '.join(OPTIONS)}")
        if name in CEILINGS and isinstance(value, (int, float)) and value > CEILINGS[name]:
            raise KoQasError(name, f"{CEILINGS[name]} 이하여야 합니다: {value}", "ask for less")
    return given


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise KoQasError(name, f"true나 false여야 합니다: {value!r}", "send true or false")
    return value
