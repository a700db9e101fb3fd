"""Which texts are copies of one another, near enough that a split must not separate them."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..schema import Array

_CHUNK = 2000  # rows compared with all others at once: bounds the memory
_FEWEST_TRIGRAMS = 8  # of a text that may count as contained in another


class _Sets(NamedTuple):
    """Rows as sets of features, the rarest feature first."""

    member: sp.csr_array  # (n, n_features) of ones
    size: Array  # (n,) int64


def identity(text: str) -> str:
    """Return what makes two texts the same: words in lower case, and whether something is asked.

    The question mark stays: a statement and the same words as a question may differ in label.
    """
    words = re.sub(r"(?:[^\w?]|_)+", " ", text.lower())
    return re.sub(r"\s*\?+", " ?", words).strip()


def clusters(identities: Sequence[str]) -> Array:
    """Return the near-duplicate cluster of each text, given by its `identity`; (n,) int64.

    Two texts are near-duplicates when their word sets have a Jaccard index of at least 0.6, or
    their word-trigram sets one of at least 0.4, or when at least 0.8 of the smaller trigram set
    (of at least 8) lies in the larger; a cluster is a connected component. Exact (integers only),
    whatever the order of the rows. Texts without spaces between words are one word each, so only
    their copies are found. Memory grows with the number of pairs found, not with n².
    """
    tokens = [text.replace("?", " ").split() for text in identities]
    words = _sets(tokens)
    trigrams = _sets(zip(t, t[1:], t[2:], strict=False) for t in tokens)
    pairs = [_similar_words(words), _similar_trigrams(trigrams)]
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    shape = (len(tokens), len(tokens))
    graph = sp.coo_array((np.ones(len(left), np.int8), (left, right)), shape=shape)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _sets(rows: Iterable[Iterable[Hashable]]) -> _Sets:
    vocabulary: dict[Hashable, int] = {}
    ids = [
        [vocabulary.setdefault(feature, len(vocabulary)) for feature in dict.fromkeys(row)]
        for row in rows
    ]
    size = np.array([len(row) for row in ids], np.int64)
    feature = np.fromiter((f for row in ids for f in row), np.int64, int(size.sum()))
    frequency = np.bincount(feature, minlength=len(vocabulary))
    rank = np.empty(len(vocabulary), np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(len(vocabulary))
    start = np.concatenate([[0], np.cumsum(size)])
    ones = np.ones(len(feature), np.int32)
    member = sp.csr_array((ones, rank[feature], start), shape=(len(ids), len(vocabulary)))
    member.sort_indices()
    return _Sets(member, size)


def _similar_words(words: _Sets) -> tuple[Array, Array]:
    prefix = _prefix(words, tenths=6)
    return _select(words, prefix, prefix, lambda both, a, b: 10 * both >= 6 * (a + b - both))


def _similar_trigrams(trigrams: _Sets) -> tuple[Array, Array]:
    def similar(both: Array, a: Array, b: Array) -> Array:
        smaller = np.minimum(a, b)
        contained = (10 * both >= 8 * smaller) & (smaller >= _FEWEST_TRIGRAMS)
        near: Array = (10 * both >= 4 * (a + b - both)) | contained
        return near

    return _select(trigrams, _prefix(trigrams, tenths=4), trigrams.member, similar)


def _prefix(sets: _Sets, *, tenths: int) -> sp.csr_array:
    """Keep of each row so many of its rarest features that a match must share one of them.

    A set that shares at least k of a row's m features misses at most m - k, so it holds one of
    any m - k + 1 (prefix filtering: Chaudhuri, Ganti & Kaushik 2006).
    """
    prefix = np.minimum(sets.size, sets.size - (tenths * sets.size + 9) // 10 + 1)
    place = np.arange(sets.member.nnz) - np.repeat(sets.member.indptr[:-1], sets.size)
    chosen = place < np.repeat(prefix, sets.size)
    start = np.concatenate([[0], np.cumsum(prefix)])
    rows = (sets.member.data[chosen], sets.member.indices[chosen], start)
    return sp.csr_array(rows, shape=sets.member.shape)


def _select(
    sets: _Sets,
    sought: sp.csr_array,
    held: sp.csr_array,
    similar: Callable[[Array, Array, Array], Array],
) -> tuple[Array, Array]:
    """Return the pairs of rows that are `similar(shared, size, size)`.

    Candidates share one of the kept features. They share at most as many of the others as the
    row whose kept features end first has left, which rules most of them out before their sets
    are compared (Xiao et al. 2008).
    """
    left_of, left_in = (sets.size - np.diff(prefix.indptr) for prefix in (sought, held))
    pairs: list[tuple[Array, Array]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, len(sets.size), _CHUNK):
        candidates = (sought[start : start + _CHUNK] @ held.T).tocoo()
        one, two = candidates.row.astype(np.int64) + start, candidates.col.astype(np.int64)
        most = candidates.data + np.maximum(left_of[one], left_in[two])
        most = np.minimum(most, np.minimum(sets.size[one], sets.size[two]))
        possible = (one != two) & similar(most, sets.size[one], sets.size[two])
        one, two = one[possible], two[possible]
        both = np.asarray(sets.member[one].multiply(sets.member[two]).sum(axis=1))
        chosen = similar(both, sets.size[one], sets.size[two])
        pairs.append((one[chosen], two[chosen]))
    ones, twos = zip(*pairs, strict=True)
    return np.concatenate(ones), np.concatenate(twos)
