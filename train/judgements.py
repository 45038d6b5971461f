"""Judgement trees: a passage and questions of four kinds, labelled relevant or not and useful or not.

The levels of negatives: a question about something else, one whose words the passage shares (a BM25 neighbour or
another paragraph of the same article), and one about the right passage that it does not answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_text import AnalyzedSentence, Morpheme, matching_forms, shared_in
from koqas.train.trees import LossWeights, PromptTree, TreeQuestion, prompt_tree


@dataclass(frozen=True)
class Judged:
    """An analyzed question with its labels for a passage."""

    question: tuple[AnalyzedSentence, ...]
    relevant: bool | None
    useful: bool | None


def judgement_tree(
    chat: ChatFormat,
    sentences: Sequence[AnalyzedSentence],
    title: str,
    title_morphemes: Iterable[Morpheme],
    judged: Sequence[Judged],
    weights: LossWeights,
    longest: int,
) -> PromptTree | None:
    """Tokenize a passage with questions about it, or return None when it would not fit `longest` tokens.

    Args:
        chat (`ChatFormat`): Prompt format.
        sentences (`Sequence[AnalyzedSentence]`): The passage.
        title (`str`): Its title, or "".
        title_morphemes (`Iterable[Morpheme]`): The title's morphemes (their words count as held).
        judged (`Sequence[Judged]`): Questions with labels.
        weights (`LossWeights`): What a predicted token counts for.
        longest (`int`): Most tokens.
    """
    forms = matching_forms(m for s in sentences for m in s.tokens) | matching_forms(title_morphemes)
    questions = [
        TreeQuestion(
            " ".join(s.text for s in j.question), j.relevant, j.useful, shared=tuple(shared_in(j.question, forms))
        )
        for j in judged
    ]
    return prompt_tree(chat, [" ".join(s.text for s in sentences)], title, questions, weights, longest)
