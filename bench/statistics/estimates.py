"""Estimates with their bootstrap draws: what an audit yields and everybody else reads."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..schema import Array, Place

Family = Literal["mean", "rate", "error", "gap", "ratio", "worst", "point"]
"""What kind of statistic a metric is; it decides which interval covers.

mean: theta ± t·total. rate: a share or an area, Wilson with the effective sample size. error: a
sum of absolute deviations, biased up. gap: the largest of many differences. ratio: the smallest of
many ratios. worst: the smallest of many rates. point: no interval (no function of test examples).
"""
CENTRED = frozenset({"error", "gap", "ratio", "worst"})
"""Families whose bootstrap is biased: differences of them are tested after centring."""
CENTRING = 1.42
"""Times that centring raises the variance of a gap, error, ratio or worst group on average.

They are made of |x| or the like, whose variance it raises 1.85 times where the mean of x is 0, and
not at all far from 0: between these.
"""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One metric of one strategy, with its bootstrap draws."""

    metric: str
    attribute: str = ""
    group: str = ""
    view: str = "original"
    posthoc: str = ""
    values: Array  # (n_seeds, 1 + replicates): column 0 is the sample as it is
    n: int
    """Examples that it rests on: a rate's denominator."""
    clusters: float = 0.0
    """Effective number of clusters that these are in; 0: examples are independent, or the audit
    leaves it to `Sample.resting`."""
    family: Family = "mean"
    sampling_bias: Array | None = None  # (n_seeds, 2)
    """Of an error of bins: what sampling adds to it, and how wrong that may be."""
    parts: tuple[tuple["Estimate", ...], ...] = ()
    """What a gap, ratio or worst rate is made of: kinds of rate by groups."""
    floor: Array | None = None  # (n_seeds, replicates): without disparity
    undefined: str = ""
    """Why the value is NaN, if it is."""
    joint: bool = False
    """A number of all seeds together, such as how often they disagree: `values` are jackknife
    pseudo-values (jackknife.py), so no seed has a number of its own."""
    missing: tuple[tuple[str, str], ...] = ()
    """(group, reason) of each group that a between-group number leaves out."""

    @property
    def place(self) -> Place:
        """What the number is of: the same for every strategy."""
        return Place(self.metric, self.attribute, self.group, self.view, self.posthoc)

    @property
    def theta(self) -> Array:
        """The metric of each seed (n_seeds,)."""
        return self.values[:, 0]

    @property
    def defined(self) -> bool:
        """Whether every seed has a value."""
        return bool(np.isfinite(self.theta).all())

    @property
    def independent(self) -> float:
        """How many independent examples it is worth at least: what degrees of freedom count."""
        return min(self.clusters, self.n) if self.clusters else float(self.n)

    @property
    def examples_df(self) -> float:
        """Degrees of freedom of what the examples add to a variance: few clusters have few."""
        return max(self.independent - 1, 1.0)

    def of_seed(self, index: int) -> "Estimate":
        """Return the same estimate for one seed: its interval is of examples only."""
        one = slice(index, index + 1)
        return replace(
            self,
            values=self.values[one],
            floor=None if self.floor is None else self.floor[one],
            sampling_bias=None if self.sampling_bias is None else self.sampling_bias[one],
            parts=tuple(tuple(p.of_seed(index) for p in kind) for kind in self.parts),
        )


def nothing(n_seeds: int) -> Array:
    """Return the values of an estimate that is undefined for every seed."""
    return np.full((n_seeds, 3), np.nan)


def bias(estimate: Estimate) -> float:
    """Return the bootstrap bias: mean of the draws minus the estimate."""
    return float(estimate.values[:, 1:].mean() - estimate.theta.mean())
