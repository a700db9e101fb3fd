"""How much the loss of a future run would vary, predicted from its baseline alone.

The future run is assumed to have as many seeds and the same test examples. A worse run has other
variances than its baseline: a rate that moves towards one half varies more, and a gap that grew
is treated as the gap of two groups, however many groups the baseline's gap came from.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..schema import Metric
from ..statistics.estimates import Estimate, Family
from .losses import (
    Noise,
    Seeds,
    centring,
    examples_df,
    expected_shrinkage,
    least_variance,
    trained,
)

LINEAR: frozenset[Family] = frozenset({"mean", "rate"})
"""Families whose number is a mean over the same examples, whatever its size."""
LEAST_RATE = 0.02
"""Rates are kept this far from 0 and 1, where log-odds have no end."""


class Part(NamedTuple):
    """One number that varies with the training seed."""

    estimate: Estimate
    seeds: Seeds
    direction: int = 1
    """Sign of the change that a loss makes."""

    def slope(self, loss: float = 0.0) -> float:
        """Return how fast a rate moves with its log-odds, p(1−p), after a loss; others: 1."""
        if self.estimate.family != "rate":
            return 1.0
        moved = float(self.estimate.theta.mean()) + self.direction * loss
        p = float(np.clip(moved, LEAST_RATE, 1 - LEAST_RATE))
        return p * (1 - p)

    def seed_noise(self, shift: float, loss: float = 0.0) -> Seeds:
        """Return the seeds' variance, given the variance by which they shift the log-odds.

        A negative estimate of that variance means no shift, whatever the loss.
        """
        slope = self.slope(loss if shift > 0 else 0.0)
        variance = self.seeds.sampled + shift * slope**2
        return self.seeds._replace(variance=max(variance, 0.0))


class Outlook(NamedTuple):
    """What a baseline shows about the noise of a loss in one number."""

    whole: Part
    leading: tuple[Part, ...]
    """The parts that make up the run's number where it is worse; empty: not known."""
    alike: tuple[Part, ...]
    """Numbers with the same seed effect, which is estimated from all of them together."""
    unshared: float
    """Variance by the examples that does not cancel between run and baseline."""
    hidden: float
    """How much smaller than its true size a loss appears on average."""

    @property
    def df(self) -> float:
        """Degrees of freedom of the seeds' variance."""
        return self.whole.seeds.df * len(self.alike)

    def noise(self, loss: float, factor: float = 1.0) -> Noise:
        """Return the noise of an estimated loss, with the seeds' variance times `factor`.

        Where the parts of a worse number are not known, nothing is assumed to cancel between run
        and baseline.
        """
        shift, number = _shift(self.alike, factor), self.whole.seeds.number
        linear = self.whole.estimate.family in LINEAR
        baseline = self.whole.seed_noise(shift if linear else _shift((self.whole,), factor))
        if not self.leading or number == 1:
            return self._noise(self.unshared, baseline, baseline)
        parts = [part.seed_noise(shift, loss / len(self.leading)) for part in self.leading]
        sampled = sum(part.sampled for part in parts)
        run = baseline._replace(variance=sum(part.variance for part in parts), sampled=sampled)
        return self._noise(self.unshared + (sampled + baseline.sampled) / number, run, baseline)

    def _noise(self, examples: float, run: Seeds, baseline: Seeds) -> Noise:
        estimate = self.whole.estimate
        least = least_variance(estimate)
        df = run.df + baseline.df  # a test moderates both sides together
        sides = (run._replace(df=df), baseline._replace(df=df))
        return Noise(max(examples, least), sides, centring(estimate), examples_df(estimate))


def outlook(estimate: Estimate, metric: Metric, alike: Sequence[Estimate]) -> Outlook:
    """Return the outlook on a number; `alike` are all groups' numbers of its metric, if it is one.

    The effect of seeds on a group is estimated from all groups of the attribute: three seeds say
    little about a single one.
    """
    whole = Part(estimate, trained(estimate), metric.sign)
    leading = _leading(whole)
    pooled = [part for kind in estimate.parts for part in kind] or alike if leading else ()
    return Outlook(
        whole=whole,
        leading=leading,
        alike=tuple(Part(e, trained(e)) for e in pooled) or (whole,),
        unshared=_unshared(whole, leading),
        hidden=expected_shrinkage(estimate, metric),
    )


def _unshared(whole: Part, leading: Sequence[Part]) -> float:
    """Return the variance that examples add to a loss, without the part that seeds contain."""
    own = whole.direction * whole.estimate.values[:, 1:].mean(axis=0)
    if not leading or whole.seeds.number == 1:
        return 2 * float(own.var(ddof=1)) if len(own) > 1 else 0.0
    moved = sum(part.direction * part.estimate.values[:, 1:].mean(axis=0) for part in leading)
    return float(np.var(moved - own, ddof=1))


def _leading(whole: Part) -> tuple[Part, ...]:
    """Return what a worse number is made of: itself, a gap's widest pair, the worst group."""
    estimate = whole.estimate
    if estimate.family in LINEAR:
        return (whole,)
    if estimate.family not in {"gap", "worst"} or not estimate.parts:
        return ()
    ordered = [sorted(kind, key=lambda p: p.theta.mean()) for kind in estimate.parts]
    if estimate.family == "worst":
        lowest = min((kind[0] for kind in ordered), key=lambda p: p.theta.mean())
        return (Part(lowest, trained(lowest), -1),)
    kind = max(ordered, key=lambda k: k[-1].theta.mean() - k[0].theta.mean())
    return tuple(Part(p, trained(p), d) for p, d in ((kind[-1], 1), (kind[0], -1)))


def _shift(alike: Sequence[Part], factor: float) -> float:
    """Return the variance that seeds add to log-odds besides what the examples explain.

    By least squares of what they add to the numbers on their squared slopes. It may come out
    negative: cut off at 0 it would be too large on average.
    """
    square = np.array([part.slope() ** 2 for part in alike])
    added = np.array([factor * part.seeds.variance - part.seeds.sampled for part in alike])
    weighted = square * [part.estimate.n for part in alike]
    return float((weighted * added).sum() / (weighted * square).sum())
