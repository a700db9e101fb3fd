"""The interval that covers, for each family of metrics.

Which form covers for which family was found by simulation: docs/uncertainty.md.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from ..schema import Array
from .estimates import Estimate
from .moderation import Prior
from .spread import MANY, Spread
from .summary import Summary, summary

LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % interval, and the corrected estimate where there is one."""

    low: float | None
    high: float | None
    corrected: float | None = None
    """Without the bias that a gap, error, ratio or worst group has."""
    systematic_low: float | None = None
    """Of a between-group number with several seeds: of that number of the mean rates."""
    systematic_high: float | None = None


NONE = Interval(None, None)


def interval(estimate: Estimate, bounds: tuple[float, float]) -> Interval:
    """Return the 95 % interval of the seed mean, within the metric's range `bounds`.

    The variance between seeds is that of this estimate's own seeds.
    """
    if estimate.family == "point" or not np.isfinite(estimate.theta).all():
        return NONE
    return interval_of(summary(estimate), bounds)


def interval_of(
    summary: Summary, bounds: tuple[float, float], shared: Prior | None = None
) -> Interval:
    """Return the interval of a summary, the variance between seeds moderated by `shared`."""
    if summary.inverted is not None:
        made = Interval(
            summary.inverted.low,
            summary.inverted.high,
            summary.inverted.value,
            summary.inverted.systematic_low,
            summary.inverted.systematic_high,
        )
    else:
        made = _FORMS[summary.family](summary, summary.spread(shared))
        if summary.parts and len(summary.theta) > 1:  # meant to cover both
            made = made._replace(systematic_low=made.low, systematic_high=made.high)
    return _within(made, summary.value, bounds)


def _within(made: Interval, value: float, bounds: tuple[float, float]) -> Interval:
    """Return an interval that holds the published value and stays in the metric's range."""
    low, high = made.low, made.high
    if low is not None and high is not None:
        made = made._replace(low=min(low, value), high=max(high, value))
    return Interval(*(None if end is None else float(np.clip(end, *bounds)) for end in made))


def _half(deviation: Spread) -> float:
    """Return the half-width of a two-sided interval."""
    return deviation.quantile(0.5 + LEVEL / 2) * deviation.total


def _mean(summary: Summary, deviation: Spread) -> Interval:
    half = _half(deviation)
    return Interval(summary.value - half, summary.value + half)


def _wilson(summary: Summary, deviation: Spread) -> Interval:
    """Wilson (1927) with the effective sample size p(1−p)/total²."""
    p = float(np.clip(summary.value, 0, 1))
    t = deviation.quantile(0.5 + LEVEL / 2)
    n = p * (1 - p) / deviation.total**2 if 0 < p < 1 else summary.n
    centre = (p + t**2 / 2 / n) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * np.sqrt(p * (1 - p) / n + t**2 / 4 / n**2)
    return Interval(centre - half, centre + half)


class Centre(NamedTuple):
    """What an estimate is without the bias of its family, and the bounds of that."""

    low: float
    value: float
    high: float


def centre(summary: Summary) -> Centre:
    """Return the estimate without what sampling adds to an error; others as they are.

    An error of bins brings its `sampling_bias`. Of another error the bootstrap, which adds its
    noise to that of the sample, sees √2 − 1 of the bias where the true deviations are 0: there it
    is 1 + √2 times what it sees, elsewhere less.
    """
    value = summary.value
    if summary.family != "error":
        return Centre(value, value, value)
    if summary.sampling_bias is None:
        seen = max(summary.bias, 0.0)
        return Centre(max(value - (1 + 2**0.5) * seen, 0.0), value - seen, value)
    added, doubt = summary.sampling_bias
    without = max(value - added, 0.0)
    return Centre(max(without - doubt, 0.0), without, min(without + doubt, value))


def _error(summary: Summary, deviation: Spread) -> Interval:
    """Lower end from the least that the error can be; upper end as it is, or from the most.

    An estimate without bias varies up to a third more than the error itself.
    """
    without, half = centre(summary), _half(deviation)
    high = min(summary.value + half, without.high + 4 / 3 * half)
    return Interval(without.low - half, high, without.value)


def _gap(summary: Summary, deviation: Spread) -> Interval:
    """Upper end as it is; lower end simultaneous over all signed contrasts of groups.

    A gap of errors is narrowed where the smallest error is biased most: there the upper end is
    that of the widest gap that the groups' bounds allow.
    """
    half = _half(deviation)
    contrasts = sum(len(kind) * (len(kind) - 1) for kind in summary.parts)
    low = max((_largest_difference(kind, contrasts) for kind in summary.parts), default=0.0)
    widest = max((_widest(kind) for kind in summary.parts), default=0.0)
    high = max(summary.value, widest, low - half) + half
    return Interval(max(low, 0.0), high, _corrected_gap(summary))


