"""MinHash signatures of Korean texts and the LSH index over them, on datasketch.

Comes in: texts. Goes out: keys of texts that probably share most of their character 5-grams. Character 5-grams over
the canonical form, since words carry particles: `한들시는` and `한들시가` share nothing as words. datasketch hashes
each shingle with SHA-1 in Python; here one numpy pass hashes all of them, and datasketch gets the numbers.
"""

from collections.abc import Hashable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
from datasketch import MinHash, MinHashLSH

from koqas.train.dedup.canonical import canonical

SHINGLE = 5  # characters
PERMUTATIONS = 128
# 32 bands of 4: a pair that shares half of its shingles is proposed 87 times in 100, one that shares .7, always. Pairs
# are then judged one by one (see `nearness`), so the index errs on the side of proposing.
BANDS = (32, 4)
SEED = 1
_POWERS = np.array([pow(0x9E3779B97F4A7C15, j, 1 << 64) for j in range(64)], dtype=np.uint64)


def shingle_hashes(form: str, size: int = SHINGLE) -> npt.NDArray[np.uint32]:
    """Return the distinct 32-bit hashes of the runs of `size` characters of a text; a shorter text is one run."""
    codes = np.frombuffer(form.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < size:
        codes = np.concatenate([codes, np.zeros(size - len(codes), dtype=np.uint64)])
    count = len(codes) - size + 1
    mixed = np.zeros(count, dtype=np.uint64)
    for j in range(size):
        mixed += codes[j : j + count] * _POWERS[j]  # wraps around modulo 2^64
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.unique((mixed >> np.uint64(32)).astype(np.uint32))


def signatures(texts: Iterable[str]) -> Iterator[MinHash]:
    """Yield the signature of each text."""
    shingles = (shingle_hashes(canonical(t)).tolist() for t in texts)
    yield from MinHash.generator(shingles, num_perm=PERMUTATIONS, seed=SEED, hashfunc=int)


def jaccard(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32]) -> float:
    """Return the share of common shingles among all of two sets, 0..1."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


def containment(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32]) -> float:
    """Return the share of the smaller set that the larger one holds, 0..1."""
    return len(np.intersect1d(a, b, assume_unique=True)) / min(len(a), len(b))


class NearIndex:
    """Texts by key; proposes, for a new text, the earlier ones that it may copy."""

    def __init__(self) -> None:
        self._index = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)

    def add(self, key: Hashable, signature: MinHash) -> list[Hashable]:
        """Return the keys proposed for a signature, then add it under its own."""
        proposed = self._index.query(signature)
        self._index.insert(key, signature)
        return sorted(proposed, key=str)
