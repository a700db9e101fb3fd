"""Estimates without their draws: all that an interval needs, small enough to keep of a whole run.

An interval of one strategy waits for the seed variances of all strategies (moderation.py), and the
draws of all strategies would not fit into memory.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..schema import Array
from .estimates import Estimate, Family, bias
from .hybrid import FEWEST_GROUPS, Inverted, deviation, inverted_gap, inverted_worst
from .moderation import Prior, prior
from .spread import Part, Spread, examples_in_seeds, seeds_part

NO_VARIANCE = 1e-16
"""A variance at rounding error: all examples hit, or none."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An estimate's numbers, and what they vary by."""

    family: Family
    theta: Array  # (n_seeds,)
    n: float
    """Independent examples that it rests on: of clusters their effective number."""
    examples: Part
    """Variance of the seed mean by the test examples, and its degrees of freedom."""
    counted_twice: float = 0.0
    """Part of the seeds' variance of the mean that `examples` holds too, if it is to come off."""
    bias: float = 0.0
    """Of the bootstrap: mean of the draws minus the estimate."""
    sampling_bias: Array | None = None  # (2,), mean over seeds of `Estimate.sampling_bias`
    parts: tuple[tuple["Summary", ...], ...] = ()
    inverted: Inverted | None = None
    """Bounds of a gap or worst group of three or more groups and several seeds."""

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(self.theta.mean())

    def spread(self, shared: Prior | None = None) -> Spread:
        """Return the uncertainty of the mean, with the seeds' variance moderated by `shared`."""
        variance, df = seeds_part(self.theta)
        if shared is not None and len(self.theta) > 1:
            number = len(self.theta)
            variance, df = shared.moderated(variance * number, df)
            variance /= number
        return Spread(self.examples[0], variance, df, self.examples[1], self.counted_twice)


def summary(estimate: Estimate) -> Summary:
    """Return the numbers of a defined estimate."""
    return Summary(
        family=estimate.family,
        theta=estimate.theta,
        n=estimate.independent,
        examples=(examples_variance(estimate), estimate.examples_df),
        counted_twice=_counted_twice(estimate),
        bias=bias(estimate),
        sampling_bias=None
        if estimate.sampling_bias is None
        else estimate.sampling_bias.mean(axis=0),
        parts=tuple(tuple(summary(part) for part in kind) for kind in estimate.parts),
        inverted=_inverted(estimate),
    )


def shared_variance(thetas: Iterable[Array]) -> Prior | None:
    """Return what the strategies' variances between seeds have in common.

    Parameters
    ----------
    thetas
        One number of each strategy, one entry a seed; who has one seed, or is undefined, has no
        say.
    """
    known = [theta for theta in thetas if len(theta) > 1 and np.isfinite(theta).all()]
    return prior([float(t.var(ddof=1)) for t in known], [len(t) - 1 for t in known])


def examples_variance(estimate: Estimate) -> float:
    """Return the bootstrap variance of the seed mean; of a rate never 0.

    Where all or no examples hit, the variance is that of (hits + 1) / (n + 2) (Agresti & Coull
    1998), so that an interval has a width.
    """
    variance = float(estimate.values[:, 1:].mean(axis=0).var(ddof=1))
    if estimate.family != "rate" or variance > NO_VARIANCE:
        return variance
    p = (estimate.theta.mean() * estimate.independent + 1) / (estimate.independent + 2)
    return float(p * (1 - p) / max(estimate.independent, 1))


def _counted_twice(estimate: Estimate) -> float:
    """Return what comes off the seeds' variance of the mean: of the rates of groups alone.

    Elsewhere it stays, which is careful: a whole test set is large, and there is little of it.
    """
    if estimate.family != "rate" or not estimate.group:
        return 0.0
    return examples_in_seeds(estimate.values) / len(estimate.values)


def _inverted(estimate: Estimate) -> Inverted | None:
    """Return the bounds of a gap or worst rate of several seeds and three or more groups."""
    rates = [part for kind in estimate.parts for part in kind]
    if len(estimate.theta) == 1 or any(part.family != "rate" for part in rates):
        return None
    if max((len(kind) for kind in estimate.parts), default=0) < FEWEST_GROUPS:
        return None
    if estimate.family == "gap":
        return inverted_gap(estimate.parts)
    if estimate.family == "error":  # made of groups: how much they deviate
        return inverted_gap(estimate.parts, deviation)
    return inverted_worst(rates) if estimate.family == "worst" else None
