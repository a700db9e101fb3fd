"""Standard errors: of the test examples and of the training seeds, and the tests made of them.

The variance of the examples is known well (from hundreds of examples), that of the seeds badly
(from three seeds, say). A test that treats both alike, as Satterthwaite's does, is wrong in the
tails that Holm's correction reads: with three seeds it errs 3 times as often as promised at .0125
and 11 times at .0017. So the seeds' variance is averaged over what it may be: given s² with d
degrees of freedom, the true variance is s²/c with c distributed as χ²_d / d (Fisher's fiducial
argument). A tail is the mean over c of the normal tail with variance V + s²/c; an interval is
where that tail is 2.5 %.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, ndtr, stdtr, stdtrit

from ..schema import Array

MANY = 1e6
"""Degrees of freedom that are as good as infinite."""
Part = tuple[float, float]
"""A variance and its degrees of freedom."""
_NODES = 128
"""Points at which the integral over the seeds' variance is evaluated."""
_PRECISE, _MOST_STEPS = 1e-5, 12
"""Relative error of a tail at which the search by secants ends, and after how many steps."""
_FAR, _HALVINGS = 30.0, 60
"""Logarithm of the largest distance in standard errors, and how often it is halved."""


class Spread(NamedTuple):
    """Uncertainty of a mean over seeds: variances of the mean and their degrees of freedom."""

    examples: float
    """Variance by the test examples."""
    seeds: float = 0.0
    """Variance by the training seeds, as estimated; 0 where nothing is known of it."""
    seeds_df: float = MANY
    examples_df: float = MANY
    counted_twice: float = 0.0
    """The part of `seeds` that `examples` holds already, where it is to be taken off."""

    @property
    def total(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.examples + max(self.seeds - self.counted_twice, 0.0)))

    @property
    def df(self) -> float:
        """Degrees of freedom of the whole (Satterthwaite 1946): a description, used by no test."""
        square = self.total**2
        doubt = self.examples**2 / self.examples_df + self.seeds**2 / self.seeds_df
        return float(np.clip(square**2 / doubt, 1, MANY)) if doubt > 0 else MANY

    def tail(self, distance: float) -> float:
        """Return the probability beyond `distance` from 0 on one side."""
        if self.seeds == 0:
            if self.examples == 0:
                return 0.5 if distance == 0 else float(distance < 0)
            return float(stdtr(self.examples_df, -distance / self.examples**0.5))
        return float(_tails(self, np.array([distance]), np.array([self.seeds]))[0])

    def quantile(self, probability: float) -> float:
        """Return how many standard errors from 0 the probability below is this (0 to 1)."""
        if self.seeds == 0 or self.total == 0 or not np.isfinite(self.total):
            return float(stdtrit(self.examples_df, probability))
        if probability <= 0.5:  # noqa: PLR2004
            return -self.quantile(1 - probability) if probability < 0.5 else 0.0  # noqa: PLR2004
        return float(self.distances(np.array([self.seeds]), 1 - probability)[0]) / self.total

    def distances(self, seeds: Array, tail: float) -> Array:
        """Return the distances beyond which lies `tail` (below .5), one for each seeds' variance.

        By secants of the logarithms.
        """
        near = float(stdtrit(self.df, 1 - tail)) * np.sqrt(self.examples + seeds)
        far = 1.2 * near
        log_near, log_far = (_log_ratio(_tails(self, x, seeds), tail) for x in (near, far))
        for _ in range(_MOST_STEPS):
            slope = log_far - log_near
            step = np.divide(log_far, slope, out=np.zeros_like(slope), where=slope != 0)
            times = (far / near) ** -np.clip(step, -20, 20)
            near, log_near = far, log_far
            far = far * times.clip(1e-3, 1e3)
            log_far = _log_ratio(_tails(self, far, seeds), tail)
            if np.abs(log_far).max() <= _PRECISE:
                return np.asarray(far)
        return self._halved(seeds, tail)

    def _halved(self, seeds: Array, tail: float) -> Array:
        """Return what `distances` does by halving: where secants do not find it."""
        low = np.log(np.sqrt(self.examples + seeds)) - _FAR
        high = low + 2 * _FAR
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            beyond = _tails(self, np.exp(middle), seeds) > tail
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return np.asarray(np.exp(high))

    def at_most(self, sure: float) -> float:
        """Return the upper confidence limit of the total: only the seeds' variance is in doubt."""
        factor = self.seeds_df / chdtri(self.seeds_df, sure) if self.seeds_df < MANY else 1.0
        return float(np.sqrt(self.examples + max(self.seeds * factor - self.counted_twice, 0.0)))


