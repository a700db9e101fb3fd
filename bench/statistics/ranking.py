"""Areas under curves, each with its influence function, so that draws of them are linear sums."""

from typing import NamedTuple

import numpy as np

from ..schema import Array, Metric

ROC_AUC = Metric(
    better="higher",
    low=0,
    high=1,
    reference="Hanley & McNeil (1982), Radiology; variance by DeLong et al. (1988), Biometrics",
    definition=(
        "Chance that a positive is scored above a negative, ties half: binary p1; C>2 the mean "
        "over classes of one-vs-rest areas. Undefined where a class is absent."
    ),
)


class Area(NamedTuple):
    """An area under a curve and how each row moves it."""

    value: float
    influence: Array  # (n,), sums to 0
    n: int
    """Size of the smaller side: what its interval's effective sample size falls back on."""


def dense_rank(score: Array) -> Array:
    """Return each score's rank among the distinct scores, from 0."""
    return np.unique(score, return_inverse=True)[1]


def roc_area(rank: Array, positive: Array, negative: Array) -> Area:
    """Return the area between the rows of two masks (n,); NaN where either is empty.

    A positive's placement is the share of negatives below it; the area is the mean placement
    (DeLong et al. 1988).
    """
    n_positive, n_negative = int(positive.sum()), int(negative.sum())
    smaller = min(n_positive, n_negative)
    if smaller == 0:
        return Area(np.nan, np.zeros(len(rank)), 0)
    above = _share_below(rank, negative)[rank[positive]]
    below = 1 - _share_below(rank, positive)[rank[negative]]
    value = float(above.mean())
    influence = np.zeros(len(rank))
    influence[positive] += (above - value) / n_positive
    influence[negative] += (below - value) / n_negative
    return Area(value, influence, smaller)


def _share_below(rank: Array, rows: Array) -> Array:
    """Return, for every rank, the share of `rows` below it, ties half."""
    count = np.bincount(rank[rows], minlength=rank.max() + 1)
    return np.asarray((np.cumsum(count) - 0.5 * count) / rows.sum())


def macro_roc_area(ranks: Array, label: Array, rows: Array) -> Area:
    """Return the mean over classes of one-vs-rest areas among `rows`.

    Parameters
    ----------
    ranks
        (n, n_classes) dense ranks of each class's probability; (n, 1) of p1 for a binary task.
    label
        (n,) class index.
    rows
        (n,) mask.
    """
    classes = [1] if ranks.shape[1] == 1 else range(ranks.shape[1])
    areas = [
        roc_area(ranks[:, i], rows & (label == c), rows & (label != c))
        for i, c in enumerate(classes)
    ]
    value = float(np.mean([area.value for area in areas]))
    influence = np.mean([area.influence for area in areas], axis=0)
    return Area(value, influence, min(area.n for area in areas))


def precision_area(rank: Array, positive: Array) -> Area:
    """Return the average precision, the mean precision at each positive's score.

    Its influence is the derivative with respect to a row's weight: what the row adds as a
    positive, and what it takes from the precision at every lower score.
    """
    n_positive = int(positive.sum())
    if n_positive == 0:
        return Area(np.nan, np.zeros(len(rank)), 0)
    hits = np.bincount(rank[positive], minlength=rank.max() + 1)
    at_least = np.cumsum(np.bincount(rank)[::-1])[::-1]
    precision = np.cumsum(hits[::-1])[::-1] / at_least
    value = float((precision * hits).sum() / n_positive)
    gained = np.cumsum(hits / at_least)[rank]
    lost = np.cumsum(hits * precision / at_least)[rank]
    influence = (positive * (precision[rank] - value + gained) - lost) / n_positive
    return Area(value, influence, n_positive)
