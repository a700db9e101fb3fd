"""ROC and precision-recall curves of one class against the rest, with their draws."""

import numpy as np

from ..schema import Array
from .ranking import dense_rank
from .rates import keep_observed, ratio
from .sample import Sample, Table

GRID = np.linspace(0, 1, 21)
"""False positive rates of a ROC curve, recalls of a precision-recall curve."""
LEVELS = 200
"""Thresholds, of equally many examples: they move a curve by at most half a level."""


def class_curves(sample: Sample, score: Array, positive: Array) -> tuple[Array, Array]:
    """Return the ROC and the precision-recall curve, (GRID, 1 + replicates) each.

    True positive rates at the false positive rates of `GRID`, precisions at its recalls, linear
    between thresholds (Fawcett 2006, Pattern Recognition Letters 27; for precision that is
    optimistic by less than a level: Davis & Goadrich 2006, ICML). NaN where a class is absent,
    and the precision at recall 0.
    """
    level = _levels(score)
    cell = 2 * level + positive.astype(np.int64)
    n_levels = int(level.max()) + 1
    table = Table(np.zeros(sample.n, np.int64), cell, (1, 2 * n_levels))
    drawn = sample.bootstrap(table, lambda sums: _curves(sums[0, :, 0], n_levels))
    return keep_observed(drawn[0]), keep_observed(drawn[1])


def _levels(score: Array) -> Array:
    """Return each score's level, 0 the highest; equal scores share one."""
    rank = dense_rank(-score)
    edges = np.quantile(rank, np.linspace(0, 1, LEVELS + 1)[1:-1], method="lower")
    level = np.searchsorted(np.unique(edges), rank, side="left")
    return np.unique(level, return_inverse=True)[1]


def _curves(counts: Array, n_levels: int) -> Array:
    """Return both curves (2, GRID, draws) from counts (2 * n_levels, draws)."""
    by_level = counts.reshape(n_levels, 2, -1)
    zero = np.zeros((1, by_level.shape[2]))
    wrong, hits = (np.concatenate([zero, by_level[:, c].cumsum(axis=0)]) for c in (0, 1))
    false, true = (ratio(c, np.broadcast_to(c[-1], c.shape)) for c in (wrong, hits))
    precision = ratio(hits, hits + wrong)
    precision[0] = precision[1]
    roc, recall = _at(GRID, false, true), _at(GRID, true, precision)
    recall[0] = np.nan  # nothing is selected there
    return np.stack([roc, recall])


def _at(grid: Array, x: Array, y: Array) -> Array:
    """Return y at each x of a grid, (grid, draws); x (levels, draws) never falls.

    Of several y at one x the last, which is the curve's upper end there.
    """
    out = np.full((len(grid), x.shape[1]), np.nan)
    known = np.isfinite(x[-1])
    for row, wanted in enumerate(grid):
        after = (x <= wanted + 1e-12).sum(axis=0)  # first level beyond
        right = np.minimum(after, len(x) - 1)
        left = np.maximum(after - 1, 0)
        columns = np.arange(x.shape[1])
        width = x[right, columns] - x[left, columns]
        share = np.divide(
            wanted - x[left, columns], width, out=np.zeros(len(width)), where=width > 0
        )
        value = y[left, columns] + share * (y[right, columns] - y[left, columns])
        out[row, known] = value[known]
    return out
