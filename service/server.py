"""The routes: OpenAI's chat completions, our own answers, health.

    POST /v1/chat/completions    {"messages": […], "documents"?: […], "koqas"?: {options}, "stream"?: true}
    POST /v1/answers             {"question": …, "documents"?: […], "stream"?: true, options…}
    GET  /v1/models, GET /health

Knows HTTP; the pipeline is behind the desk.
"""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from koqas.koqas_events import Done, Event
from koqas.koqas_types import KoQasError
from koqas.service.asking import Ask, answers_ask, body_of, chat_ask
from koqas.service.desk import Busy, Desk
from koqas.service.replies import ChatReply, error_body, refusal

ALL_DONE = "data: [DONE]\n\n"
Render = Callable[[Event], list[str]]


class TooLarge(Exception):
    """The body is over the limit."""


class Service:
    """Turns requests into questions and events into replies.

    Args:
        desk (`Desk`): Who answers.
        largest (`int`): Most bytes of a body.
        key (`str`): What clients must send as bearer token; empty: anyone may ask.
    """

    def __init__(self, desk: Desk, largest: int, key: str = "") -> None:
        self.desk, self.largest, self.key = desk, largest, key

    def app(self) -> Starlette:
        """Return the ASGI application."""
        routes = [
            Route("/health", self.health, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/answers", self.answers, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})

    async def health(self, request: Request) -> Response:
        """Say that the service is up, how much it has to do and what it knows."""
        index = self.desk.qa.index
        documents = 0 if index is None else len(index.documents)
        busy = {"present": self.desk.present, "served": self.desk.served}
        return JSONResponse({"status": "ok", "documents": documents, **busy})

    async def models(self, request: Request) -> Response:
        """List the one model."""
        return JSONResponse({"object": "list", "data": [{"id": "ko-qas", "object": "model", "owned_by": "ko-qas"}]})

    async def chat(self, request: Request) -> Response:
        """Answer as OpenAI's chat completions do."""

        async def reply(body: dict[str, Any]) -> Response:
            ask = chat_ask(body)
            form = ChatReply(ask.model)
            if ask.stream:
                return await self._streamed(ask, lambda e: [_data(c) for c in form.chunks(e)], ALL_DONE)
            return JSONResponse(form.whole(await self._result(ask)))

        return await self._guarded(request, reply)

    async def answers(self, request: Request) -> Response:
        """Answer with the pipeline's own result, or its events."""

        async def reply(body: dict[str, Any]) -> Response:
            ask = answers_ask(body)
            if ask.stream:
                return await self._streamed(ask, _named_event, "")
            return JSONResponse(await self._result(ask))

        return await self._guarded(request, reply)

    async def _guarded(self, request: Request, reply: Callable[[dict[str, Any]], Awaitable[Response]]) -> Response:
        """Check who asks and how much comes, and turn every refusal into a reply."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key and not secrets.compare_digest(given.encode("latin-1"), self.key.encode()):
            return JSONResponse(error_body("키가 맞지 않습니다 (wrong API key)", "authentication_error"), 401)
        try:
            self.desk.check_room()
            return await reply(body_of(await self._body(request)))
        except TooLarge:
            message = f"요청이 너무 큽니다 (at most {self.largest:,} bytes)"
            return JSONResponse(error_body(message, "invalid_request_error", "body"), 413)
        except Busy:
            message = "기다리는 요청이 너무 많습니다 (too many requests are waiting)"
            return JSONResponse(error_body(message, "rate_limit_error"), 429, {"Retry-After": "2"})
        except KoQasError as error:
            of_server = error.field.startswith("endpoint")
            return JSONResponse(refusal(error), 502 if of_server else 400)

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.largest:
            raise TooLarge
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.largest:
                raise TooLarge
        return bytes(body)

    async def _result(self, ask: Ask) -> dict[str, Any]:
        async with self.desk.events(ask) as events:
            async for event in events:
                if isinstance(event, Done):
                    return event.result.to_dict()
        raise AssertionError("the events ended without a result")

    async def _streamed(self, ask: Ask, render: Render, ending: str) -> Response:
        """Open the events before the reply begins, so that bad input still gets its status."""
        async with AsyncExitStack() as opening:
            events = await opening.enter_async_context(self.desk.events(ask))
            held = opening.pop_all()

        async def lines() -> AsyncIterator[str]:
            async with held:
                try:
                    async for event in events:
                        for line in render(event):
                            yield line
                except KoQasError as error:  # the status is sent already
                    yield _data(refusal(error))
                    return
                yield ending

        return _ClosingStream(lines(), held)


class _ClosingStream(StreamingResponse):
    """Gives the turn back even when the client has left before the first line was asked for."""

    def __init__(self, lines: AsyncIterator[str], held: AsyncExitStack) -> None:
        super().__init__(lines, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._held = held

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._held.aclose()


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _named_event(event: Event) -> list[str]:
    told = event.to_dict()
    return [f"event: {told['event']}\n{_data(told)}"]


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = f"{request.method} {request.url.path}: 없는 주소입니다 (see /v1/answers and /v1/chat/completions)"
    return JSONResponse(error_body(message, "invalid_request_error"), status)
