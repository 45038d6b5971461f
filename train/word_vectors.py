"""Vectors of word pieces from how often they stand near each other in the corpora.

The truncated singular value decomposition of positive pointwise mutual information, with the context counts smoothed
(Levy, Goldberg and Dagan 2015, "Improving distributional similarity with lessons learned from word embeddings"). On
20 million tokens it gives far better neighbours than the input embeddings of a language model trained on as many.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from tokenizers import Tokenizer
from tqdm import tqdm

from koqas.koqas_words import WordVectors

SMOOTHING = 0.75  # exponent of the context counts
AT_ONCE = 4000  # texts counted together


def cooccurrences(texts: Sequence[str], tokenizer: Tokenizer, window: int) -> np.ndarray:
    """Count pairs of tokens at most `window` apart, a pair at distance d as 1/d.

    Returns:
        `np.ndarray`: Float32 `(vocabulary, vocabulary)`, symmetric.
    """
    size = tokenizer.get_vocab_size()
    counts = np.zeros((size, size), dtype=np.float32)
    for start in tqdm(range(0, len(texts), AT_ONCE), desc="co-occurrences"):
        encoded = tokenizer.encode_batch(texts[start : start + AT_ONCE], add_special_tokens=False)
        row = np.concatenate([np.array(e.ids + [-1] * window, dtype=np.int64) for e in encoded])
        for step in range(1, window + 1):
            left, right = row[:-step], row[step:]
            within = (left >= 0) & (right >= 0)  # -1 separates texts
            values = np.full(int(within.sum()), 1.0 / step, dtype=np.float32)
            found = sparse.coo_matrix((values, (left[within], right[within])), shape=(size, size))
            found.sum_duplicates()
            counts[found.row, found.col] += found.data
    return counts + counts.T


def pmi_vectors(
    texts: Sequence[str], tokenizer: Tokenizer, dimensions: int, seed: int, window: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Return a vector for every token of the vocabulary, and which tokens occur at all.

    Args:
        texts (`Sequence[str]`): The corpus.
        tokenizer (`Tokenizer`): Cuts it.
        dimensions (`int`): Singular vectors kept, weighted with the root of their singular values.
        seed (`int`): Seed of the randomized decomposition.
        window (`int`): Tokens on each side that count as near.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: Float32 `(vocabulary, dimensions)` of length one, and bool `(vocabulary,)`.
    """
    counts = cooccurrences(texts, tokenizer, window)
    marginal = counts.sum(1)
    contexts = marginal**SMOOTHING / (marginal**SMOOTHING).sum()
    for row, total in zip(counts, marginal, strict=True):  # in place: the matrix is large
        seen = row > 0
        row[seen] = np.maximum(np.log(row[seen] / (total * contexts[seen])), 0)
    left, values, _ = randomized_svd(counts, dimensions, n_iter=3, random_state=seed)
    vectors = left * np.sqrt(values)
    occurs = marginal > 0
    vectors = vectors - vectors[occurs].mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-6
    return vectors.astype(np.float32), occurs


def piece_vectors(texts: Sequence[str], tokenizer: Tokenizer, dimensions: int, seed: int) -> WordVectors:
    """Return word vectors for the tokens that are text and occur; see `pmi_vectors`."""
    vectors, occurs = pmi_vectors(texts, tokenizer, dimensions, seed)
    special = {t.content for t in tokenizer.get_added_tokens_decoder().values()}
    kept = {
        piece: number
        for piece, number in tokenizer.get_vocab().items()
        if occurs[number] and piece not in special and "\n" not in piece
    }
    table = vectors[list(kept.values())]
    # Rounded to bfloat16 as in the file, so that training sees what serving will.
    rounded = (table.view(np.uint32) + 0x8000) & np.uint32(0xFFFF0000)
    return WordVectors(list(kept), rounded.view(np.float32))
