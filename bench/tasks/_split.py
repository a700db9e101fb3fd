"""Assign clusters of near-duplicates to train, validation and test, whole and in proportion."""

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from ..schema import Array

_LARGEST_EVALUATED = 5  # rows; a larger cluster is one formula, and would fill a stratum

_OTHERS = {
    "train": ("test", "validation"),
    "validation": ("train", "test"),
    "test": ("train", "validation"),
}


def by_cluster(
    identities: Sequence[str], cluster: Array, stratum: Sequence[Hashable], *, salt: str
) -> Array:
    """Assign rows to "train", "validation" and "test", 70 : 10 : 20 in each stratum; (n,) str.

    A cluster goes to one side as a whole, under the stratum of its smallest identity; clusters of
    more than 5 rows stay in train. Within a stratum clusters fill test, then validation, in the
    order of sha256(salt | smallest identity): the split depends on the texts, not on their order.
    """
    head = _heads(identities, cluster)
    size, rows = Counter(cluster.tolist()), Counter(stratum)
    queues: dict[Hashable, list[tuple[str, int]]] = {name: [] for name in rows}
    for number, row in head.items():
        if size[number] <= _LARGEST_EVALUATED:
            rank = hashlib.sha256(f"{salt}|{identities[row]}".encode()).hexdigest()
            queues[stratum[row]].append((rank, number))
    side: dict[int, str] = {}
    for name, queue in queues.items():
        assigned = 0
        for _, number in sorted(queue):
            side[number] = _side(assigned, rows[name])
            assigned += size[number]
    return np.array([side.get(number, "train") for number in cluster.tolist()], "<U10")


def with_every_class(
    split: Array, cluster: Array, label: Array, identities: Sequence[str], *, salt: str
) -> Array:
    """Return the split with an example of every class on every side, where there are enough.

    Strata smaller than ten rows round to nothing on a side. A side that lacks a class gets one
    cluster of it, the first by its hash, from the side that has most of them and keeps some; a
    split that lacks nothing stays as it is.
    """
    split = split.copy()
    small = np.bincount(cluster, minlength=cluster.max() + 1)[cluster] <= _LARGEST_EVALUATED
    for place in np.unique(label):
        for side in ("test", "validation", "train"):
            own = label == place
            if (own & (split == side)).any():
                continue
            clusters = {s: np.unique(cluster[own & small & (split == s)]) for s in _OTHERS[side]}
            donor = max(clusters, key=lambda s: len(clusters[s]))
            if len(clusters[donor]) > 1:
                first = min(
                    clusters[donor].tolist(),
                    key=lambda number: _rank(salt, identities, cluster == number),
                )
                split[cluster == first] = side
    return split


def _rank(salt: str, identities: Sequence[str], rows: Array) -> str:
    smallest = min(identities[row] for row in np.flatnonzero(rows).tolist())
    return hashlib.sha256(f"{salt}|{smallest}".encode()).hexdigest()


def _heads(identities: Sequence[str], cluster: Array) -> dict[int, int]:
    """Return the row of the smallest identity of each cluster."""
    head: dict[int, int] = {}
    for row, number in enumerate(cluster.tolist()):
        if number not in head or identities[row] < identities[head[number]]:
            head[number] = row
    return head


def _side(assigned: int, rows: int) -> str:
    """Return which side is being filled after `assigned` of a stratum's rows."""
    if assigned < 0.2 * rows:
        return "test"
    return "validation" if assigned < 0.2 * rows + 0.1 * rows else "train"
