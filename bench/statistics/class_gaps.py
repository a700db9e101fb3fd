"""How the difference of two groups varies over the classes (De-Arteaga et al. 2019)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..schema import Array, Evidence
from .estimates import Estimate, nothing
from .gaps import GroupRate
from .grouping import Grouping
from .rates import ratio

TWO_VALUED = 2
"""Groups of an attribute whose difference has a sign."""


def across_classes(rate: GroupRate, grouping: Grouping, evidence: Evidence) -> Iterator[Estimate]:
    """Yield how the two groups' true positive rates differ from class to class."""
    if len(grouping.names) != TWO_VALUED:
        return
    usable = rate.defined.all(axis=1)
    gap = (rate.values[:, 0] - rate.values[:, 1])[usable]  # (n_classes, n_seeds, 1 + replicates)
    rms = Estimate(
        metric="true_positive_rate_gap_rms",
        attribute=grouping.attribute,
        group="gap",
        values=root_mean_square(gap),
        n=int(rate.n[usable].sum()),
        family="error",
        undefined="no class has examples of both groups",
    )
    if rate.floor is not None:
        floor = root_mean_square((rate.floor[:, 0] - rate.floor[:, 1])[usable])
        rms = replace(rms, floor=floor)
    share = _share_in_training(evidence, grouping)
    yield rms
    yield replace(
        rms,
        metric="true_positive_rate_gap_correlation",
        values=correlation(gap, share[usable])
        if share is not None
        else nothing(len(evidence.test)),
        family="mean",
        floor=None,
        undefined="no variation between classes" if share is not None else "no training counts",
    )


def _share_in_training(evidence: Evidence, grouping: Grouping) -> Array | None:
    """Return the first group's share of each class's training examples (n_classes,)."""
    counts = evidence.training_counts.get(grouping.attribute, {})
    if not all(name in counts for name in grouping.names):
        return None
    first, second = (np.asarray(counts[name], dtype=np.float64) for name in grouping.names)
    return ratio(first, first + second)


def root_mean_square(gap: Array) -> Array:
    """Return the root mean square over classes, NaN where there is none."""
    return np.asarray(np.sqrt(ratio((gap**2).sum(axis=0), np.full(gap.shape[1:], len(gap)))))


def correlation(gap: Array, share: Array) -> Array:
    """Return the correlation over classes of gap (n_classes, ...) with share (n_classes,)."""
    known = ~np.isnan(share)
    if known.sum() <= 1:
        return np.full(gap.shape[1:], np.nan)
    gap, share = gap[known], share[known]
    away, part = gap - gap.mean(axis=0), share - share.mean()
    scale = np.sqrt((away**2).sum(axis=0) * (part**2).sum())
    return ratio(np.einsum("c...,c->...", away, part), scale)
