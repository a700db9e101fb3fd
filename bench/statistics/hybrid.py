"""Gaps and worst groups of three or more groups, inverted: the sizes that explain what was seen.

A gap is the largest of many noisy differences, so it is biased up, and a bootstrap of it is biased
up again. Hybrid resampling (Chuang & Lai 2000, Statistica Sinica 10) asks instead: if the true gap
were this large, how often would one see what was seen? For every size the groups are given a
plausible profile (who is ahead, by what share of the gap), noise is added, and the sizes under
which the seen gap is neither too large nor too small make the interval.

The noise of a group's seed-mean rate is that of the test examples (the bootstrap's) and that of
the seeds, which move the groups against one another. Profiles come from a normal posterior of the
groups' rates with a flat prior on their standard deviation (Gelman 2006, Bayesian Analysis 1).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..schema import Array
from .estimates import Estimate
from .spread import examples_in_seeds

FEWEST_GROUPS = 3
"""With two groups there is one difference, and the usual interval does."""
TOO_LITTLE, TOO_MUCH = 0.025, 0.02
"""Chances of seeing so large or so small a gap below which a size is ruled out.

These and those of a worst rate were found by simulation (docs/uncertainty.md).
"""
WORST_LOW, WORST_HIGH = 0.0125, 0.025
"""Chances that are left out on either side of a worst rate."""
LUCKY = 0.16
"""Groups that are alike seldom look more alike than this quantile of theirs: where they do, the
upper end is that of this quantile (power-constrained limits: Cowan et al. 2011, arXiv:1105.3166),
else it would be 0 where luck is greatest."""
_SIZES = 31
"""Sizes of the gap that are tried; between them is interpolated."""
_DEVIATIONS = 40
"""Standard deviations between groups that are tried for a profile."""
_MOST_NUMBERS = 400_000
"""Numbers of all groups' draws; beyond, fewer draws are taken."""
_SHIPPED = 200
"""Draws of single models."""

Extent = Callable[[Sequence[Array]], Array]
"""(n_groups, draws) rates of each kind -> (draws,) how far groups are apart."""


class Inverted(NamedTuple):
    """Bounds of a gap or worst rate, and the median-unbiased value."""

    low: float
    high: float
    systematic_low: float
    """Of the gap, or the worst, of the mean rates over seeds."""
    systematic_high: float
    value: float


class Noisy(NamedTuple):
    """The rates of all groups, mean over seeds, and draws of their errors."""

    rate: Array  # (n_groups,)
    error: Array  # (n_groups, draws)
    apart: float
    """Variance by which a seed moves one group against the others, beyond the examples."""

    @property
    def variance(self) -> Array:
        """Of each group's error (n_groups,)."""
        return np.asarray(self.error.var(axis=1))


def inverted_gap(kinds: Sequence[Sequence[Estimate]], extent: Extent | None = None) -> Inverted:
    """Return the bounds of how far groups are apart, in the largest range of any kind of rate.

    `low` and `high` are of A, the mean over seeds of each model's own gap; `systematic_low` and
    `systematic_high` of B, the gap of the mean rates, which is never larger than A.

    Parameters
    ----------
    kinds
        Each kind's rates by groups, of the same seeds and draws.
    extent
        Another measure of how far groups are apart; it is 0 where all are alike, and twice as
        large where all differences are.
    """
    extent = extent or widest
    rng = np.random.default_rng(0)
    draws = _number_of_draws(sum(len(kind) for kind in kinds), kinds[0][0])
    noisy = [_noisy(kind, draws, rng) for kind in kinds]
    seen = max(extent([n.rate[:, None] for n in noisy]).item(), 1e-9)
    profiles = _profiles([_plausible(n, rng) for n in noisy], extent)
    sizes = _sizes(seen, noisy, extent)
    drawn = np.array([_seen_if(size, profiles, noisy, extent) for size in sizes])
    at_least, at_most = (drawn >= seen).mean(axis=1), (drawn <= seen).mean(axis=1)
    no_less = max(seen, float(np.quantile(drawn[0], LUCKY)))
    low = _first(sizes, at_least, TOO_LITTLE)
    high = _last(sizes, (drawn <= no_less).mean(axis=1), TOO_MUCH)
    shipped = _of_one_model(noisy, high / seen, extent)
    return Inverted(low, max(high, shipped), low, high, _last(sizes, at_most, 0.5))


