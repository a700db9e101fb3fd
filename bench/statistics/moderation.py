"""Moderated seed variances: what the strategies of one run say of each other's.

Three seeds know their variance badly, six strategies of three seeds know it together. How alike
the strategies' variances are is estimated as well: where they differ by more than three seeds
explain, each keeps more of its own (Smyth 2004, Statistical Applications in Genetics and Molecular
Biology 3, section 6.2; limma's `fitFDist` and `squeezeVar`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, polygamma

from .spread import MANY, Part

WORTH = 2.0
"""Times a strategy's own degrees of freedom that the others may be worth to it.

Few seeds cannot tell whether variances are alike. Without this bound six strategies of three seeds
made a false claim in 15 to 20 % of runs where the reference's seeds have two or three times the
effect of the others' and dominate, with it in 3 to 9 %; detectable effects grow by 3 to 10 %
(simulated, docs/uncertainty.md).
"""
_LEAST = 1e-5
"""Times the median: a smaller variance (a seed that changed nothing) is taken to be this."""


class Prior(NamedTuple):
    """What all strategies' seed variances of one number say of one strategy's."""

    variance: float
    df: float
    """Degrees of freedom that the others' variances are worth; infinite: all are alike."""
    most: float
    """Degrees of freedom that there are in all: nobody may claim more."""

    def moderated(self, variance: float, df: float) -> Part:
        """Return a strategy's variance of one seed after moderation, and its df."""
        others = min(self.df, WORTH * df)
        joined = (others * self.variance + df * variance) / (others + df)
        return joined, min(others + df, self.most)


def prior(variances: Sequence[float], dfs: Sequence[float]) -> Prior | None:
    """Return what variances between seeds, one a strategy, have in common; None: fewer than two.

    With z = ln s² and e = z − ψ(d/2) + ln(d/2), the variance of e beyond its expectation ψ′(d/2)
    is ψ′(d₀/2), and s₀² = exp(mean e + ψ(d₀/2) − ln(d₀/2)). Where nothing is beyond, all
    variances are taken to be one, and are averaged.

    Parameters
    ----------
    variances
        Of one seed, with `dfs` degrees of freedom each (seeds − 1).
    """
    s2, d = np.asarray(variances, dtype=np.float64), np.asarray(dfs, dtype=np.float64)
    if len(s2) < 2:  # noqa: PLR2004
        return None
    z = np.log(np.maximum(s2, _LEAST * np.median(s2) + 1e-300))
    e = z - digamma(d / 2) + np.log(d / 2)
    beyond = float(e.var(ddof=1) - polygamma(1, d / 2).mean())
    most = float(min(d.sum(), MANY))
    if beyond <= 1e-6:  # noqa: PLR2004
        return Prior(float(np.average(s2, weights=d)), np.inf, most)
    half = inverse_trigamma(beyond)
    return Prior(float(np.exp(e.mean() + digamma(half) - np.log(half))), 2 * half, most)


def inverse_trigamma(value: float) -> float:
    """Return y with ψ′(y) = value, by Newton's steps on 1/ψ′ (Smyth 2004, appendix)."""
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, y))
        y += step
        if -step / y < 1e-10:  # noqa: PLR2004
            break
    return y
