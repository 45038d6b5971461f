"""Group documents that say the same: exact copies by their canonical form, near copies by index and judge.

Comes in: texts. Goes out: for each the number of its group. Groups are numbered by their first member.
"""

from collections.abc import Sequence
from functools import lru_cache

from koqas.train.dedup.canonical import canonical
from koqas.train.dedup.fingerprints import NearIndex, signatures
from koqas.train.dedup.nearness import Statement, judge, statement_of

MOST_JUDGED = (
    20  # proposals judged for one text, the oldest first; a template filled a thousand times proposes as many
)


def clusters_of(texts: Sequence[str], *, near: bool = True) -> list[int]:
    """Return for each text the position of the first text of its group.

    Args:
        texts (`Sequence[str]`): Cleaned texts.
        near (`bool`): Whether near copies count; else only those equal in canonical form.
    """
    first: dict[str, int] = {}
    groups = [first.setdefault(canonical(text), i) for i, text in enumerate(texts)]
    if not near:
        return groups
    distinct = sorted(set(groups))
    index = NearIndex()

    @lru_cache(maxsize=50_000)
    def read(position: int) -> Statement:
        return statement_of(texts[position])

    joined: dict[int, int] = {}
    for position, signature in zip(distinct, signatures(texts[i] for i in distinct)):
        joined[position] = position
        proposed = sorted(int(str(key)) for key in index.add(position, signature))
        # One judgement a group: members of a group are compared through its first.
        for other in dict.fromkeys(joined[p] for p in proposed[:MOST_JUDGED]):
            if judge(read(other), read(position)).duplicate:
                joined[position] = other
                break
    return [joined[g] for g in groups]
