"""Calibration bins: predicted probabilities against what was observed, summed by bin."""

import numpy as np

from ..schema import Array, Metric
from .grouping import Grouping
from .rates import ratio
from .sample import Table

BINS = 15
EDGES = np.linspace(0, 1, BINS + 1)
CORRECTION, MOST_BIAS = 0.76, 0.27
"""What is subtracted from an absolute residual near 0, and the bias that may remain after that.

Both in standard deviations of the residual.
"""
POSITIVE_CALIBRATION_ERROR = Metric(
    better="lower",
    low=0,
    high=1,
    reference="Guo et al. (2017), ICML, applied to the positive class",
    definition=(
        f"Binary: sum over {BINS} equal-width bins (lo, hi] of p1 of the bin's share times "
        "|mean p1 - share of positives|; about P(y=1 | p1), which sufficiency asks to be the same "
        "in every group."
    ),
)
CALIBRATION_IN_THE_LARGE = Metric(
    better="zero",
    low=-1,
    high=1,
    reference="Cox (1958), Biometrika; Van Calster et al. (2019), BMC Medicine",
    definition="Binary: mean p1 minus the share of positives; above 0 is overstated.",
)


def equal_width(p: Array) -> Array:
    """Return each probability's bin among `BINS` of (lo, hi]; 0 belongs to the first."""
    return np.searchsorted(EDGES[1:-1], p, side="left")


def equal_mass(p: Array, grouping: Grouping) -> Array:
    """Return each probability's bin among `BINS` of equal count in its group, ties together."""
    bins = np.zeros(len(p), dtype=np.int64)
    for index in range(grouping.size):
        rows = grouping.rows(index)
        if len(rows):
            edges = np.quantile(p[rows], EDGES[1:-1])
            bins[rows] = np.searchsorted(edges, p[rows], side="left")
    return bins


def binned(grouping: Grouping, bins: Array, predicted: Array, observed: Array) -> Table:
    """Return the (group × bin) table of predicted − observed, of observed, and of counts."""
    values = np.column_stack([predicted - observed, observed, np.ones(len(predicted))])
    return Table(grouping.code, bins, (grouping.size, BINS), values)


def residuals(grouping: Grouping, bins: Array, predicted: Array, observed: Array) -> Table:
    """Return the (group × bin) table of residuals alone."""
    return Table(grouping.code, bins, (grouping.size, BINS), (predicted - observed)[:, None])


def expected_error(sums: Array) -> Array:
    """Return sum over bins of share × |mean residual| (n_groups, draws)."""
    return ratio(np.abs(sums[:, :, 0]).sum(axis=1), sums[:, :, 2].sum(axis=1))


def sampling_bias(grouping: Grouping, bins: Array, predicted: Array, observed: Array) -> Array:
    """Return what sampling adds to each group's error, and how wrong that may be (n_groups, 2).

    A bin's residual r, normal about δ with deviation σ, has E|r| above |δ|, by 0.8σ where δ is 0.
    |r| − `CORRECTION` σ exp(−r²/2σ²) is within `MOST_BIAS` σ of |δ| on average whatever δ is; no
    |δ| can be estimated without bias (Cai & Low 2011, Annals of Statistics 39). Where |r| is far
    beyond 2σ there is no bias, and no doubt of it. σ² is the larger of Σ p (1 − p) over the
    predicted p and the variance of the observed: unlike a bootstrap's, it does not vanish in a
    bin of one example.
    """
    shape = (grouping.size, BINS)
    index = grouping.code * BINS + bins
    count, hits, residual, stated = (
        np.bincount(index, column, shape[0] * BINS).reshape(shape)
        for column in (
            np.ones(len(predicted)),
            observed,
            predicted - observed,
            predicted * (1 - predicted),
        )
    )
    share = (hits + 1) / (count + 2)
    deviation = np.sqrt(np.maximum(stated, count * share * (1 - share)))
    deviation = np.where(count > 0, deviation, 0)
    distance = ratio(np.abs(residual), deviation)
    correction = CORRECTION * deviation * np.exp(-(distance**2) / 2)
    doubt = MOST_BIAS * deviation * np.exp(-(np.maximum(distance - 2, 0) ** 2) / 2)
    both = np.nansum(np.stack([correction, doubt], axis=-1), axis=1)
    return ratio(both, np.broadcast_to(count.sum(axis=1, keepdims=True), both.shape))


def in_the_large(sums: Array) -> Array:
    """Return the mean residual (n_groups, draws)."""
    return ratio(sums[:, :, 0].sum(axis=1), sums[:, :, 2].sum(axis=1))


def debiased_error(sums: Array) -> Array:
    """Return the root of the debiased squared error, clipped at 0 (n_groups, draws).

    Each bin's squared mean residual less the variance that sampling adds to it,
    mean(1 − mean) / (n − 1) (Kumar, Liang & Ma 2019, NeurIPS, eq. 5); bins of one example count 0.
    """
    residual, observed, count = sums[:, :, 0], sums[:, :, 1], sums[:, :, 2]
    many = np.where(count > 1, count, np.nan)
    mean = observed / many
    square = (residual / many) ** 2 - mean * (1 - mean) / (many - 1)
    total = np.nansum(count * square, axis=1)
    return np.asarray(np.sqrt(np.maximum(ratio(total, count.sum(axis=1)), 0)))


def murphy(sums: Array) -> tuple[Array, Array, Array]:
    """Return reliability, resolution and uncertainty (n_groups, draws), Murphy (1973)."""
    residual, observed, count = sums[:, :, 0], sums[:, :, 1], sums[:, :, 2]
    n = count.sum(axis=1)
    base = ratio(observed.sum(axis=1), n)
    filled = np.where(count > 0, count, np.nan)
    reliability = np.nansum(residual**2 / filled, axis=1)
    resolution = np.nansum(count * (observed / filled - base[:, None]) ** 2, axis=1)
    return ratio(reliability, n), ratio(resolution, n), base * (1 - base)
