"""Write what people think of answers to a local preference dataset, at once and masked.

Comes in: a result, the text it was written from, a thumb or a better answer. Goes out: lines of
`feedback/preferences-….jsonl` with the columns question, context, chosen, rejected (train/dpo.py reads them, after
`train/preferences.py merge`) and what else is known. A thumb alone fills one of the two answers and leaves the other empty.
"""

import json
import os
import threading
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from huggingface_hub import CommitScheduler

from koqas.koqas_hub import check_repo_id
from koqas.koqas_prompts import passage_block
from koqas.koqas_types import Document, KoQasError
from koqas.train.privacy.masking import MaskBook
from koqas.train.privacy.stage import PrivacyPolicy, find

EVERY = 5  # minutes between two uploads
MASKED = ("question", "context", "chosen", "rejected")
LONGEST_ANSWER = 2000


@dataclass(frozen=True)
class Feedback:
    """One opinion: the better answer and the worse one; "" where only one is known.

    `vote` is `up`, `down` or `better`; `time` is UTC; `masked` tells whether personal data were masked.
    """

    question: str
    context: str
    chosen: str
    rejected: str
    vote: str
    time: str
    masked: bool


def feedback_of(result: Mapping[str, Any], sources: Mapping[str, Document], vote: str, better: str = "") -> Feedback:
    """Make an opinion about a result.

    Args:
        result (`Mapping[str, Any]`): What the pipeline returned.
        sources (`Mapping[str, Document]`): Its documents by id.
        vote (`str`): `up`, `down` or `better`.
        better (`str`): The better answer, with `better`.

    Raises:
        KoQasError: The better answer is empty, too long or the one that was given.
    """
    better = better.strip()
    if vote == "better" and (not better or better.split() == result["answer"].split()):
        raise KoQasError("better", "다른 답을 적어 주세요.", "write an answer that differs")
    if len(better) > LONGEST_ANSWER:
        raise KoQasError("better", f"답이 너무 깁니다({len(better):,}자).", f"at most {LONGEST_ANSWER:,} characters")
    read = [d for d in result["documents"] if d["kept"]] or result["documents"][:1]
    texts = [sources[d["id"]].text[d["start"] : d["end"]] for d in read]
    context = passage_block(texts, [sources[d["id"]].title for d in read])
    chosen = {"up": result["answer"], "better": better}.get(vote, "")
    rejected = "" if vote == "up" else result["answer"]
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Feedback(result["question"], context, chosen, rejected, vote, now, False)


def masked(feedback: Feedback, policy: PrivacyPolicy) -> Feedback:
    """Return an opinion in which equal personal data have equal masks in all of its texts."""
    texts = [getattr(feedback, name) for name in MASKED]
    found = find(texts, policy)
    book = MaskBook()
    for text in texts:
        book.reserve(text)
    for text, findings in zip(texts, found, strict=True):
        book.learn(text, findings)
    hidden = [book.apply(t, book.repeated(t, f)).text for t, f in zip(texts, found, strict=True)]
    return replace(feedback, **dict(zip(MASKED, hidden, strict=True)), masked=True)


class FeedbackBook:
    """Keeps opinions: one line each, on disk before the visitor is thanked.

    Args:
        folder (`Path`): Where; each process writes a file of its own.
        masking (`bool`): Mask personal data first.
        repo_id (`str`): Dataset repository that the folder is pushed to (private) every few minutes; "" for none.

    Raises:
        KoQasError: The folder cannot be written, or not a hub id.
    """

    def __init__(self, folder: Path, *, masking: bool = True, repo_id: str = "") -> None:
        self._policy = PrivacyPolicy() if masking else None
        self._path = folder / f"preferences-{uuid.uuid4().hex[:12]}.jsonl"
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KoQasError("feedback", f"폴더를 만들 수 없습니다: {error}", "choose another folder") from error
        self._scheduler: CommitScheduler | None = None
        if repo_id:
            check_repo_id(repo_id)
            self._scheduler = CommitScheduler(
                repo_id=repo_id,
                repo_type="dataset",
                folder_path=folder,
                path_in_repo="data",
                every=EVERY,
                private=True,
            )

    def keep(self, feedback: Feedback) -> Feedback:
        """Write an opinion and return it as it was written.

        Raises:
            KoQasError: The disk refuses; nothing half is left.
        """
        kept = masked(feedback, self._policy) if self._policy else feedback
        line = (json.dumps(asdict(kept), ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
        with self._lock, self._scheduler.lock if self._scheduler else nullcontext():
            before = self._path.stat().st_size if self._path.exists() else 0
            try:
                with self._path.open("ab") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                if self._path.exists():
                    os.truncate(self._path, before)
                raise KoQasError("feedback", f"쓸 수 없습니다: {error}", "free disk space") from error
        return kept

    def close(self) -> None:
        """Push what is not pushed yet."""
        if self._scheduler:
            self._scheduler.trigger().result()
            self._scheduler.stop()
