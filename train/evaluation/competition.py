"""The competition's two measures over preference pairs: classification (분류 지표) and generation (생성 지표).

Comes in: pairs, the repository's model, perhaps a judge. Goes out: accuracy times 100, G-Eval times 10, and without a judge
chrF and ROUGE-L against the chosen answer, which see words and not truth.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from koqas.train.evaluation.bench import Bench, Report, required
from koqas.train.evaluation.intervals import interval_of
from koqas.train.evaluation.judge import INSTRUCTION, rate
from koqas.train.evaluation.ledger import Row
from koqas.train.evaluation.official import OfficialEvaluator, load_official
from koqas.train.evaluation.overlap import chrf, rouge_l
from koqas.train.evaluation.preference import preference_row, prompt_of
from koqas.train.pairs import PreferencePair, read_pairs


def competition(bench: Bench) -> Report:
    """Measure both."""
    pairs = read_pairs(Path(required(bench.arguments, "pairs")))
    model, tokenizer = bench.qa.model, bench.qa.tokenizer
    official = load_official(Path(bench.arguments.official)) if bench.arguments.official else None
    rows = bench.ledger.rows("classification", pairs, lambda p: preference_row(model, tokenizer, p))
    report: Report = {"classification": classification_of(rows, bench.evaluation.seed)}
    if official:
        accuracy = official.accuracy(model, tokenizer, pairs)
        report["classification"] |= {"official": round(100 * accuracy, 4), "official_sha256": official.sha256}
    return report | {"generation": _generation(bench, pairs, official)}


def classification_of(rows: list[Row], seed: int) -> Report:
    """Return the accuracy times 100 with its interval, and the mean margin in nats a token."""
    margins = [r["chosen"] - r["rejected"] for r in rows]
    found = interval_of([m > 0 for m in margins], seed)
    return {
        "n": len(rows),
        "accuracy": round(100 * found.mean, 4),
        "interval": [round(100 * found.low, 2), round(100 * found.high, 2)],
        "margin": round(float(np.mean(margins)), 4),
    }


def _generation(bench: Bench, pairs: list[PreferencePair], official: OfficialEvaluator | None) -> Report:
    most = bench.arguments.new_tokens
    model, tokenizer = bench.qa.model, bench.qa.tokenizer
    numbered = list(enumerate(pairs, start=bench.evaluation.seed))
    rows = bench.ledger.rows(
        f"generation {most}", numbered, lambda case: {"said": answer_of(model, tokenizer, case[1], most, case[0])}
    )
    said = [r["said"] for r in rows]
    seed = bench.evaluation.seed
    report: Report = {
        "n": len(rows),
        "chrf": interval_of([chrf(s, p.chosen) for s, p in zip(said, pairs, strict=True)], seed).to_dict(),
        "rouge_l": interval_of([rouge_l(s, p.chosen) for s, p in zip(said, pairs, strict=True)], seed).to_dict(),
    }
    if bench.evaluation.judge.backend == "openai":
        prompts = [prompt_of(tokenizer, p.context, p.question) for p in pairs]
        dialogues = [prompt + s for prompt, s in zip(prompts, said, strict=True)]
        report["g_eval"] = _rated(bench, dialogues, official.instruction if official else INSTRUCTION)
    return report


def _rated(bench: Bench, dialogues: list[str], instruction: str) -> Report:
    ratings = rate(dialogues, bench.evaluation.judge, instruction)
    scores = [10 * r.score for r in ratings if r.score is not None]
    found = interval_of(scores, bench.evaluation.seed).to_dict() if scores else {}
    return found | {
        "judge": bench.evaluation.judge.model,
        "without_reply": sum(r.score is None for r in ratings),
        "unreadable": sum(r.score == 0 and r.tries == 10 for r in ratings),
    }


@torch.inference_mode()
def answer_of(model: Any, tokenizer: Any, pair: PreferencePair, most: int, seed: int) -> str:  # noqa: ANN401
    """Write an answer as the competition does: sampled at temperature 1, until the end token.

    Args:
        model: A causal LM.
        tokenizer: Its tokenizer.
        pair (`PreferencePair`): Context and question.
        most (`int`): New tokens at most (the competition allows 4,096).
        seed (`int`): Seed of the sample.
    """
    given = tokenizer([prompt_of(tokenizer, pair.context, pair.question)], return_tensors="pt").to(model.device)
    torch.manual_seed(seed)
    out = model.generate(
        input_ids=given.input_ids,
        attention_mask=given.attention_mask,
        max_new_tokens=most,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
    )
    return str(tokenizer.decode(out[0, given.input_ids.shape[1] :], skip_special_tokens=True))
