"""The two stages that need a language model, with the model behind an endpoint: judge passages, write the answer.

They stand in for `DocQuest` and `Cited`. Knows prompts and the endpoint; knows nothing about retrieval.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

from .koqas_citations import supported
from .koqas_docquest import Passage
from .koqas_endpoint import EndpointModel, folded_prompt
from .koqas_events import AnswerPiece, Piece
from .koqas_generation import ComposeOptions, RatedSentence, fit_context
from .koqas_prompts import ChatFormat
from .koqas_sections import Sections
from .koqas_types import Composition, Document, ScoredChunk


class RemoteDocQuest:
    """Judges passages by the log-probabilities that the endpoint's model gives to yes and no.

    Args:
        model (`EndpointModel`): The model.
    """

    def __init__(self, model: EndpointModel) -> None:
        self.model = model
        self.batch_size = model.endpoint.concurrency  # of no use here: requests go out side by side

    def logits(self, question: str, passages: Sequence[Passage], sections: Sequence[str]) -> list[list[float]]:
        """Return log P(yes) - log P(no) for each section (outer) and passage (inner).

        Raises:
            KoQasError: The server cannot be asked, or gives no log-probabilities.
        """
        prompts = [folded_prompt(s, question, [p.text], [p.title]) for s in sections for p in passages]
        with ThreadPoolExecutor(self.model.endpoint.concurrency) as threads:
            logits = list(threads.map(self.model.label_logit, prompts))
        width = len(passages)
        return [logits[n * width : (n + 1) * width] for n in range(len(sections))]


class RemoteCited:
    """Lets the endpoint's model write summary and answer in one reply.

    Args:
        model (`EndpointModel`): The model.
        chat (`ChatFormat`): A local prompt format: its tokenizer estimates how much fits into the context.
    """

    def __init__(self, model: EndpointModel, chat: ChatFormat) -> None:
        self.model, self.chat = model, chat

    def pieces(
        self, question: str, kept: Sequence[ScoredChunk], documents: dict[str, Document], options: ComposeOptions
    ) -> Generator[Piece, None, Composition | None]:
        """Write piece by piece; see `Cited.pieces`. Without summary, it is written all the same but not shown.

        Raises:
            KoQasError: The server cannot be asked, or breaks off.
        """
        rated = [RatedSentence(s, x, s.usefulness or s.fused) for s in kept for x in s.chunk.sentences]
        shown = fit_context(rated, self.chat, options.context_tokens)
        prompt = folded_prompt("summary", question, [t for _, t in shown], [c.title for c, _ in shown])
        told = Sections(both=True)
        reply = self.model.write(
            prompt, max_tokens=2 * options.max_new_tokens, temperature=options.temperature, seed=options.seed
        )
        for text in reply:
            yield from _wanted(told.read(text), options.summary)
        yield from _wanted(told.end(), options.summary)
        found = supported(told.summary, told.answer, [c for c, _ in shown], documents)
        if found is None or options.summary:
            return found
        return Composition("", found.answer, found.confidence, found.evidence)


def _wanted(pieces: Generator[Piece, None, None], summary: bool) -> Generator[Piece, None, None]:
    for piece in pieces:
        if summary or isinstance(piece, AnswerPiece):
            yield piece
