"""The deduplication stage: rows in; the rows to keep and, for every other one, what it repeats.

Two rows repeat each other when their useful documents are copies and their questions ask the same; the same document
with another question is another row. Rows that overlap a benchmark go first, so that no copy of them is kept.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from koqas.train.dedup.canonical import canonical
from koqas.train.dedup.clusters import clusters_of
from koqas.train.dedup.contamination import Benchmark
from koqas.train.dedup.importance import Importance
from koqas.train.dedup.paraphrase import PairScorer, asks_otherwise, question_of
from koqas.train.examples import Example
from koqas.train.rejections import Rejection

MOST_COMPARED = 60  # questions of one document that are compared pair by pair


@dataclass(frozen=True)
class DedupPolicy:
    """What counts as a copy.

    Args:
        near (`bool`): Whether near copies of documents count.
        questions (`PairScorer`): Judges questions on the same document; None: only equal ones count.
        same_from (`float`): Probability from which two questions ask the same.
        benchmarks (`tuple[Benchmark, ...]`): What rows must not overlap.
    """

    near: bool = True
    questions: PairScorer | None = None
    same_from: float = 0.8
    benchmarks: tuple[Benchmark, ...] = ()


@dataclass
class Deduplicated:
    """Rows to keep, each with `document_cluster` in its `meta`, and why the others went."""

    kept: list[Example] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


def deduplicate(rows: Sequence[Example], policy: DedupPolicy) -> Deduplicated:
    """Choose among rows; those kept stay in order."""
    result = Deduplicated()
    clean: list[Example] = []
    for row in rows:
        overlap = next(((b.name, found) for b in policy.benchmarks if (found := b.overlap(row))), None)
        if overlap:
            result.rejected.append(_rejected(row, f"benchmark_{overlap[1]}", f"overlaps {overlap[0]}"))
        else:
            clean.append(row)
    texts = [_content(row) for row in clean]
    clusters = clusters_of(texts, near=policy.near)
    weights = Importance(texts).of(texts) if texts else []
    keeper = _keepers(clean, texts, clusters, weights, policy)
    for i, row in enumerate(clean):
        if keeper[i] == i:
            cluster = clean[clusters[i]].id
            result.kept.append(replace(row, meta={**row.meta, "document_cluster": cluster}))
        else:
            other = clean[keeper[i]]
            result.rejected.append(
                _rejected(row, _reason(row, other, texts[i], texts[keeper[i]]), f"keeps {other.id}")
            )
    return result


def _content(row: Example) -> str:
    """What a row is about: its useful documents, else all of them, else its answer."""
    useful = [d.text for d, u in zip(row.documents, row.useful) if u] or [d.text for d in row.documents]
    return "\n".join(useful) or f"{row.question}\n{row.answer}"


def _keepers(
    rows: Sequence[Example],
    texts: Sequence[str],
    clusters: Sequence[int],
    weights: Sequence[float],
    policy: DedupPolicy,
) -> list[int]:
    """Return for each row the position of the row that stands for it."""

    def worth(i: int) -> tuple[bool, bool, float, int]:
        """An explained answer first, then the copy that says most, then the earlier one."""
        return bool(rows[i].summary), bool(rows[i].evidence), weights[i], -i

    members: defaultdict[int, list[int]] = defaultdict(list)
    for i, cluster in enumerate(clusters):
        members[cluster].append(i)
    keeper = list(range(len(rows)))
    for group in members.values():
        for alike in _same_questions(rows, group, policy):
            best = max(alike, key=worth)
            for i in alike:
                keeper[i] = best
    return keeper


def _same_questions(rows: Sequence[Example], group: Sequence[int], policy: DedupPolicy) -> list[list[int]]:
    """Part the rows of one document group by what they ask. A chain of paraphrases hangs together by its first."""
    equal: dict[str, list[int]] = {}
    for i in group:
        equal.setdefault(canonical(rows[i].question), []).append(i)
    parts = list(equal.values())
    if policy.questions is None or len(parts) < 2:
        return parts
    read = [question_of(rows[part[0]].question) for part in parts[:MOST_COMPARED]]
    compared = [
        (x, y)
        for x, y in combinations(range(len(read)), 2)
        if _may_agree(rows[parts[x][0]], rows[parts[y][0]]) and not asks_otherwise(read[x], read[y])
    ]
    pairs = [(read[x].text, read[y].text) for x, y in compared]
    gone: set[int] = set()
    for (x, y), probability in zip(compared, policy.questions.probabilities(pairs)):
        if probability >= policy.same_from and x not in gone and y not in gone:
            parts[x] = parts[x] + parts[y]
            gone.add(y)
    return [p for i, p in enumerate(parts) if i not in gone]


def _may_agree(a: Example, b: Example) -> bool:
    """Whether two answers to questions on one document can be the same: questions that ask the same are answered so."""
    short, long = sorted((canonical(a.answer), canonical(b.answer)), key=len)
    return a.answerable == b.answerable and (short == long or (bool(short) and short in long))


def _reason(row: Example, other: Example, text: str, kept: str) -> str:
    if canonical(row.question) != canonical(other.question):
        return "same_question"
    return "exact_copy" if canonical(text) == canonical(kept) else "near_copy"


def _rejected(row: Example, reason: str, detail: str) -> Rejection:
    return Rejection("dedup", reason, detail, source=row.source, id=row.id)