def _tails(known: Spread, distance: Array, seeds: Array) -> Array:
    """Return the tail beyond each distance for each of the seeds' variances (m,)."""
    share, weight = _shares(known.seeds_df)
    variance = known.examples + np.maximum(seeds[:, None] / share - known.counted_twice, 0)
    deviate = distance[:, None] / np.sqrt(np.maximum(variance, 1e-300))
    if known.examples > 0 and known.examples_df < MANY:
        deviate = _as_normal(deviate, known.examples_df * (variance / known.examples) ** 2)
    return np.asarray(ndtr(-deviate) @ weight)


def _log_ratio(tails: Array, wanted: float) -> Array:
    return np.asarray(np.log(np.maximum(tails, 1e-300) / wanted))


@lru_cache(maxsize=8192)
def _shares(df: float) -> tuple[Array, Array]:
    """Return values of χ²_df / df and their probabilities: a trapezium rule on the logarithm.

    The density of the logarithm u is proportional to exp(df/2 · (u − exp(u))); outside of the
    points it is below 1e-10 of its peak.
    """
    reach = 10 / np.sqrt(df) + 50 / df
    u = np.linspace(-reach, np.log1p(reach), _NODES)
    weight = np.exp(df / 2 * (u - np.exp(u) + 1))
    return np.exp(u), weight / weight.sum()


def _as_normal(deviate: Array, df: Array) -> Array:
    """Return the normal deviate with the tail of a t deviate (Wallace 1959, within 0.02)."""
    size = np.sqrt(df * np.log1p(deviate**2 / df)) * (8 * df + 1) / (8 * df + 3)
    return np.asarray(np.copysign(size, deviate))


def spread(examples: Part, *seeds: Part) -> Spread:
    """Join the examples' part with independent parts of seeds.

    Parts of seeds add; the degrees of freedom of their sum are Welch's (Satterthwaite 1946).
    """
    known = [(variance, df) for variance, df in seeds if variance > 0]
    square = sum(variance for variance, _ in known)
    doubt = sum(variance**2 / df for variance, df in known)
    df = float(np.clip(square**2 / doubt, 1, MANY)) if doubt > 0 else MANY
    return Spread(examples[0], square, df, examples[1])


def seeds_part(theta: Array) -> Part:
    """Return the variance of a mean over seeds and its df; with one seed nothing is known."""
    if len(theta) == 1:
        return 0.0, MANY
    return float(theta.var(ddof=1)) / len(theta), len(theta) - 1


def examples_in_seeds(values: Array) -> float:
    """Return the part of the variance between seeds that the test examples explain.

    Models differ in which examples they miss. Of K seeds with bootstrap variances V_k, and V of
    their mean: K/(K − 1) · (mean V_k − V).

    Parameters
    ----------
    values
        (n_seeds, 1 + replicates), as `Estimate.values`; without draws nothing is explained.
    """
    number, columns = values.shape
    if number == 1 or columns <= 2:  # noqa: PLR2004
        return 0.0
    each = values[:, 1:].var(axis=1, ddof=1).mean()
    joint = values[:, 1:].mean(axis=0).var(ddof=1)
    return float(max(number / (number - 1) * (each - joint), 0.0))
