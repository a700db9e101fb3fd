"""Test examples that are not independent: which are of one author, template or thread.

Twenty comments of one author say less than twenty comments of twenty authors. Draws then go by
whole clusters (Cameron & Miller 2015, Journal of Human Resources 50, section III).
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..schema import Array, BadInputError, Predictions


class Clusters:
    """Which examples belong together."""

    def __init__(self, names: Array) -> None:
        """Give each cluster a number; an example without a name is a cluster of its own.

        Raises
        ------
        BadInputError
            All examples are of one cluster: nothing can be said about another.
        """
        names = np.asarray(names)
        known, code = np.unique(names, return_inverse=True)
        alone = names == ""
        code = code.astype(np.int64)
        code[alone] = len(known) + np.arange(alone.sum())
        self.code: Array = np.unique(code, return_inverse=True)[1]
        """(n,) int64."""
        self.number = int(self.code.max()) + 1
        if self.number == 1 and len(names) > 1:
            raise BadInputError(
                f"cluster {str(names[0])!r}: all {len(names):,} test examples are in it, so "
                "nothing shows how clusters differ; name another column, or none"
            )

    @cached_property
    def size(self) -> Array:
        """Number of examples of each cluster."""
        return np.bincount(self.code)

    def effective(self, stratum: Array, n_strata: int) -> Array:
        """Return how many equally large clusters each stratum is worth: (Σ m)² / Σ m².

        m is the number of the stratum's examples in each cluster (Kish 1965, Survey Sampling,
        section 8.2). It is the effective number of examples if those of a cluster were all alike.

        Parameters
        ----------
        stratum
            (n,) int64; -1: in none.
        """
        rows = stratum >= 0
        pair = stratum[rows] * self.number + self.code[rows]
        joint, count = np.unique(pair, return_counts=True)
        of = joint // self.number
        square = np.bincount(of, count.astype(np.float64) ** 2, n_strata)
        total = np.bincount(of, count, n_strata)
        return np.asarray(total**2 / np.maximum(square, 1))


def clusters_of(tables: Sequence[Predictions]) -> Clusters | None:
    """Return the clusters of the examples that all tables share; None: all are independent.

    A table without clusters does not say that there are none.

    Raises
    ------
    BadInputError
        Two tables disagree, or all examples are of one cluster.
    """
    known = [table.cluster for table in tables if table.cluster is not None]
    if not known:
        return None
    if any(not np.array_equal(known[0], other) for other in known[1:]):
        raise BadInputError(
            "the cluster differs on the same examples; name one column of the same data"
        )
    clusters = Clusters(known[0])
    return clusters if clusters.number < len(clusters.code) else None
