"""How much worse a run is than its baseline on one number, and how certain that is.

Run and baseline share their test examples, so examples are paired. They do not share training
seeds, so the variances of their seeds add.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..measuring.contrasts import PairedDifference, Side, difference, side
from ..schema import Metric
from ..statistics.estimates import CENTRED, CENTRING, Estimate, Family, bias
from ..statistics.spread import MANY, Spread
from ..statistics.summary import shared_variance

HIT_OR_MISS: frozenset[Family] = frozenset({"rate", "gap", "ratio", "worst"})
"""Families made of shares: where no example was answered differently, some may yet be."""
HIDDEN = 0.6
"""Share of a centred number's bootstrap bias that hides a loss on average: between 0 and √2.

A bootstrap of |x| sees √2 − 1 of its bias where the mean of x is 0, so √2 times what it sees is
hidden, and nothing far from 0. What part of a gap or error is of which kind cannot be seen; 0.6 is
from simulations (docs/gate.md).
"""
MOST_SEEDS = 1_000
MOST_EXAMPLES = 1e6
"""Most times the present examples that are recommended; beyond, more of them do not help."""
_STEP = 1.035
"""Relative precision of the search for the number of examples."""


class Seeds(NamedTuple):
    """What the training seeds of one side add to a loss's variance."""

    variance: float
    """Of one seed; 0 where there are fewer than two."""
    number: int
    df: float
    sampled: float = 0.0
    """The part of `variance` that is due to the test examples: seeds differ in which they miss."""


