"""Preference pairs: a question, its context, the chosen answer and the rejected one; read, checked, split, tokenized.

Comes in: CSV, JSON lines or Parquet with the columns question, context, chosen, rejected (the shape of
vaiv/ko-rag-preference), and optionally chosen_summary and rejected_summary. Goes out: token ids for TRL's DPOTrainer, in
the prompts of serving. Knows nothing about where a preference came from.
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from koqas.koqas_prompts import ChatFormat
from koqas.koqas_types import KoQasError
from koqas.train.completions import Completion, then_answer
from koqas.train.long_answers import LabelledPassage, LongAnswer, fitted

COLUMNS = ("question", "context", "chosen", "rejected")
OPTIONAL = ("chosen_summary", "rejected_summary")


@dataclass(frozen=True)
class PreferencePair:
    """Two answers to one question, the better one first; their summaries are empty where only answers were compared."""

    question: str
    context: str
    chosen: str
    rejected: str
    chosen_summary: str = ""
    rejected_summary: str = ""

    def problem(self) -> str:
        """Return what is wrong with the pair, in Korean; "" when nothing is."""
        for name in COLUMNS:
            if not getattr(self, name).strip():
                return f"{name} 칸이 비어 있습니다."
        if (
            self.chosen.split() == self.rejected.split()
            and self.chosen_summary.split() == self.rejected_summary.split()
        ):
            return "chosen과 rejected가 같습니다."
        if bool(self.chosen_summary.strip()) != bool(self.rejected_summary.strip()):
            return "요약이 한쪽에만 있습니다."
        return ""


def read_pairs(path: Path) -> list[PreferencePair]:
    """Read and check pairs.

    Raises:
        KoQasError: Missing file or column, no rows, an empty cell, or chosen equal to rejected (row named).
    """
    if not path.is_file() or path.suffix not in (".csv", ".jsonl", ".parquet"):
        raise KoQasError("pairs", f"읽을 수 있는 파일이 아닙니다: {path}", "pass an existing .csv, .jsonl or .parquet")
    rows = list(_rows(path))
    if not rows:
        raise KoQasError("pairs", f"행이 없습니다: {path}", "pass a file with rows")
    if missing := [c for c in COLUMNS if c not in rows[0]]:
        raise KoQasError("pairs", f"열이 없습니다: {', '.join(missing)}", f"columns must be {', '.join(COLUMNS)}")
    pairs = []
    for number, row in enumerate(rows, start=1):
        pair = PreferencePair(**{c: str(row.get(c) or "") for c in (*COLUMNS, *OPTIONAL)})
        if problem := pair.problem():
            raise KoQasError(f"pairs: {path.name} row {number}", problem, "correct or drop the row")
        pairs.append(pair)
    return pairs


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines)
    else:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise KoQasError(f"{path.name} line {number}", "JSON이 아닙니다.", str(error)) from error


def write_pairs(path: Path, pairs: Sequence[PreferencePair]) -> None:
    """Write pairs to a .csv or .jsonl file; the file appears under its name only when it is whole.

    Raises:
        KoQasError: A pair has a problem, or another suffix.
    """
    for number, pair in enumerate(pairs, start=1):
        if problem := pair.problem():
            raise KoQasError(f"pair {number}", problem, "correct or drop the pair")
    names = (*COLUMNS, *OPTIONAL) if any(p.chosen_summary for p in pairs) else COLUMNS
    rows = [{n: asdict(p)[n] for n in names} for p in pairs]
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        elif path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            raise KoQasError("out", f"저장 형식을 알 수 없습니다: {path.name}", "use .csv or .jsonl")
    unfinished.replace(path)


def held_out(pairs: Sequence[PreferencePair], share: float) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Split pairs into those to train on and those held out, by a hash of the context.

    All pairs of a context fall on one side, and a pair stays on its side when others are added.
    """
    sides: tuple[list[PreferencePair], list[PreferencePair]] = ([], [])
    for pair in pairs:
        digest = hashlib.sha256(pair.context.encode("utf-8", "surrogatepass")).digest()
        sides[int.from_bytes(digest[:4], "big") < share * 2**32].append(pair)
    return sides


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt up to the opening of its completion, and whether passages were shortened for it."""

    ids: list[int]
    shortened: bool


@dataclass(frozen=True)
class TokenizedPairs:
    """Pairs as token ids.

    Args:
        rows (`list[dict[str, list[int]]]`): `prompt_ids`, `chosen_ids` and `rejected_ids` of each pair.
        shortened (`int`): Pairs whose passages were shortened to fit the context.
        left_out (`int`): Pairs whose question and answers alone are longer than the context.
    """

    rows: list[dict[str, list[int]]]
    shortened: int
    left_out: int


def tokenized(chat: ChatFormat, pairs: Sequence[PreferencePair], longest: int) -> TokenizedPairs:
    """Tokenize pairs for contexts of `longest` tokens; passages give way where a pair is too long.

    Text of users is tokenized as data: TRL's own tokenizing would turn a `<|eot_id|>` inside a document into a special
    token.
    """
    rows, shortened = [], 0
    for pair in pairs:
        answers = [
            _completion(chat, pair.chosen_summary, pair.chosen),
            _completion(chat, pair.rejected_summary, pair.rejected),
        ]
        row = LongAnswer(pair.question, passages_of(pair.context), pair.chosen_summary, pair.chosen)
        opening = opening_of(chat, summarized=bool(pair.chosen_summary))
        if prompt := fitted_prompt(chat, row, opening, longest - max(map(len, answers))):
            shortened += prompt.shortened
            rows.append({"prompt_ids": prompt.ids, "chosen_ids": answers[0], "rejected_ids": answers[1]})
    return TokenizedPairs(rows, shortened, len(pairs) - len(rows))


def passages_of(context: str) -> tuple[LabelledPassage, ...]:
    """Take a context of lines `[1] …` apart."""
    lines = [re.sub(r"^\[\d+\] ", "", line) for line in context.split("\n")]
    return tuple(LabelledPassage(line) for line in lines if line.strip())


def fitted_prompt(chat: ChatFormat, row: LongAnswer, opening: Sequence[int], longest: int) -> FittedPrompt | None:
    """Return the prompt of a row in at most `longest` tokens; None where the question alone is longer."""
    asked = [*chat.question(row.question), *opening]
    room = longest - len(asked) - len(chat.begin)
    while room > 0 and (fit := fitted(row, room, lambda text: len(chat.content(text)))):
        context = chat.context([p.text for p in fit.passages], [p.title for p in fit.passages])
        surplus = len(context) + len(asked) - longest
        if surplus <= 0:
            return FittedPrompt([*context, *asked], fit.passages != row.passages)
        room -= max(surplus, 8)  # tokens of joined sentences are not quite the sum of theirs
    return None


def opening_of(chat: ChatFormat, summarized: bool) -> tuple[int, ...]:
    """Return what opens the completion: the summary, or the answer alone as in the competition's evaluator."""
    if summarized:
        return chat.sections["summary"]
    return chat.sections["answer"] if chat.style == "roles" else (*chat.sections["summary"], *chat.then_answer)


def _completion(chat: ChatFormat, summary: str, answer: str) -> list[int]:
    made = Completion("answer")
    if summary:
        made.write(chat.content(summary), learned=True)
        then_answer(made, chat)
    made.write([*chat.content(answer), *chat.end], learned=True)
    return made.input_ids
