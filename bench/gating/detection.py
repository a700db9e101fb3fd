"""Which losses a gate would detect, and with what probability."""

from functools import cache

import numpy as np
from scipy.special import chdtri, ndtr

from ..schema import Array
from .losses import Noise

WANTED = 0.8
"""Chance at which a loss counts as detectable."""
_SHARES = (np.arange(20) + 0.5) / 20


def chance(noise: Noise, loss: float | Array, tolerance: float, level: float) -> Array:
    """Return the chance that a true loss fails: significant at `level` and beyond `tolerance`.

    The estimated loss is normal about the true one; the error and the degrees of freedom that the
    test estimates vary with the χ² of the seeds, over whose quantiles it is averaged.

    Parameters
    ----------
    noise
        Of the estimated loss.
    loss
        True losses, any shape.
    tolerance
        What the rule allows.
    level
        One-sided level left to this rule after Holm's correction.
    """
    return _beyond(_bar(noise, tolerance, level), noise.true_total, np.asarray(loss))


def _beyond(bar: Array, total: float, loss: Array) -> Array:
    size = loss.astype(np.float64)[..., None]
    share = np.asarray(size > bar if total == 0 else ndtr((size - bar) / total))
    return np.asarray(share.mean(axis=-1))


def _bar(noise: Noise, tolerance: float, level: float) -> Array:
    """Return what an estimated loss must exceed, for quantiles of the seeds' χ²."""
    return np.asarray(np.maximum(_critical(noise, level), tolerance))


def _critical(noise: Noise, level: float) -> Array:
    """Return the loss that is significant, for quantiles of the χ² of the seeds' variance."""
    spread = noise.spread()
    if spread.seeds == 0:
        return np.full(1, spread.quantile(1 - level) * spread.total)
    return spread.distances(spread.seeds * _factors(spread.seeds_df), level)


@cache
def _factors(df: float) -> Array:
    """Return by what an estimated variance is off, for quantiles of its χ²."""
    return np.asarray(chdtri(df, 1 - _SHARES) / df)


def smallest(noise: Noise, tolerance: float, level: float, wanted: float = WANTED) -> float:
    """Return the smallest loss that is caught with the chance `wanted`."""
    bar, total = _bar(noise, tolerance, level), noise.true_total
    low, high = 0.0, 2 * float(bar.max()) + 1e-9
    while _beyond(bar, total, np.asarray(high)) < wanted:
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        enough = _beyond(bar, total, np.asarray(middle)) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high
