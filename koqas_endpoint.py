"""A language model behind an OpenAI-compatible server (vLLM and others) instead of one in this process.

Judgements are the log-probabilities of the first token of a reply, answers are streamed. The prompts are the folded ones
of koqas_prompts.py, so any instruction-tuned model understands them. Passages leave this machine: they go to the server.
Knows HTTP and prompts; knows nothing about retrieval.
"""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .koqas_prompts import INSTRUCTIONS, NO, YES, passage_block
from .koqas_types import KoQasError

try:
    import openai
except ImportError:
    openai = None  # type: ignore[assignment]  # `client_of` names the package that is missing

MOST_ALTERNATIVES = 20  # most that OpenAI's interface gives, and vLLM unless told otherwise
UNSEEN = 1.0  # natural-log units below the least likely alternative: a label that is not among them
LEAST_BYTES = 2  # Hangul syllables take three; their first byte alone tells no label from another
LABELS = {YES: YES, NO: NO[:2]}  # a reply "아니요" is a no too


@dataclass(frozen=True)
class Endpoint:
    """Where the server is and how it is asked.

    Args:
        base_url (`str`): Address up to `/v1`.
        model (`str`): Name of the model; empty: the first that the server lists.
        api_key_env (`str`): Environment variable that holds the key; the key itself is never stored.
        timeout (`float`): Seconds without any answer.
        retries (`int`): Times that a failed request is sent again.
        concurrency (`int`): Judgements asked for at the same time.
        extra (`dict[str, Any]`): Further fields of every request, for example `{"chat_template_kwargs": {…}}`.
    """

    base_url: str
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    retries: int = 2
    concurrency: int = 8
    extra: dict[str, Any] = field(default_factory=dict)


def endpoint_of(given: Any) -> Endpoint:  # noqa: ANN401
    """Return the endpoint that an address, a mapping of fields or an `Endpoint` describes.

    Raises:
        KoQasError: Unknown field, no address, or not an address.
    """
    if isinstance(given, Mapping):
        known = {f.name for f in fields(Endpoint)}
        if wrong := sorted(set(given) - known):
            raise KoQasError(f"endpoint.{wrong[0]}", "알 수 없는 항목입니다.", f"known: {', '.join(sorted(known))}")
        given = Endpoint(**{"base_url": "", **given})
    elif isinstance(given, str):
        given = Endpoint(given)
    address = given.base_url if isinstance(given, Endpoint) else given
    if not isinstance(address, str) or not address.startswith(("http://", "https://")):
        raise KoQasError("endpoint", f"서버 주소가 아닙니다: {address!r}", 'for example "http://localhost:8000/v1"')
    return given


class EndpointModel:
    """Asks the model of an endpoint.

    Args:
        endpoint (`Endpoint`): Where it is.

    Raises:
        KoQasError: The `openai` package is missing, or the server does not say which models it has.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        if openai is None:
            raise KoQasError("endpoint", "openai 패키지가 필요합니다.", "pip install openai")
        self.endpoint = endpoint
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=os.environ.get(endpoint.api_key_env) or "none",
            timeout=endpoint.timeout,
            max_retries=endpoint.retries,
        )
        self.model = endpoint.model or self._first_model()

    def _first_model(self) -> str:
        try:
            listed = [m.id for m in self._client.models.list()]
        except openai.OpenAIError as error:
            raise self._problem(error) from error
        if not listed:
            raise KoQasError("endpoint.model", "서버에 모델이 없습니다.", "name one: endpoint={'model': ...}")
        return listed[0]

    def label_logit(self, prompt: str) -> float:
        """Return log P(yes) - log P(no) of the first token of the reply to a question of yes or no.

        Raises:
            KoQasError: The server cannot be asked, or gives no log-probabilities.
        """
        try:
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=1,
                temperature=0.0,
                logprobs=True,
                top_logprobs=MOST_ALTERNATIVES,
                extra_body=self.endpoint.extra,
            )
        except openai.OpenAIError as error:
            raise self._problem(error) from error
        logprobs = reply.choices[0].logprobs if reply.choices else None
        if logprobs is None or not logprobs.content:
            raise KoQasError(
                "endpoint",
                "서버가 로그 확률을 주지 않아 문서를 채점할 수 없습니다.",
                "serve the model with log-probabilities, or pass first_pass=False, docquest=False",
            )
        return label_difference({_raw(t): t.logprob for t in logprobs.content[0].top_logprobs})

    def write(self, prompt: str, *, max_tokens: int, temperature: float, seed: int) -> Iterator[str]:
        """Give the reply to a prompt as it comes; closing the iterator closes the connection.

        Raises:
            KoQasError: The server cannot be asked, or breaks off.
        """
        try:
            with self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt}],
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                stream=True,
                extra_body=self.endpoint.extra,
            ) as reply:
                finished = False
                for chunk in reply:
                    for choice in chunk.choices[:1]:
                        finished |= choice.finish_reason is not None
                        if choice.delta.content:
                            yield choice.delta.content
        except Exception as error:  # a broken connection raises errors of the HTTP client as well
            raise self._problem(error) from error
        if not finished:
            raise KoQasError("endpoint", "서버가 답을 쓰다가 끊겼습니다.", "ask again; see the server's log")

    def _problem(self, error: Exception) -> KoQasError:
        where = self.endpoint.base_url
        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            fix = f"set the environment variable {self.endpoint.api_key_env}"
            return KoQasError("endpoint.api_key_env", f"서버가 키를 받아들이지 않습니다: {where}", fix)
        if isinstance(error, openai.NotFoundError):
            fix = "check base_url (up to /v1) and model"
            return KoQasError("endpoint.model", f"주소나 모델을 찾을 수 없습니다: {where} {self.endpoint.model}", fix)
        detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return KoQasError("endpoint", f"서버에 물을 수 없습니다: {where} ({detail})", "is the server running?")


def label_difference(alternatives: dict[bytes, float]) -> float:
    """Return log P(yes) - log P(no) from the log-probabilities of first tokens.

    A label's probability is the sum over tokens that begin it or are begun by it. A label that is not among the
    alternatives is taken to be a little less likely than the last of them; without any label the answer is 0, undecided.
    """
    found = {}
    for name, label in LABELS.items():
        held = [p for token, p in alternatives.items() if _begins(token.strip(), label.encode())]
        found[name] = math.log(sum(math.exp(p) for p in held)) if held else None
    yes, no = found[YES], found[NO]
    if yes is None and no is None:
        return 0.0
    floor = min(alternatives.values()) - UNSEEN
    return (floor if yes is None else yes) - (floor if no is None else no)


def _begins(token: bytes, label: bytes) -> bool:
    return len(token) >= LEAST_BYTES and (label.startswith(token) or token.startswith(label))


def _raw(alternative: Any) -> bytes:  # noqa: ANN401  (openai's TopLogprob)
    return bytes(alternative.bytes) if alternative.bytes else alternative.token.encode("utf-8", "surrogatepass")


def folded_prompt(section: str, question: str, passages: list[str], titles: list[str]) -> str:
    """Write one user turn: passages, question, instruction. No special token of a server's template can be in it."""
    turn = f"문서:\n{passage_block(passages, titles)}\n\n질문: {question}"
    # The server reads `<|…|>` or `</s>` as control tokens wherever they stand; a space takes that away.
    return turn.replace("<", "< ") + f"\n\n{INSTRUCTIONS[section]}"