class Noise(NamedTuple):
    """The variance of a loss, by where it comes from."""

    examples: float
    sides: tuple[Seeds, Seeds]
    centring: float = 1.0
    """Factor by which subtracting the bootstrap bias raises the variance."""
    examples_df: float = MANY
    """Degrees of freedom of `examples`, where these come in clusters."""

    def spread(self, examples: float = 1, seeds: int = 0) -> Spread:
        """Return the uncertainty with `examples` times the examples and `seeds` more seeds a side.

        The sides' variances are moderated together, so the degrees of freedom are those of both.
        """
        trained = sum(s.variance / (s.number + seeds) for s in self.sides)
        df = min(s.df for s in self.sides) + 2 * seeds
        return Spread(
            self.examples / examples, trained, df, min(self.examples_df * examples, MANY)
        )

    @property
    def true_total(self) -> float:
        """The standard error that losses really have over many runs.

        A test counts the variance that seeds and examples share twice, which makes it
        conservative, but does not count what centring adds.
        """
        trained = [max(s.variance - s.sampled, 0.0) / s.number for s in self.sides]
        return float(np.sqrt(self.centring * (self.examples + sum(trained))))

    @property
    def knows_seeds(self) -> bool:
        """Whether any side was trained twice, so that retraining noise is known."""
        return any(s.number > 1 for s in self.sides)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A run minus its baseline on one number; a positive loss is worse."""

    difference: PairedDifference
    noise: Noise
    shrinkage: float = 0.0
    """How much of a loss may be hidden by bias of the baseline that centring leaves."""

    @property
    def size(self) -> float:
        """The loss without its bootstrap bias: what a test is about."""
        return self.difference.loss

    @property
    def worst_case(self) -> float:
        """The larger of the loss with and without its bias, and what may be hidden besides."""
        return max(self.size, replace(self.difference, bias=0.0).loss) + self.shrinkage

    @property
    def p_value(self) -> float:
        """One-sided, of no loss."""
        return self.difference.p_loss()

    def upper_limit(self, confidence: float) -> float:
        """Return the loss that is ruled out, one-sided, with `confidence`."""
        deviation = self.difference.spread
        return self.worst_case + deviation.quantile(confidence) * deviation.total


def loss(run: Estimate, baseline: Estimate, metric: Metric) -> Loss:
    """Return how much worse `run` is; both estimates rest on the same draws of examples."""
    paired = difference(_side(run), _side(baseline), metric, matched=False)
    if paired.undefined:
        return Loss(difference=paired, noise=Noise(np.nan, _seeds(run, baseline)))
    moved = run.values[:, 1:].mean(axis=0) - baseline.values[:, 1:].mean(axis=0)
    examples = float(moved.var(ddof=1)) if len(moved) > 1 else 0.0
    noise = Noise(
        max(examples, least_variance(run)), _seeds(run, baseline), centring(run), examples_df(run)
    )
    return Loss(
        difference=replace(paired, spread=noise.spread()),
        noise=noise,
        shrinkage=shrinkage(baseline, metric),
    )


def shrinkage(baseline: Estimate, metric: Metric) -> float:
    """Return by how much a centred loss may come out too small.

    A gap or calibration error near zero is biased up by more than its bootstrap bias says, about
    twice as much (docs/uncertainty.md): the baseline may be that much better than it seems.
    """
    if baseline.family not in CENTRED:
        return 0.0
    return max(bias(baseline) * metric.sign, 0.0)


def expected_shrinkage(baseline: Estimate, metric: Metric) -> float:
    """Return by how much centred losses come out too small on average."""
    return HIDDEN * shrinkage(baseline, metric)


def centring(estimate: Estimate) -> float:
    """Return by how much centring raises the variance of a number."""
    return CENTRING if estimate.family in CENTRED else 1.0


def examples_df(estimate: Estimate) -> float:
    """Return the degrees of freedom of the variance by examples: few only where clusters are."""
    return estimate.examples_df if estimate.clusters else MANY


def _side(estimate: Estimate) -> Side:
    """Reduce an estimate; one that does not depend on examples has draws that never move."""
    if estimate.family == "point":
        still = np.full((len(estimate.theta), 3), estimate.theta[:, None])
        return side(replace(estimate, values=still), ())
    return side(estimate, ())


def least_variance(estimate: Estimate) -> float:
    """Return the least variance that a difference of shares of n examples has: p(1−p)/n.

    With p = 1/(n + 2): where no example was answered differently, the next may be (Agresti & Coull
    1998). Of a gap or a worst group, n is that of its smallest part.
    """
    if estimate.family not in HIT_OR_MISS:
        return 0.0
    parts = (p.independent for kind in estimate.parts for p in kind)
    n = max(min(parts, default=estimate.independent), 1)
    return (n + 1) / (n + 2) ** 2 / n


def _seeds(run: Estimate, baseline: Estimate) -> tuple[Seeds, Seeds]:
    """Return each side's seed variance, moderated by the other's.

    A side with one seed is taken to vary as the other.
    """
    first, second = trained(run), trained(baseline)
    if shared := shared_variance([run.theta, baseline.theta]):
        first, second = (
            side._replace(variance=variance, df=df)
            for side in (first, second)
            for variance, df in [shared.moderated(side.variance, side.df)]
        )
    if first.number == 1:
        first = second._replace(number=1)
    elif second.number == 1:
        second = first._replace(number=1)
    return first, second


def trained(estimate: Estimate) -> Seeds:
    """Return how an estimate varies from seed to seed."""
    theta, draws = estimate.theta, estimate.values[:, 1:]
    if len(theta) == 1:
        return Seeds(0.0, 1, 1)
    df = len(theta) - 1
    apart = draws - draws.mean(axis=0)
    sampled = float(apart.var(axis=1).sum() / df) if estimate.family != "point" else 0.0
    return Seeds(float(theta.var(ddof=1)), len(theta), df, sampled)


def more_examples(loss: Loss, target: float, probability: float) -> int | None:
    """Return how many more examples bring t·total down to `target`; None: no number does.

    The t quantile is that of `probability`; the loss is taken to stay as it is.
    """
    fewest, enough = 1.0, MOST_EXAMPLES
    if _reach(loss, enough, probability) > target:
        return None
    while enough > _STEP * fewest:
        middle = float(np.sqrt(fewest * enough))
        near = _reach(loss, middle, probability) > target
        fewest, enough = (middle, enough) if near else (fewest, middle)
    return int(np.ceil((enough - 1) * loss.difference.n))


def _reach(loss: Loss, examples: float, probability: float) -> float:
    deviation = loss.noise.spread(examples=examples)
    return deviation.quantile(probability) * deviation.total


def more_seeds(loss: Loss, target: float, probability: float) -> int | None:
    """Return how many more seeds a side bring t·total down to `target`; None: no number does."""
    if not loss.noise.knows_seeds:
        return None
    for seeds in _numbers():
        deviation = loss.noise.spread(seeds=seeds)
        if deviation.quantile(probability) * deviation.total <= target:
            return seeds
    return None


def _numbers() -> Iterator[int]:
    """Yield numbers of seeds worth trying: every one at first, then coarser."""
    yield from range(20)
    yield from range(20, MOST_SEEDS, 20)
