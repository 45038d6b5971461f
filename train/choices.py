"""Which of several answers is best and which worst: decisions kept one by one, and made by a person.

Comes in: candidates. Goes out: a `Choice` for each, appended to a log before the next is asked for, and preference pairs
made of them. A person sees answers in an order drawn for each question, in a terminal or in a CSV to be filled in.
"""

import csv
import json
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from koqas.koqas_types import KoQasError
from koqas.train.candidates import Candidates
from koqas.train.pairs import PreferencePair

QUIT, SKIP = "q", "s"


@dataclass(frozen=True)
class Choice:
    """A decision about candidates: places of the best and the worst answer, None and the reason where there is none."""

    id: str
    best: int | None
    worst: int | None
    by: str
    reason: str = ""


class ChoiceLog:
    """Choices on disk: each is there before the next one is made.

    Args:
        path (`Path`): JSON lines. A last line that a killed run left unfinished is cut off.

    Raises:
        KoQasError: The file holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.known: dict[str, Choice] = {}
        whole = path.read_bytes() if path.is_file() else b""
        kept = whole[: whole.rfind(b"\n") + 1]
        try:
            for line in kept.decode("utf-8").splitlines():
                choice = Choice(**json.loads(line))
                self.known[choice.id] = choice
        except (ValueError, TypeError) as error:
            raise KoQasError("out", f"선택 기록이 아닙니다: {path}", f"move it away; {error}") from error
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(len(kept))

    def keep(self, choice: Choice) -> None:
        """Write a choice to the disk."""
        self._file.write((json.dumps(asdict(choice), ensure_ascii=False) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.known[choice.id] = choice

    def __enter__(self) -> "ChoiceLog":
        """Return the log."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()


def blind_order(candidates: Candidates, seed: int) -> list[int]:
    """Return the places of the answers in the order to show them: the same each time, and no sign of who wrote them."""
    order = list(range(len(candidates.answers)))
    random.Random(f"{seed} {candidates.id}").shuffle(order)
    return order


def pairs_of(candidates: Iterable[Candidates], choices: dict[str, Choice], summaries: bool) -> list[PreferencePair]:
    """Return the pairs that the choices make; summaries go along where asked for and drawn."""
    pairs = []
    for found in candidates:
        choice = choices.get(found.id)
        if choice is None or choice.best is None or choice.worst is None:
            continue
        best, worst = found.answers[choice.best], found.answers[choice.worst]
        told = (best.summary, worst.summary) if summaries and best.summary and worst.summary else ("", "")
        pairs.append(PreferencePair(found.question, found.context, best.answer, worst.answer, *told))
    return pairs


def ask_person(
    waiting: Sequence[Candidates], keep: Callable[[Choice], None], seed: int, read: Callable[[str], str] = input
) -> int:
    """Show candidates in a terminal until all are decided or the person stops; return how many were decided."""
    for number, found in enumerate(waiting, start=1):
        order = blind_order(found, seed)
        print(f"\n──── {number}/{len(waiting)}\n{found.context}\n\n질문: {found.question}\n")
        for shown, place in enumerate(order, start=1):
            summary = f" (요약: {found.answers[place].summary})" if found.answers[place].summary else ""
            print(f"  {shown}. {found.answers[place].answer}{summary}")
        choice = _asked(found, order, read)
        if choice is None:
            return number - 1
        keep(choice)
    return len(waiting)


def _asked(found: Candidates, order: Sequence[int], read: Callable[[str], str]) -> Choice | None:
    """Ask until the reply is a choice; None where the person stops."""
    wanted = "나은 답 번호" if len(order) == 2 else "가장 나은 답과 가장 못한 답 번호"
    while True:
        try:
            words = read(f"{wanted} ({SKIP}: 건너뛰기, {QUIT}: 그만) > ").replace(",", " ").split()
        except EOFError:
            return None
        if words == [QUIT]:
            return None
        if words == [SKIP]:
            return Choice(found.id, None, None, "person", "skipped")
        if len(words) == 1 and len(order) == 2 and words[0] in ("1", "2"):
            words.append("2" if words[0] == "1" else "1")
        if len(words) == 2 and (places := _places(words[0], words[1], order)):
            return Choice(found.id, *places, "person")
        print(f"1부터 {len(order)}까지 서로 다른 번호를 쓰세요. (two different numbers, best first)")


def _places(best: str, worst: str, order: Sequence[int]) -> tuple[int, int] | None:
    shown = [int(w) - 1 if w.isdecimal() else -1 for w in (best, worst)]
    if shown[0] == shown[1] or not all(0 <= s < len(order) for s in shown):
        return None
    return order[shown[0]], order[shown[1]]


def write_sheet(path: Path, waiting: Sequence[Candidates], seed: int) -> int:
    """Add undecided candidates to a CSV with empty `best` and `worst`; rows that are there stay. Return how many are new."""
    rows = read_sheet(path) if path.is_file() else []
    most = max([len(f.answers) for f in waiting] + [sum(k.startswith("answer_") for k in r) for r in rows[:1]] + [2])
    names = ["id", "question", "context", *(f"answer_{n}" for n in range(1, most + 1)), "best", "worst"]
    known = {r["id"] for r in rows}
    new = [f for f in waiting if f.id not in known]
    for found in new:
        shown = [found.answers[place].answer for place in blind_order(found, seed)]
        rows.append(
            {"id": found.id, "question": found.question, "context": found.context}
            | {f"answer_{n}": a for n, a in enumerate(shown, start=1)}
        )
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8-sig", newline="") as file:  # spreadsheets read Hangul only with the mark
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)
    return len(new)


def read_sheet(path: Path) -> list[dict[str, str]]:
    """Read a sheet as rows of text.

    Raises:
        KoQasError: A needed column is missing.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        rows = [{k: v or "" for k, v in row.items() if k} for row in reader]
        if missing := [c for c in ("id", "best", "worst") if c not in (reader.fieldnames or [])]:
            raise KoQasError("sheet", f"열이 없습니다: {', '.join(missing)}", "keep the columns of the written sheet")
    return rows


def sheet_choices(path: Path, waiting: Sequence[Candidates], seed: int) -> list[Choice]:
    """Return the choices of filled rows; `worst` may stay empty between two answers, and `s` skips.

    Raises:
        KoQasError: A cell is no number of an answer (row named).
    """
    known = {f.id: f for f in waiting}
    choices = []
    for number, row in enumerate(read_sheet(path), start=2):
        found = known.get(row["id"])
        best, worst = row["best"].strip(), row["worst"].strip()
        if found is None or not best + worst:
            continue
        if best == SKIP:
            choices.append(Choice(found.id, None, None, "person", "skipped"))
            continue
        if not worst and len(found.answers) == 2 and best in ("1", "2"):
            worst = "2" if best == "1" else "1"
        if not (places := _places(best, worst, blind_order(found, seed))):
            raise KoQasError(
                f"sheet: {path.name} line {number}",
                f"best {best!r}, worst {worst!r}: 서로 다른 답 번호가 아닙니다.",
                f"numbers from 1 to {len(found.answers)}, or {SKIP} in best to skip",
            )
        choices.append(Choice(found.id, *places, "person"))
    return choices
