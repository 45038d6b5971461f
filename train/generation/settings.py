"""What a generation run may be told, and whether an endpoint is one's own machine.

Comes in: fields of a recipe or of the command line. Goes out: checked settings. Knows nothing of rows or prompts.
"""

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from koqas.koqas_types import KoQasError

STRATEGIES = ("summary", "question", "article")
BACKENDS = ("rules", "openai")
LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
# Names that public DNS never answers (RFC 6761, RFC 6762, RFC 8375; `internal`: reserved by ICANN in 2024).
LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
# ICANN forbids dotless domains, so a bare name is resolved by the own network; digits first could be an address.
BARE_HOST = re.compile(r"[a-z][a-z0-9-]*")


@dataclass
class GenerationSettings:
    """Settings of one generation run.

    Args:
        strategy (`str`): `summary`, `question` or `article`; see `train/generation/__init__.py`.
        backend (`str`): `rules` needs nothing; `openai` calls an endpoint.
        model (`str`): Model name that the endpoint knows.
        base_url (`str`): Endpoint up to and including `/v1`.
        api_key_env (`str`): Environment variable that holds the key; a local endpoint needs none.
        concurrency (`int`): Requests under way at once.
        requests_per_minute (`int`): 0: no limit.
        tokens_per_minute (`int`): Prompt and reply together; 0: no limit.
        max_retries (`int`): Further attempts after a request failed.
        timeout (`float`): Seconds for one attempt.
        backoff (`float`): Seconds before the second attempt; doubles with each further one, unless the endpoint says.
        temperature (`float | None`): None: not sent (some models take none).
        seed (`int`): Seed of the rules, and sent to the endpoint.
        max_tokens (`int`): Longest reply in tokens.
        limit_field (`str`): How the endpoint calls that: `max_tokens` or `max_completion_tokens`.
        json_mode (`bool`): Whether to ask for `response_format: json_object`.
        price_in (`float | None`): Price of a million prompt tokens, in any currency; None: unknown.
        price_out (`float | None`): Price of a million reply tokens.
        cache (`str`): Folder of the reply cache. A run that was killed continues from it.
        batch_file (`str`): Output of a batch job (file or folder). Given, no call is made: rows whose reply is
            neither there nor in the cache are rejected as `not_in_batch`.
        allow_third_party (`list[str]`): Names of sources whose texts may go to a remote endpoint although their terms
            forbid it or are unknown: you have an agreement of your own.
        questions_per_document (`int`): Most rows made of one document (`question`, `article`).
        longest_passage (`int`): Characters; a longer document is cut at sentence ends before a question is asked.
        least_trust (`float`): Rows of `article` below this trust are rejected.
    """

    strategy: str = field(default="summary", metadata={"choices": list(STRATEGIES)})
    backend: str = field(default="rules", metadata={"choices": list(BACKENDS)})
    model: str = ""
    base_url: str = "https://api.openai.com/v1"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    max_retries: int = 5
    timeout: float = 120.0
    backoff: float = 0.5
    temperature: float | None = 0.3
    seed: int = 0
    max_tokens: int = 1024
    limit_field: str = field(default="max_tokens", metadata={"choices": list(LIMIT_FIELDS)})
    json_mode: bool = True
    price_in: float | None = None
    price_out: float | None = None
    cache: str = "runs/generation"
    batch_file: str = ""
    allow_third_party: list[str] = field(default_factory=list)
    questions_per_document: int = 1
    longest_passage: int = 1200
    least_trust: float = 0.5

    def check(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            KoQasError: A field has no usable value.
        """
        for name, value, known in (
            ("strategy", self.strategy, STRATEGIES),
            ("backend", self.backend, BACKENDS),
            ("limit_field", self.limit_field, LIMIT_FIELDS),
        ):
            if value not in known:
                raise KoQasError(name, f"알 수 없는 값입니다: {value!r}", f"one of {', '.join(known)}")
        for name in ("concurrency", "max_tokens", "questions_per_document", "timeout"):
            if getattr(self, name) <= 0:
                raise KoQasError(name, "0보다 커야 합니다.", "pass a positive number")
        for name in ("requests_per_minute", "tokens_per_minute", "max_retries", "backoff"):
            if getattr(self, name) < 0:
                raise KoQasError(name, "음수일 수 없습니다.", "pass 0 or more")
        if self.longest_passage < 200:
            raise KoQasError("longest_passage", "지문이 너무 짧습니다.", "pass at least 200 characters")
        if self.backend == "openai":
            self._check_endpoint()

    def _check_endpoint(self) -> None:
        if not self.model:
            raise KoQasError("model", "모델 이름이 없습니다.", "pass the name that the endpoint knows")
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise KoQasError(
                "base_url", f"주소가 올바르지 않습니다: {self.base_url!r}", "pass http(s)://host[:port]/v1"
            )

    @property
    def remote(self) -> bool:
        """Whether texts leave the user's own machines."""
        return self.backend == "openai" and not is_local(self.base_url)

    def api_key(self) -> str:
        """Return the key for the endpoint; a local one needs none.

        Raises:
            KoQasError: A remote endpoint and no key.
        """
        key = os.environ.get(self.api_key_env, "")
        if not key and self.remote:
            raise KoQasError(
                "api_key_env",
                f"환경 변수 {self.api_key_env}에 키가 없습니다.",
                f"export {self.api_key_env}=… or name another variable",
            )
        return key or "none"

    @property
    def cache_file(self) -> Path:
        """File of the reply cache."""
        return Path(self.cache) / "replies.sqlite3"


def is_local(base_url: str) -> bool:
    """Tell whether an address is this machine or one of a private network. No name is looked up."""
    host = (urlsplit(base_url).hostname or "").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(LOCAL_SUFFIXES) or BARE_HOST.fullmatch(host) is not None
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_link_local or (address.is_private and not address.is_unspecified)
