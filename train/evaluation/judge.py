"""G-Eval: a judge model behind an OpenAI-compatible endpoint rates answers from 0 to 10.

Comes in: dialogues (prompt and answer in one text). Goes out: a score for each. As the competition rates: one total for
factuality, helpfulness and naturalness, read from `Score: x/10`; a reply without it is asked for again, up to ten times,
then counts 0; the mean is shown times ten. Replies are cached: what was paid for once is never asked again.
"""

import re
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace

from tqdm import tqdm

from koqas.train.generation.cache import ReplyCache
from koqas.train.generation.chat import Ask, CallFailed, Message, request_of
from koqas.train.generation.client import Caller
from koqas.train.generation.settings import GenerationSettings

TRIES = 10
SCORE = re.compile(r"Score: (\d+(?:\.\d+)?)/\d+")
SYSTEM = "You judge answers objectively and always by the same measure."
INSTRUCTION = """\
The dialogue above shows passages found for a user's question, the question, and the answer that a model wrote. Judge the \
answer by three criteria.
- Factuality: it contradicts neither the passages nor known facts, and invents nothing.
- Helpfulness: it answers what was asked, and says nothing beside the point.
- Naturalness: its wording is natural, without awkward or repeated phrases.
Give one total from 0 to 10 for all three together; an answer that cannot be understood gets 0. Reply with 'Score: x/10' and \
nothing else."""


@dataclass(frozen=True)
class Rating:
    """A score of 0..10 and how many replies it took; no score where the endpoint gave no reply at all."""

    score: float | None
    tries: int


def rate(dialogues: Sequence[str], settings: GenerationSettings, instruction: str = INSTRUCTION) -> list[Rating]:
    """Rate dialogues.

    Args:
        dialogues (`Sequence[str]`): Prompt and answer, as the model saw and wrote them.
        settings (`GenerationSettings`): Endpoint, limits, cache.
        instruction (`str`): What the judge is asked to do.

    Raises:
        KoQasError: No request can succeed with these settings.
    """
    found: dict[int, Rating] = {}
    with ReplyCache(settings.cache_file) as cache, Caller(settings, cache) as caller:
        futures = {
            caller.submit(_rating(dialogue, settings, instruction, caller.ask)): number
            for number, dialogue in enumerate(dialogues)
        }
        for future in tqdm(as_completed(futures), total=len(futures), desc="G-Eval", unit="answer"):
            try:
                found[futures[future]] = future.result()
            except CallFailed as error:
                found[futures[future]] = Rating(None, 0)
                print(f"no reply: {error}")
    return [found[number] for number in range(len(dialogues))]


def score_in(reply: str) -> float | None:
    """Return the score that a reply states, None where it states none."""
    stated = SCORE.search(reply)
    return float(stated[1]) if stated else None


async def _rating(dialogue: str, settings: GenerationSettings, instruction: str, ask: Ask) -> Rating:
    messages: list[Message] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{dialogue}\n\n{instruction}"},
    ]
    for attempt in range(TRIES):
        # Another seed is another request: the cache would give the same reply again.
        asking = replace(settings, json_mode=False, seed=settings.seed + attempt)
        stated = score_in((await ask(request_of(messages, asking))).text)
        if stated is not None:
            return Rating(stated, attempt + 1)
    return Rating(0.0, TRIES)