def inverted_worst(rates: Sequence[Estimate]) -> Inverted:
    """Return the bounds of the lowest rate, by what sampling does to a minimum.

    `low` is of A, the mean over seeds of each model's own lowest rate; `systematic_low` of B, the
    lowest of the mean rates, which is never lower than A.
    """
    rng = np.random.default_rng(0)
    noisy = _noisy(rates, _number_of_draws(len(rates), rates[0]), rng, together=True)
    plausible, lowest = _plausible(noisy, rng), noisy.rate.min()
    rises = (plausible + noisy.error).min(axis=0) - plausible.min(axis=0)
    as_seen = (noisy.rate[:, None] + noisy.error).min(axis=0) - lowest
    most = max(np.quantile(rises, 1 - WORST_LOW), np.quantile(as_seen, 1 - WORST_LOW))
    own = np.sqrt(noisy.apart) * rng.standard_normal(plausible.shape)
    below = max(float((plausible.min(axis=0) - (plausible + own).min(axis=0)).mean()), 0.0)
    low, high = float(lowest - most), float(lowest - np.quantile(rises, WORST_HIGH))
    return Inverted(low - below, high, low, high, float(lowest - np.median(rises)))


def _number_of_draws(n_groups: int, estimate: Estimate) -> int:
    replicates = int(estimate.values.shape[1]) - 1
    return min(replicates, max(_MOST_NUMBERS // n_groups, 200))


def widest(kinds: Sequence[Array]) -> Array:
    """Return the largest range over groups: (n_groups, draws) of each kind -> (draws,)."""
    return np.asarray(np.max([np.ptp(kind, axis=0) for kind in kinds], axis=0))


def deviation(kinds: Sequence[Array]) -> Array:
    """Return the root of the mean over kinds of the variance between groups: (draws,).

    (n_groups, draws) of each kind.
    """
    return np.asarray(np.sqrt(np.mean([kind.var(axis=0, ddof=1) for kind in kinds], axis=0)))


def _noisy(
    rates: Sequence[Estimate], draws: int, rng: np.random.Generator, *, together: bool = False
) -> Noisy:
    """Return rates with draws of their error, scaled by how badly the seeds' part is known.

    With `together`, seeds also move all groups alike: a gap does not feel it, a worst rate does.
    """
    values = np.array([e.values[:, : draws + 1] for e in rates])  # (n_groups, n_seeds, 1 + draws)
    theta, moved = values[..., 0], (values[..., 1:] - values[..., :1]).mean(axis=1)
    variance, error = _never_still(
        theta.mean(axis=1), moved, np.array([e.independent for e in rates]), rng
    )
    inside = np.array([examples_in_seeds(v) for v in values])
    seeds = _seeds(theta, variance, inside, together=together)
    number = theta.shape[1]
    error = error + np.sqrt(seeds.apart / number) * rng.standard_normal(error.shape)
    error += np.sqrt(seeds.together / number) * rng.standard_normal(draws)
    whole = variance.mean() + (seeds.apart + seeds.together) / number
    df = max(1.5, whole**2 / max(seeds.doubt, 1e-300))
    if df < 1000:  # noqa: PLR2004
        error *= np.sqrt(df / rng.chisquare(df, draws))
    return Noisy(theta.mean(axis=1), error, seeds.apart)


def _never_still(
    rate: Array, error: Array, n: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return variance and errors as of rates that are never 0 or 1.

    Each rate's p(1 − p) becomes that of the rate drawn towards all groups' mean, as if two more
    examples had it (Agresti & Coull 1998).
    """
    drawn = np.clip(
        (n * rate + 2 * np.average(rate, weights=n)) / (n + 2),
        0.5 / (n + 1),
        1 - 0.5 / (n + 1),
    )
    binomial, own = drawn * (1 - drawn), rate * (1 - rate)
    moves = own > 1e-9  # noqa: PLR2004
    factor = np.sqrt(binomial / np.where(moves, own, binomial)).clip(1, 3)
    normal = np.sqrt(binomial / n)[:, None] * rng.standard_normal(error.shape)
    wider = np.where(moves[:, None], error * factor[:, None], normal)
    variance = np.where(moves, error.var(axis=1, ddof=1) * factor**2, binomial / n)
    return variance, wider


class _Seeds(NamedTuple):
    apart: float
    together: float
    doubt: float
    """Sum of squared variances of the mean over their degrees of freedom (Satterthwaite 1946)."""


def _seeds(theta: Array, variance: Array, inside: Array, *, together: bool) -> _Seeds:
    """Return by what variance seeds move groups, beyond what the examples explain.

    Moments of the interaction of group and seed: Q, its weighted mean square, is expected to be
    a τ² + b, with weights 1/variance and b what the examples explain (`inside`) of it.

    Parameters
    ----------
    theta
        (n_groups, n_seeds) rates.
    """
    n_groups, n_seeds = theta.shape
    weight = 1 / np.maximum(variance, 1e-8)
    total = weight.sum()
    a = total - (weight**2).sum() / total
    b = (weight * inside).sum() - (weight**2 * inside).sum() / total
    deviation = theta - theta.mean(axis=1, keepdims=True)
    deviation = deviation - weight @ deviation / total
    square = float((weight[:, None] * deviation**2).sum() / (n_seeds - 1))
    apart = max(0.0, (square - b) / a)
    doubt = (square / a / n_seeds) ** 2 / ((n_groups - 1) * (n_seeds - 1))
    if not together:
        return _Seeds(apart, 0.0, float(doubt))
    of_all = float((weight @ theta / total).var(ddof=1))
    explained = float(((weight / total) ** 2 * (inside + apart)).sum())
    doubt += (of_all / n_seeds) ** 2 / (n_seeds - 1)
    return _Seeds(apart, max(0.0, of_all - explained), float(doubt))


def _plausible(noisy: Noisy, rng: np.random.Generator) -> Array:
    """Return draws of what the groups' true rates may be (n_groups, draws).

    Rates are normal about a common mean with a standard deviation of which all values are equally
    likely beforehand; two groups are not drawn together.
    """
    rate, variance, (n_groups, draws) = noisy.rate, noisy.variance, noisy.error.shape
    noise = rng.standard_normal((n_groups, draws))
    if n_groups < FEWEST_GROUPS:
        return np.asarray(rate[:, None] + noise * np.sqrt(variance)[:, None])
    scale = max(rate.std(ddof=1), np.sqrt(variance.mean()))
    between = np.linspace(0.02, 4, _DEVIATIONS) * scale
    weight = 1 / (variance[:, None] + between**2)  # (n_groups, deviations)
    total = weight.sum(axis=0)
    mean = (weight * rate[:, None]).sum(axis=0) / total
    fit = (weight * (rate[:, None] - mean) ** 2).sum(axis=0)
    log_likelihood = (np.log(weight).sum(axis=0) - np.log(total) - fit) / 2
    chance = np.exp(log_likelihood - log_likelihood.max())
    chosen = rng.choice(_DEVIATIONS, draws, p=chance / chance.sum())
    shrinkage = between[chosen] ** 2 / (between[chosen] ** 2 + variance[:, None])
    centre = mean[chosen] + rng.standard_normal(draws) / np.sqrt(total[chosen])
    posterior = centre + shrinkage * (rate[:, None] - centre)
    return np.asarray(posterior + noise * np.sqrt(shrinkage * variance[:, None]))


def _profiles(plausible: Sequence[Array], extent: Extent) -> list[Array]:
    """Return each draw of rates about its mean, scaled so that the gap is 1."""
    size = np.maximum(extent(plausible), 1e-9)
    return [(rates - rates.mean(axis=0)) / size for rates in plausible]


def _sizes(seen: float, noisy: Sequence[Noisy], extent: Extent) -> Array:
    """Return the sizes of the gap that are tried: from 0 to far beyond what was seen."""
    varies = extent([n.rate[:, None] + n.error for n in noisy]).std()
    return np.linspace(0, seen + 5 * max(float(varies), 1e-6), _SIZES)


def _seen_if(
    size: float, profiles: Sequence[Array], noisy: Sequence[Noisy], extent: Extent
) -> Array:
    """Return draws of the gap that one would see if the true one had this size."""
    pairs = zip(profiles, noisy, strict=True)
    return extent([size * profile + n.error for profile, n in pairs])


def _of_one_model(noisy: Sequence[Noisy], times: float, extent: Extent) -> float:
    """Return the mean gap of single models where the mean rates' gap is `times` that seen."""
    rng = np.random.default_rng(1)
    models = []
    for n in noisy:
        own = np.sqrt(n.apart) * rng.standard_normal((len(n.rate), _SHIPPED))
        models.append(((n.rate - n.rate.mean()) * times)[:, None] + own)
    return float(extent(models).mean())


def _first(sizes: Array, chance: Array, level: float) -> float:
    """Return the least size with at least that chance."""
    likely = np.flatnonzero(chance >= level)
    return _between(sizes, chance, level, likely[0], -1) if len(likely) else 0.0


def _last(sizes: Array, chance: Array, level: float) -> float:
    """Return the largest size with at least that chance."""
    likely = np.flatnonzero(chance >= level)
    return _between(sizes, chance, level, likely[-1], 1) if len(likely) else 0.0


def _between(sizes: Array, chance: Array, level: float, index: int, step: int) -> float:
    """Return the size between `index` and its neighbour at which the chance is `level`."""
    other = index + step
    if not 0 <= other < len(sizes):
        return float(sizes[index])
    share = (chance[index] - level) / max(chance[index] - chance[other], 1e-9)
    return float(sizes[index] + (sizes[other] - sizes[index]) * share)
