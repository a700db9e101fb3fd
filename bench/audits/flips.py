"""Flips: what a new model gets wrong that the one before had right, and the reverse."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, Predictions
from ..statistics.estimates import Estimate, nothing
from ..statistics.gaps import GroupRate, between_groups
from ..statistics.grouping import Grouping
from ..statistics.rates import keep_observed, ratio
from ..statistics.sample import Sample, Table

_YAN = "Yan et al. (2021), CVPR, Positive-Congruent Training"
_SEEDS = "Of each seed the mean over the seeds of the model before."
METRICS = {
    "negative_flip_rate": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_YAN,
        definition=(
            f"Share of examples that the model before answered right and this one wrong. {_SEEDS}"
        ),
    ),
    "positive_flip_rate": Metric(
        better="higher",
        low=0,
        high=1,
        reference=_YAN,
        definition=(
            f"Share of examples that the model before answered wrong and this one right. {_SEEDS}"
        ),
    ),
    "negative_flip_rate_difference": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_YAN,
        definition="Highest minus lowest negative flip rate over the groups of sufficient size.",
    ),
}
DEVIATIONS = {
    "negative_flip_rate": (
        "Yan et al. compare two models; with several seeds a side the mean over all pairs, which "
        "also holds what training again flips."
    )
}
_ALONE = "nothing to compare with: no answers of a model before"


class Flips(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    needs = frozenset({"before"})
    on_by_default = True

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield the flip rates of the whole set and by group, and the gap of the negative ones."""
        flips = [_flips(p, evidence.before) for p in evidence.test]
        for grouping in (sample.everyone, *sample.groupings):
            for name, column in (("negative_flip_rate", 0), ("positive_flip_rate", 1)):
                rate = _rate(name, [f[column] for f in flips], grouping, sample)
                for group in range(len(grouping.names)):
                    yield rate.estimate(0, group, grouping)
                if grouping.attribute and name.startswith("negative") and grouping.names:
                    yield between_groups(f"{name}_difference", "gap", [rate], grouping)


def _flips(now: Predictions, before: Sequence[Predictions]) -> tuple[Array, Array]:
    """Return what each example adds to the negative and positive rates; NaN where unknown."""
    negative, positive = [], []
    right = now.prediction == now.label
    for other in before:
        order = np.argsort(other.example_id)
        place = np.searchsorted(other.example_id, now.example_id, sorter=order)
        place = order[np.minimum(place, len(order) - 1)]
        known = other.example_id[place] == now.example_id
        was = (other.prediction == other.label)[place]
        negative.append(np.where(known, was & ~right, np.nan))
        positive.append(np.where(known, ~was & right, np.nan))
    if not before:
        return (np.full(len(right), np.nan),) * 2
    return np.mean(negative, axis=0), np.mean(positive, axis=0)


def _rate(name: str, flips: Sequence[Array], grouping: Grouping, sample: Sample) -> GroupRate:
    size = len(grouping.names)
    known = ~np.isnan(flips[0])
    if not known.any():
        values = np.broadcast_to(nothing(len(flips)), (1, size, len(flips), 3))
    else:
        by_seed = [_means(sample, grouping, flip)[:size] for flip in flips]
        values = np.stack(by_seed, axis=1)[None]
    number = np.bincount(grouping.code[known], minlength=grouping.size)[None, :size]
    floor = _floor(sample, grouping, flips) if size > 1 and known.all() else None
    return GroupRate(name=name, values=values, n=number, floor=floor, missing=_ALONE)


def _table(sample: Sample, grouping: Grouping, flip: Array) -> Table:
    seen = ~np.isnan(flip)
    values = np.column_stack([np.where(seen, flip, 0), seen])
    return Table(grouping.code, np.zeros(sample.n, np.int64), (grouping.size, 1), values)


def _share(sums: Array) -> Array:
    return ratio(sums[:, 0, 0], sums[:, 0, 1])


def _means(sample: Sample, grouping: Grouping, flip: Array) -> Array:
    """Return the share of the examples that both models answered (n_groups, 1 + replicates)."""
    return keep_observed(sample.bootstrap(_table(sample, grouping, flip), _share))


def _floor(sample: Sample, grouping: Grouping, flips: Sequence[Array]) -> Array:
    """Return (1, n_groups, n_seeds, replicates) with groups permuted within label."""
    size = len(grouping.names)
    drawn = [
        sample.permuted(_table(sample, grouping, f), grouping, lambda s: _share(s)[:size])
        for f in flips
    ]
    return np.stack(drawn, axis=1)[None]
