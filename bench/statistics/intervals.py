"""The interval that covers, for each family of metrics.

Which form covers for which family was found by simulation: docs/uncertainty.md.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from ..schema import Array
from .estimates import Estimate, bias
from .spread import MANY, df_examples, examples_variance, spread_of

LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % interval, and the bias-corrected estimate where there is one."""

    low: float | None
    high: float | None
    corrected: float | None = None


def interval(estimate: Estimate, bounds: tuple[float, float]) -> Interval:
    """Return the 95 % interval of the seed mean, within the metric's range `bounds`."""
    if estimate.family == "point" or not np.isfinite(estimate.theta).all():
        return Interval(None, None)
    low, high, corrected = _FORMS[estimate.family](estimate)
    value = float(estimate.theta.mean())
    if corrected is not None:
        corrected = float(np.clip(corrected, *bounds))
    low, high = (float(np.clip(end, *bounds)) for end in (min(low, value), max(high, value)))
    return Interval(low, high, corrected)


def _plain(estimate: Estimate) -> tuple[float, float, None]:
    deviation = spread_of(estimate)
    half = deviation.quantile(0.5 + LEVEL / 2) * deviation.total
    return estimate.theta.mean() - half, estimate.theta.mean() + half, None


def _wilson(estimate: Estimate) -> tuple[float, float, None]:
    """Wilson (1927) with the effective sample size p(1−p)/total²."""
    p, deviation = float(np.clip(estimate.theta.mean(), 0, 1)), spread_of(estimate)
    t = deviation.quantile(0.5 + LEVEL / 2)
    n = p * (1 - p) / deviation.total**2 if 0 < p < 1 else float(estimate.n)
    centre = (p + t**2 / 2 / n) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * np.sqrt(p * (1 - p) / n + t**2 / 4 / n**2)
    return centre - half, centre + half, None


class Centre(NamedTuple):
    """What an estimate is without the bias of its family, and the bounds of that."""

    low: float
    value: float
    high: float


def centre(estimate: Estimate) -> Centre:
    """Return the estimate without what sampling lifts an error by; others as they are.

    An error of bins brings its `lift`. Of another error the bootstrap, which adds its noise to
    that of the sample, sees √2 − 1 of the bias where the true deviations are 0: there it is
    1 + √2 times what it sees, elsewhere less.
    """
    theta = float(estimate.theta.mean())
    if estimate.family != "error":
        return Centre(theta, theta, theta)
    if estimate.lift is None:
        lifted = max(bias(estimate), 0.0)
        return Centre(max(theta - (1 + 2**0.5) * lifted, 0.0), theta - lifted, theta)
    lifted, doubt = estimate.lift.mean(axis=0)
    without = max(theta - lifted, 0.0)
    return Centre(max(without - doubt, 0.0), without, min(without + doubt, theta))


def _error(estimate: Estimate) -> tuple[float, float, float]:
    """Lower end from the least that the error can be; upper end as it is, or from the most.

    An estimate without bias varies up to a third more than the error itself.
    """
    without, deviation = centre(estimate), spread_of(estimate)
    half = deviation.quantile(0.5 + LEVEL / 2) * deviation.total
    high = min(estimate.theta.mean() + half, without.high + 4 / 3 * half)
    return without.low - half, high, without.value


def _gap(estimate: Estimate) -> tuple[float, float, float]:
    """Upper end as it is; lower end simultaneous over all signed contrasts of groups.

    A gap of errors is narrowed where the smallest error is lifted most: there the upper end is
    that of the widest gap that the groups' bounds allow.
    """
    theta, deviation = float(estimate.theta.mean()), spread_of(estimate)
    half = deviation.quantile(0.5 + LEVEL / 2) * deviation.total
    contrasts = sum(len(kind) * (len(kind) - 1) for kind in estimate.parts)
    low = max((_largest_difference(kind, contrasts) for kind in estimate.parts), default=0.0)
    widest = max((_widest(kind) for kind in estimate.parts), default=0.0)
    return max(low, 0.0), max(theta, widest, low - half) + half, _corrected_gap(estimate)


def _widest(kind: tuple[Estimate, ...]) -> float:
    """Return the largest difference of groups that the bounds of their bias allow."""
    bounds = [centre(part) for part in kind]
    return max(b.high for b in bounds) - min(b.low for b in bounds)


def _corrected_gap(estimate: Estimate) -> float:
    """Return the gap less its bootstrap bias; of errors the gap of the errors without theirs."""
    if not any(part.lift is not None for kind in estimate.parts for part in kind):
        return float(estimate.theta.mean()) - bias(estimate)
    errors = [[centre(part).value for part in kind] for kind in estimate.parts]
    return max(float(np.ptp(kind)) for kind in errors)


def _largest_difference(kind: tuple[Estimate, ...], contrasts: int) -> float:
    """Return max over pairs of |difference| − t_{1−.05/contrasts}·its standard error."""
    least, _, most = np.array([centre(part) for part in kind]).T
    total, df = _pairwise(kind)
    first, second = np.triu_indices(len(kind), 1)
    distance = np.maximum(least[first] - most[second], least[second] - most[first])
    limit = distance - stdtrit(df, 1 - (1 - LEVEL) / max(contrasts, 1)) * total
    return float(limit.max(initial=0.0))


def _pairwise(kind: tuple[Estimate, ...]) -> tuple[Array, Array]:
    """Return total standard error and df of the difference of every pair of groups."""
    variance = np.array([examples_variance(p) for p in kind])
    df_part = np.array([df_examples(p) for p in kind])
    theta = np.array([p.theta for p in kind])  # (n_groups, n_seeds)
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


def _worst(estimate: Estimate) -> tuple[float, float, float]:
    """Lower end as it is; upper end the least of the groups' one-sided upper limits."""
    low, _, _ = _plain(estimate)
    groups = [part for kind in estimate.parts for part in kind]
    tail = 1 - (1 - LEVEL) / max(len(groups), 1)
    high = min(
        (p.theta.mean() + spread_of(p).quantile(tail) * spread_of(p).total for p in groups),
        default=1.0,
    )
    return low, high, estimate.theta.mean() - bias(estimate)


def _ratio(estimate: Estimate) -> tuple[float, float, float]:
    """Lower end as it is; upper end the least simultaneous upper limit of a pair's ratio.

    The limit is on the log scale (delta method) with rates (hits + 1/2) / (n + 1).
    """
    low, _, _ = _plain(estimate)
    contrasts = sum(len(kind) * (len(kind) - 1) for kind in estimate.parts)
    high = min((_least_ratio(kind, contrasts) for kind in estimate.parts), default=1.0)
    return low, high, estimate.theta.mean() - bias(estimate)


def _least_ratio(kind: tuple[Estimate, ...], contrasts: int) -> float:
    rate = np.array([(p.theta.mean() * p.n + 0.5) / (p.n + 1) for p in kind])
    square = np.array([spread_of(p).total for p in kind]) ** 2 / rate**2
    _, df = _pairwise(kind)
    first, second = np.triu_indices(len(kind), 1)
    distance = np.abs(np.log(rate[first] / rate[second]))
    t = stdtrit(df, 1 - (1 - LEVEL) / max(contrasts, 1))
    limit = distance - t * np.sqrt(square[first] + square[second])
    return float(np.exp(-limit.max(initial=0.0)))


_FORMS = {
    "mean": _plain,
    "rate": _wilson,
    "error": _error,
    "gap": _gap,
    "ratio": _ratio,
    "worst": _worst,
}
