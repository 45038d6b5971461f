"""Read the answer off a few sentences: the language model's verdict on every candidate span.

The prompt is the usual one (title as context, question, summary, answer), with the sentences as the summary. Each
candidate is a branch behind it: the span's own tokens read once more at their place in the summary, then the
terminator, where the logits of the two label tokens are the verdict on "the answer ends here". Reading a span again
in place puts its neighbours (the particle after it, the words of the question before it) at their true distances, so a
small model need not learn to find it first. All branches run in one forward pass and do not see each other.
Knows prompts and models, not retrieval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .koqas_prompts import ChatFormat
from .koqas_types import Span


@dataclass(frozen=True)
class Reading:
    """A tokenized reading task.

    Args:
        prefix (`list[int]`): Ids up to the opening of the answer.
        places (`list[int]`): For each summary token its index in `prefix`.
        offsets (`list[Span]`): For each summary token its characters of the summary.
    """

    prefix: list[int]
    places: list[int]
    offsets: list[Span]

    def branch(self, span: Span) -> tuple[list[int], int]:
        """Return a candidate's ids and the position of the first one.

        The ids are those of the summary from the first to the last token that overlaps the span's characters; the
        terminator is not among them.
        """
        inside = [
            p for p, o in zip(self.places, self.offsets, strict=True) if o.start < span.end and o.end > span.start
        ]
        return self.prefix[inside[0] : inside[-1] + 1], inside[0]


def reading_of(chat: ChatFormat, title: str, question: str, summary: str, shared: Sequence[Span]) -> Reading:
    """Tokenize a title, a question and the summary that holds the candidates.

    Args:
        chat (`ChatFormat`): Prompt format.
        title (`str`): Title of the passage, or "".
        question (`str`): The question.
        summary (`str`): Sentences, joined.
        shared (`Sequence[Span]`): Words of the summary that the question holds too, in order; a mark goes before each.
    """
    opening = [*chat.context([""], [title]), *chat.question(question), *chat.sections["summary"]]
    marked = chat.marked(summary, shared)
    places = [len(opening) + p for p in marked.places]
    return Reading([*opening, *marked.ids, *chat.then_answer], places, marked.offsets)


class Reader:
    """Scores candidate spans of a summary with a causal language model.

    Args:
        model: A causal LM trained on reading branches.
        chat (`ChatFormat`): Its prompt format.
    """

    def __init__(self, model: Any, chat: ChatFormat) -> None:  # noqa: ANN401
        self.model, self.chat = model, chat
        self.yes, self.no = chat.label_ids()

    @torch.inference_mode()
    def verdicts(
        self, title: str, question: str, summary: str, shared: Sequence[Span], spans: Sequence[Span]
    ) -> list[float]:
        """Return `logit(yes) - logit(no)` for each span of the summary, in order; see `reading_of`."""
        reading = reading_of(self.chat, title, question, summary, shared)
        ids, positions, owner, ends = list(reading.prefix), list(range(len(reading.prefix))), [], []
        for number, span in enumerate(spans):
            branch, first = reading.branch(span)
            ids += [*branch, self.chat.end[0]]
            positions += range(first, first + len(branch) + 1)
            owner += [number] * (len(branch) + 1)
            ends.append(len(ids) - 1)
        mask = branch_mask(len(reading.prefix), torch.tensor(owner))
        device = self.model.device
        hidden = (
            self.model(
                input_ids=torch.tensor([ids], device=device),
                position_ids=torch.tensor([positions], device=device),
                attention_mask=mask[None, None].to(device),
                use_cache=False,
                logits_to_keep=torch.tensor(ends, device=device),
            )
            .logits[0]
            .float()
        )
        return (hidden[:, self.yes] - hidden[:, self.no]).tolist()


def branch_mask(prefix: int, owner: torch.Tensor) -> torch.Tensor:
    """Return the boolean mask (True: sees) of a causal prefix followed by branches that see it and themselves.

    Args:
        prefix (`int`): Tokens of the prefix.
        owner (`torch.Tensor`): For each token behind the prefix its branch, shape `(tokens,)`.
    """
    size = prefix + len(owner)
    sees = torch.ones(size, size, dtype=torch.bool).tril()
    sees[prefix:, prefix:] &= owner[:, None] == owner[None, :]
    return sees