def _widest(kind: tuple[Summary, ...]) -> float:
    """Return the largest difference of groups that the bounds of their bias allow."""
    bounds = [centre(part) for part in kind]
    return max(b.high for b in bounds) - min(b.low for b in bounds)


def _corrected_gap(summary: Summary) -> float:
    """Return the gap less its bootstrap bias; of errors the gap of the errors without theirs."""
    if not any(part.sampling_bias is not None for kind in summary.parts for part in kind):
        return summary.value - summary.bias
    errors = [[centre(part).value for part in kind] for kind in summary.parts]
    return max(float(np.ptp(kind)) for kind in errors)


def _largest_difference(kind: tuple[Summary, ...], contrasts: int) -> float:
    """Return max over pairs of |difference| − t_{1−.05/contrasts}·its standard error."""
    least, _, most = np.array([centre(part) for part in kind]).T
    total, df = _pairwise(kind)
    first, second = np.triu_indices(len(kind), 1)
    distance = np.maximum(least[first] - most[second], least[second] - most[first])
    limit = distance - stdtrit(df, 1 - (1 - LEVEL) / max(contrasts, 1)) * total
    return float(limit.max(initial=0.0))


def _pairwise(kind: tuple[Summary, ...]) -> tuple[Array, Array]:
    """Return total standard error and df of the difference of every pair of groups."""
    theta = np.array([part.theta for part in kind])  # (n_groups, n_seeds)
    variance, df_part = np.array([part.examples for part in kind]).T
    first, second = np.triu_indices(len(kind), 1)
    examples = variance[first] + variance[second]
    n_seeds = theta.shape[1]
    seeds = np.zeros(len(first))
    if n_seeds > 1:
        seeds = (theta[first] - theta[second]).var(axis=1, ddof=1) / n_seeds
    doubt = seeds**2 / max(n_seeds - 1, 1)
    doubt = doubt + variance[first] ** 2 / df_part[first] + variance[second] ** 2 / df_part[second]
    square = np.maximum(examples + seeds, 1e-12)
    return np.sqrt(square), np.clip(square**2 / np.maximum(doubt, 1e-300), 1, MANY)


def _careful(part: Summary) -> Spread:
    """Return a group's uncertainty as a limit over several groups takes it: nothing comes off."""
    return part.spread()._replace(counted_twice=0.0)


def _worst(summary: Summary, deviation: Spread) -> Interval:
    """Lower end as it is; upper end the least of the groups' one-sided upper limits."""
    groups = [part for kind in summary.parts for part in kind]
    tail = 1 - (1 - LEVEL) / max(len(groups), 1)
    limits = ((part.value, _careful(part)) for part in groups)
    high = min((value + s.quantile(tail) * s.total for value, s in limits), default=1.0)
    return Interval(summary.value - _half(deviation), high, summary.value - summary.bias)


def _ratio(summary: Summary, deviation: Spread) -> Interval:
    """Lower end as it is; upper end the least simultaneous upper limit of a pair's ratio.

    The limit is on the log scale (delta method) with rates (hits + 1/2) / (n + 1).
    """
    contrasts = sum(len(kind) * (len(kind) - 1) for kind in summary.parts)
    high = min((_least_ratio(kind, contrasts) for kind in summary.parts), default=1.0)
    return Interval(summary.value - _half(deviation), high, summary.value - summary.bias)


def _least_ratio(kind: tuple[Summary, ...], contrasts: int) -> float:
    rate = np.array([(part.value * part.n + 0.5) / (part.n + 1) for part in kind])
    square = np.array([_careful(part).total for part in kind]) ** 2 / rate**2
    _, df = _pairwise(kind)
    first, second = np.triu_indices(len(kind), 1)
    distance = np.abs(np.log(rate[first] / rate[second]))
    t = stdtrit(df, 1 - (1 - LEVEL) / max(contrasts, 1))
    limit = distance - t * np.sqrt(square[first] + square[second])
    return float(np.exp(-limit.max(initial=0.0)))


_FORMS = {
    "mean": _mean,
    "rate": _wilson,
    "error": _error,
    "gap": _gap,
    "ratio": _ratio,
    "worst": _worst,
}
