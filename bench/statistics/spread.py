"""Standard errors: the test examples and the training seeds, joined."""

from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, stdtr, stdtrit

from ..schema import Array
from .estimates import Estimate

NO_VARIANCE = 1e-16
"""A variance at rounding error: all examples hit, or none."""
MANY = 1e6
"""Degrees of freedom that are as good as infinite."""


class Spread(NamedTuple):
    """Total standard error of a mean over seeds and its degrees of freedom."""

    total: float
    df: float

    def quantile(self, probability: float) -> float:
        """Return the quantile of the t distribution."""
        return float(stdtrit(self.df, probability))

    def at_most(self, sure: float) -> float:
        """Return the upper confidence limit of the total: a sum of squares over its df."""
        return self.total * float(np.sqrt(self.df / chdtri(self.df, sure)))

    def tail(self, distance: float) -> float:
        """Return the probability beyond `distance` from 0 on one side."""
        if self.total == 0:
            return 0.5 if distance == 0 else float(distance < 0)
        return float(stdtr(self.df, -distance / self.total))


def spread(*parts: tuple[float, float]) -> Spread:
    """Add independent (variance, degrees of freedom) parts (Satterthwaite 1946).

    total² = Σ variance, df = total⁴ / Σ (variance² / df).
    """
    square = sum(variance for variance, _ in parts)
    doubt = sum(variance**2 / df for variance, df in parts)
    df = square**2 / doubt if doubt > 0 else MANY
    return Spread(float(np.sqrt(square)), float(np.clip(df, 1, MANY)))


def seeds_part(theta: Array) -> tuple[float, float]:
    """Return the variance of a mean over seeds and its df; with one seed nothing is known."""
    if len(theta) == 1:
        return 0.0, MANY
    return float(theta.var(ddof=1)) / len(theta), len(theta) - 1


def examples_variance(estimate: Estimate) -> float:
    """Return the bootstrap variance of the seed mean; of a rate never 0.

    Where all or no examples hit, the variance is that of (hits + 1) / (n + 2) (Agresti & Coull
    1998), so that an interval has a width.
    """
    variance = float(estimate.values[:, 1:].mean(axis=0).var(ddof=1))
    if estimate.family != "rate" or variance > NO_VARIANCE:
        return variance
    p = (estimate.theta.mean() * estimate.n + 1) / (estimate.n + 2)
    return float(p * (1 - p) / estimate.n)


def spread_of(estimate: Estimate) -> Spread:
    """Return the standard error of the seed mean: of examples and of seeds."""
    return spread((examples_variance(estimate), df_examples(estimate)), seeds_part(estimate.theta))


def df_examples(estimate: Estimate) -> float:
    """Return the degrees of freedom of the bootstrap variance."""
    return max(estimate.n - 1, 1)
