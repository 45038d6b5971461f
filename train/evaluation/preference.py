"""The competition's classification measure: how often the chosen answer is likelier than the rejected one, times 100.

Comes in: a model and pairs. Goes out: a row for each pair. As the competition scores: the prompt is the chat template
over `context` and `question` with an answer header after it; prompt and answers are tokenized apart; the end token counts,
the first token of the answer does not; one answer in a pass; a tie is a miss. Special tokens in the texts are not escaped,
as there.
"""

from typing import Any

import torch

from koqas.koqas_types import KoQasError
from koqas.train.evaluation.ledger import Row
from koqas.train.pairs import PreferencePair

HEADER = "<|start_header_id|>answer<|end_header_id|>\n\n"


def prompt_of(tokenizer: Any, context: str, question: str) -> str:  # noqa: ANN401  (any tokenizer class)
    """Return the competition's prompt.

    Raises:
        KoQasError: The tokenizer's template refuses these roles, or its vocabulary lacks the header's tokens.
    """
    messages = [{"role": "context", "content": context}, {"role": "question", "content": question}]
    known = tokenizer.get_vocab()
    if not {"<|start_header_id|>", "<|end_header_id|>"} <= set(known) or tokenizer.eos_token is None:
        raise KoQasError(
            "tokenizer", "대회 형식의 머리 토큰이 없습니다.", "the measure is defined for Llama-3-style templates"
        )
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False)) + HEADER
    except Exception as error:
        raise KoQasError(
            "tokenizer",
            f"대화 템플릿이 context와 question 역할을 받지 않습니다: {error}",
            "use a template that takes any role",
        ) from error


def answer_score(model: Any, tokenizer: Any, prompt: str, answer: str) -> float:  # noqa: ANN401  (any model)
    """Return the mean log-probability of an answer's tokens after the first, its end token among them, in nats."""
    begin = tokenizer([prompt], return_tensors="pt").input_ids
    target = tokenizer([answer + tokenizer.eos_token], return_tensors="pt").input_ids
    with torch.inference_mode():
        logits = model(torch.cat([begin, target], dim=1).to(model.device)).logits[0, begin.shape[1] : -1]
    chances = torch.log_softmax(logits, dim=-1)
    return float(chances.gather(1, target[0, 1:, None].to(chances.device)).mean())


def preference_row(model: Any, tokenizer: Any, pair: PreferencePair) -> Row:  # noqa: ANN401  (any model)
    """Score both answers of a pair."""
    prompt = prompt_of(tokenizer, pair.context, pair.question)
    return {name: answer_score(model, tokenizer, prompt, getattr(pair, name)) for name in ("chosen", "rejected")}
