"""How often a model finds the chosen answers likelier than the rejected ones.

Comes in: a model and pairs as token ids. Goes out: a share and a margin. Knows nothing about training.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Preference:
    """How often, and by how much, a model finds the chosen answers likelier.

    Args:
        pairs (`int`): Pairs measured.
        accuracy (`float`): Share of pairs whose chosen answer is likelier.
        margin (`float`): Mean difference of the mean log-probabilities, in nats a token.
    """

    pairs: int
    accuracy: float
    margin: float


@torch.inference_mode()
def preference_accuracy(
    model: torch.nn.Module, rows: list[dict[str, list[int]]], batch_size: int, pad: int
) -> Preference:
    """Measure preferences as the competition's evaluator: mean log-probability of a token of chosen against rejected.

    As there, the end token counts, the first token of the answer does not, and a tie is a miss.

    Args:
        model (`torch.nn.Module`): The model, its adapter active.
        rows (`list[dict]`): `prompt_ids`, `chosen_ids`, `rejected_ids`.
        batch_size (`int`): Pairs in one forward pass.
        pad (`int`): Padding token.
    """
    training = model.training
    model.eval()
    margins: list[float] = []
    device = next(model.parameters()).device
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        prompts = [r["prompt_ids"] for r in batch] * 2
        answers = [r["chosen_ids"] for r in batch] + [r["rejected_ids"] for r in batch]
        width = max(len(p) + len(a) for p, a in zip(prompts, answers))
        ids = torch.full((len(prompts), width), pad)
        counted = torch.zeros(len(prompts), width, dtype=torch.bool)
        mask = torch.zeros(len(prompts), width, dtype=torch.long)
        for n, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            end = len(prompt) + len(answer)
            ids[n, :end] = torch.tensor([*prompt, *answer])
            mask[n, :end] = 1
            counted[n, len(prompt) + min(1, len(answer) - 1) : end] = True
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits[:, :-1]
        chances = logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None].to(device))[..., 0].cpu()
        means = (chances * counted[:, 1:]).sum(1) / counted[:, 1:].sum(1)
        margins += (means[: len(batch)] - means[len(batch) :]).tolist()
    model.train(training)
    return Preference(len(rows), sum(m > 0 for m in margins) / len(rows), sum(margins) / len(rows))
