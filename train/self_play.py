"""More pairs without anyone choosing: the written answer against what the SFT model itself says (SPIN, arXiv 2401.01335).

Comes in: the SFT model and pairs. Goes out: pairs with the same questions and chosen answers, whose rejected answers the
model drew. They show it its own mistakes, where written rejected answers show those of others.
"""

from collections.abc import Sequence
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from peft import PeftModel
from tqdm import tqdm
from transformers import TrainingArguments

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_types import KoQasError
from koqas.train.candidates import Sampler, Sampling
from koqas.train.loading import SHARDED
from koqas.train.long_answers import LongAnswer
from koqas.train.pairs import PreferencePair, passages_of

MOST_TOKENS = 64


class SelfPlay:
    """Draws rejected answers from a model before it is trained on them.

    Args:
        model: The SFT model.
        chat (`ChatFormat`): Its chat format.
        training_args (`TrainingArguments`): Device, seed, batch size.
        longest (`int`): Tokens of prompt and answer.
        draws (`int`): Answers for each question.

    Raises:
        KoQasError: The model will be sharded over processes, where it cannot write yet.
    """

    def __init__(
        self, model: PeftModel, chat: ChatFormat, training_args: TrainingArguments, longest: int, draws: int
    ) -> None:
        if PartialState().distributed_type in SHARDED:
            raise KoQasError(
                "self_play",
                "FSDP와 DeepSpeed에서는 학습 전에 답을 뽑을 수 없습니다.",
                "use --self_play 0, and pairs made by train/preferences.py",
            )
        if not getattr(model, "is_quantized", False):
            network: Any = model
            network.to(training_args.device)
        self.model, self.chat, self.draws = model, chat, draws
        self.seed, self.batch_size, self.longest = (
            training_args.seed,
            training_args.per_device_eval_batch_size,
            longest,
        )

    def pairs(self, written: Sequence[PreferencePair]) -> list[PreferencePair]:
        """Return the written pairs with drawn rejected answers; those equal to the chosen one are left out."""
        found: list[Any] = [None]
        if PartialState().is_main_process:  # all processes must train on the same rows
            found = [[p for summaries in (False, True) for p in self._drawn(written, summaries)]]
        broadcast_object_list(found)
        return list(found[0])

    def _drawn(self, written: Sequence[PreferencePair], summaries: bool) -> list[PreferencePair]:
        asked = [p for p in written if bool(p.chosen_summary) == summaries]
        sampling = Sampling(
            answers=self.draws,
            summaries=summaries,
            temperature=1.0,
            top_p=1.0,
            max_new_tokens=min(MOST_TOKENS, self.longest // 4),
            with_reference=False,
            batch_size=self.batch_size,
            longest=self.longest,
            seed=self.seed,
        )
        sampler = Sampler(self.model, self.chat, sampling)
        drawn: list[PreferencePair] = []
        for start in tqdm(range(0, len(asked), self.batch_size), desc="self-play", unit="batch"):
            batch = asked[start : start + self.batch_size]
            rows = [LongAnswer(p.question, passages_of(p.context), p.chosen_summary, p.chosen) for p in batch]
            chosen = {(row.question, row.answer): pair for row, pair in zip(rows, batch, strict=True)}
            for found in sampler.draw(rows, self.seed + start):
                pair = chosen[found.question, found.reference]
                made = [
                    PreferencePair(pair.question, pair.context, pair.chosen, a.answer, pair.chosen_summary, a.summary)
                    for a in found.answers
                ]
                drawn += [p for p in made if not p.problem()]
        return drawn
