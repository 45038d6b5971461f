"""Let a local model write, and read along while it does.

`generate` runs in a thread of its own, so that its words can be given on as they come; leaving early stops it.
"""

from collections.abc import Generator
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer


class StopOnRequest(StoppingCriteria):
    """Ends a generation whose reader has gone."""

    def __init__(self) -> None:
        self.requested = Event()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN401
        """Return one truth for each row of `input_ids`, shape `(batch,)`."""
        return torch.full((input_ids.shape[0],), self.requested.is_set(), device=input_ids.device, dtype=torch.bool)


def write(model: Any, tokenizer: Any, ids: list[int], **options: Any) -> Generator[str, None, list[int]]:  # noqa: ANN401
    """Continue a sequence: yields the new text word by word, returns the ids of the whole sequence.

    Args:
        model: A causal LM.
        tokenizer: Its tokenizer.
        ids (`list[int]`): What to continue.
        **options: Arguments of `generate`.
    """
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    stop = StopOnRequest()
    done: Future[list[int]] = Future()

    def run() -> None:
        try:
            with torch.inference_mode():
                out = model.generate(
                    input_ids=torch.tensor([ids], device=model.device),
                    attention_mask=torch.ones(1, len(ids), dtype=torch.long, device=model.device),
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([stop]),
                    **options,
                )
            done.set_result(out[0].tolist())
        except Exception as error:
            done.set_exception(error)
            streamer.text_queue.put(streamer.stop_signal)

    writer = Thread(target=run, name="koqas-writing", daemon=True)
    writer.start()
    try:
        yield from streamer
        return done.result()
    finally:
        stop.requested.set()
        writer.join()
