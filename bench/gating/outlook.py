"""Outlook: what the loss of a future run would vary by, said of its baseline alone.

The run is taken to be trained as often, on the same test examples. Where it is worse its numbers
are others: a rate nearer to a half varies more, and a gap that grew is the gap of two groups,
whatever made up the baseline's.
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
"""Families whose number is made of the same whatever its size."""
LEAST_RATE = 0.02
"""Rates are kept this far from 0 and 1, where log-odds have no end."""


class Part(NamedTuple):
    """One number that training seeds shake."""

    estimate: Estimate
    seeds: Seeds
    direction: int = 1
    """Where a loss moves it."""

    def slope(self, loss: float = 0.0) -> float:
        """Return how fast a rate moves with its log-odds, p(1−p), after a loss; others: 1."""
        if self.estimate.family != "rate":
            return 1.0
        moved = float(self.estimate.theta.mean()) + self.direction * loss
        p = float(np.clip(moved, LEAST_RATE, 1 - LEAST_RATE))
        return p * (1 - p)

    def shaken(self, shift: float, loss: float = 0.0) -> Seeds:
        """Return the seeds' variance where they shift the number's log-odds by a variance.

        One that came out negative says that there is no shift: a loss makes no more of it.
        """
        slope = self.slope(loss if shift > 0 else 0.0)
        variance = self.seeds.sampled + shift * slope**2
        return self.seeds._replace(variance=max(variance, 0.0))


class Outlook(NamedTuple):
    """What a baseline tells of the noise of a loss in one number."""

    whole: Part
    leading: tuple[Part, ...]
    """What the run's number is made of where it is worse; empty: nobody knows."""
    alike: tuple[Part, ...]
    """Numbers that seeds shake alike: what they shift is estimated from all of these."""
    apart: float
    """Variance by the examples that does not cancel between run and baseline."""
    hidden: float
    """How much smaller than it is a loss seems on average."""

    @property
    def df(self) -> float:
        """Degrees of freedom of the seeds' variance."""
        return self.whole.seeds.df * len(self.alike)

    def noise(self, loss: float, factor: float = 1.0) -> Noise:
        """Return the noise of an estimated loss, with the variance that seeds show times `factor`.

        Where it is not known what a worse number is made of, nothing that run and baseline share
        is taken to cancel.
        """
        shift, number = _shift(self.alike, factor), self.whole.seeds.number
        linear = self.whole.estimate.family in LINEAR
        baseline = self.whole.shaken(shift if linear else _shift((self.whole,), factor))
        if not self.leading or number == 1:
            return self._noise(self.apart, baseline, baseline)
        parts = [part.shaken(shift, loss / len(self.leading)) for part in self.leading]
        sampled = sum(part.sampled for part in parts)
        run = baseline._replace(variance=sum(part.variance for part in parts), sampled=sampled)
        return self._noise(self.apart + (sampled + baseline.sampled) / number, run, baseline)

    def _noise(self, examples: float, run: Seeds, baseline: Seeds) -> Noise:
        estimate = self.whole.estimate
        least = least_variance(estimate)
        df = run.df + baseline.df  # a test moderates both sides together
        sides = (run._replace(df=df), baseline._replace(df=df))
        return Noise(max(examples, least), sides, centring(estimate), examples_df(estimate))


def outlook(estimate: Estimate, metric: Metric, alike: Sequence[Estimate]) -> Outlook:
    """Return the outlook on a number; `alike` are all groups' numbers of its metric, if it is one.

    What seeds do to a group is estimated from all groups of the attribute: three seeds know little
    of one.
    """
    whole = Part(estimate, trained(estimate), metric.sign)
    leading = _leading(whole)
    shaken = [part for kind in estimate.parts for part in kind] or alike if leading else ()
    return Outlook(
        whole=whole,
        leading=leading,
        alike=tuple(Part(e, trained(e)) for e in shaken) or (whole,),
        apart=_apart(whole, leading),
        hidden=expected_shrinkage(estimate, metric),
    )


def _apart(whole: Part, leading: Sequence[Part]) -> float:
    """Return what examples add to a loss's variance besides what the seeds' own answers do."""
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
