"""How good a strategy is with k tuning trials: the value of what validation would have chosen.

Dodge et al. (2019, "Show Your Work", EMNLP) plot the expected best validation value against the
number of trials k. We report the *test* value of the trial that is best on validation, which is
what a person gets. Tang et al. (2020, "Showing Your Work Doesn't Always Work", ACL) show that
Dodge's estimator, which draws trials with replacement, is biased; ours averages over all subsets
of k of the T trials, which is unbiased, and exact: no subset is drawn at random.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from ..schema import Array

FEWEST = 4
"""Trials that an interval needs: its regression has two coefficients."""
LEVEL = 0.95


class Band(NamedTuple):
    """The curve of one strategy, k = 1 to T, with its interval (NaN where there is none)."""

    value: Array  # (T,)
    low: Array  # (T,)
    high: Array  # (T,)


def chances(validation: Array) -> Array:
    """Return how likely each trial is to be chosen among k of the T trials: (T, T), row k − 1.

    All subsets of k trials are equally likely, and the highest validation value in one is chosen,
    the earlier trial where two are equal. The trial of rank r (0 is the best) is chosen when it is
    drawn and all others come from the T − 1 − r below it: C(T − 1 − r, k − 1) / C(T, k).

    Parameters
    ----------
    validation : (T,), higher is better; NaN marks a trial that failed, which is chosen last
    """
    n = len(validation)
    ranked = np.argsort(-np.where(np.isnan(validation), -np.inf, validation), kind="stable")
    result = np.zeros((n, n))
    for k in range(1, n + 1):
        subsets = math.comb(n, k)
        result[k - 1, ranked] = [math.comb(n - 1 - rank, k - 1) / subsets for rank in range(n)]
    return result


def curve(validation: Array, test: Array) -> Array:
    """Return the expected test value of the choice among k trials, for k = 1 to T: (T,).

    NaN where a failed trial might have been the only choice.
    """
    weights = chances(np.asarray(validation, dtype=float))
    values = np.asarray(test, dtype=float)
    known = np.isfinite(values)
    expected = weights[:, known] @ values[known]
    return np.where((weights[:, ~known] > 0).any(axis=1), np.nan, expected)


def expected_best(validation: Array, test: Array, k: int) -> float:
    """Return the expected test value of the trial that is best on validation among k trials.

    Parameters
    ----------
    validation : (T,), higher is better
    test : (T,), in any direction: it is never looked at when choosing
    k : from 1 to T

    Raises
    ------
    ValueError
        The arrays differ in length, or k is not between 1 and T.
    """
    if len(validation) != len(test):
        raise ValueError(f"{len(validation)} validation values for {len(test)} test values")
    if not 1 <= k <= len(test):
        raise ValueError(f"k = {k}: give a number between 1 and {len(test)}")
    return float(curve(validation, test)[k - 1])


def plausible(validation: Array, test: Array, *, rng: np.random.Generator) -> Array:
    """Return curves that the trials and the test examples could as well have given.

    Two sources vary. *Which trials were drawn*: validation and test values of trials are taken as
    jointly normal, so that the expected value of the choice among k trials is that of a regression
    of test on validation at the expected best of k normal validation values. Its slope, level and
    deviations are drawn from their fiducial distribution (Fisher 1935). *Which test examples*:
    each draw of the examples moves all trials together.

    Parameters
    ----------
    validation : (T,)
    test : (T, 1 + draws), column 0 is the sample as it is, the others bootstrap draws of the
        examples, the same ones for every strategy

    Returns
    -------
    (draws, T); NaN where fewer than `FEWEST` trials finished or all are alike on validation.
    """
    known = np.isfinite(validation) & np.isfinite(test[:, 0])
    draws, trials = test.shape[1] - 1, len(validation)
    v, t = validation[known], test[known, 0]
    spread = float(((v - v.mean()) ** 2).sum()) if known.any() else 0.0
    if len(v) < FEWEST or spread == 0:
        return np.full((draws, trials), np.nan)
    best = _expected_best_normal(trials)
    slope = float(((v - v.mean()) * t).sum() / spread)
    residual = t - t.mean() - slope * (v - v.mean())
    noise = np.sqrt((residual**2).sum() / rng.chisquare(len(v) - 2, draws))
    deviation = np.sqrt(spread / rng.chisquare(len(v) - 1, draws))
    slopes = slope + noise * rng.standard_normal(draws) / math.sqrt(spread)
    levels = t.mean() + noise * rng.standard_normal(draws) / math.sqrt(len(v))
    shift = deviation * rng.standard_normal(draws) / math.sqrt(len(v))
    drawn = levels[:, None] + slopes[:, None] * (shift[:, None] + deviation[:, None] * best)
    return np.asarray(drawn + _examples(validation, test))


def _examples(validation: Array, test: Array) -> Array:
    """Return how far each draw of the test examples moves the curve: (draws, T)."""
    known = np.isfinite(test[:, 0])
    moved = test[known, 1:] - test[known, :1]
    return np.asarray((chances(validation)[:, known] @ moved).T)


def _expected_best_normal(trials: int) -> Array:
    """Return the expected largest of k standard normal values for k = 1 to `trials`: (trials,)."""
    grid = np.linspace(-9, 9, 3601)
    middle = (grid[1:] + grid[:-1]) / 2
    return np.array([(np.diff(ndtr(grid) ** k) * middle).sum() for k in range(1, trials + 1)])


def band(validation: Array, test: Array, drawn: Array) -> Band:
    """Return the curve with its 95 % interval.

    Parameters
    ----------
    validation, test : as in `plausible`
    drawn : (draws, T), what `plausible` returned

    The interval is widened to hold the exact value where the normal model misses it, which
    happens at k near T, where the exact value rests on one trial.
    """
    value = curve(validation, test[:, 0])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Band(value, np.minimum(low, value), np.maximum(high, value))


def best_chances(drawn: Mapping[str, Array], *, higher: bool) -> dict[str, Array]:
    """Return strategy -> how likely it is the best choice with k trials each: (T,).

    `drawn` holds each strategy's plausible curves, (draws, T), paired by draw.
    """
    stacked = np.stack([curves if higher else -curves for curves in drawn.values()])
    winner = stacked.argmax(axis=0)
    return {label: (winner == index).mean(axis=0) for index, label in enumerate(drawn)}


class Crossing(NamedTuple):
    """Two strategies whose order changes with the number of trials."""

    before: str
    """Leads with fewer trials."""
    after: str
    """Leads from `k` trials on."""
    k: int
    share: float
    """Of the draws in which `after` leads at T trials and `before` at one."""


def crossings(
    values: Mapping[str, Array], drawn: Mapping[str, Array], *, higher: bool
) -> list[Crossing]:
    """Return where the leading strategy changes along k, in order of k.

    Parameters
    ----------
    values, drawn : strategy -> its curve (T,) and its plausible curves (draws, T)
    """
    sign = 1 if higher else -1
    labels = list(values)
    stacked = sign * np.stack([values[label] for label in labels])
    defined = np.isfinite(stacked).all(axis=0)
    leaders = [labels[i] for i in np.where(defined, np.nan_to_num(stacked), 0).argmax(axis=0)]
    crossings = []
    for k in range(1, len(leaders)):
        before, after = leaders[k - 1], leaders[k]
        if before != after and defined[k - 1] and defined[k]:
            ahead = sign * (drawn[after] - drawn[before])
            crossed = (ahead[:, k:].mean(axis=1) > 0) & (ahead[:, :k].mean(axis=1) < 0)
            crossings.append(Crossing(before, after, k + 1, float(crossed.mean())))
    return crossings
