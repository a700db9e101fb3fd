"""Arbitrariness: whose decision depends on the seed that the model was trained with."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..audit import Audit
from ..schema import Array, CurvePointBand, Evidence, Metric
from ..statistics.estimates import Estimate, nothing
from ..statistics.gaps import GroupRate, between_groups
from ..statistics.grouping import Grouping
from ..statistics.intervals import interval
from ..statistics.jackknife import pseudo_values
from ..statistics.sample import Sample, Table
from ..statistics.scores import means

_COOPER = "Cooper et al. (2024), AAAI, Arbitrariness and Social Prediction"
_ONE = "one seed: nothing to disagree with"
_DIFFERENCE = "Highest minus lowest share over the groups of sufficient size."
METRICS = {
    "arbitrariness": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_COOPER,
        definition=(
            "Share of examples that the seeds of a strategy do not all decide alike. It grows "
            "with the number of seeds: compare strategies with equally many."
        ),
    ),
    "disagreement": Metric(
        better="lower",
        low=0,
        high=1,
        reference=f"{_COOPER}: 1 - mean self-consistency",
        definition=(
            "Chance that two seeds decide an example differently, mean over examples. It does "
            "not depend on the number of seeds."
        ),
    ),
    "arbitrariness_difference": Metric(
        better="lower", low=0, high=1, reference=_COOPER, definition=_DIFFERENCE
    ),
    "disagreement_difference": Metric(
        better="lower", low=0, high=1, reference=_COOPER, definition=_DIFFERENCE
    ),
}
NAMES = ("arbitrariness", "disagreement")


class Differing(NamedTuple):
    """What each example adds to a share: with all seeds, and without each of them."""

    whole: Array  # (n,)
    without: tuple[Array, ...]  # one a seed


class Arbitrariness(Audit):
    metrics = METRICS
    needs = frozenset({"seeds"})
    on_by_default = True

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield both shares, of the whole set and by group, and their gaps."""
        answers = np.stack([p.prediction for p in evidence.test])
        if len(answers) == 1:
            yield from _undefined(sample)
            return
        for name, differing in _differing(answers).items():
            for grouping in (sample.everyone, *sample.groupings):
                yield from _by_group(name, differing, grouping, sample)

    def curves(self, evidence: Evidence, sample: Sample) -> Iterator[CurvePointBand]:
        """Yield the share of examples whose self-consistency is at most so much."""
        answers = np.stack([p.prediction for p in evidence.test])
        if len(answers) == 1:
            return
        consistency = 1 - _disagreement(answers)
        for level in np.unique(consistency.round(9)):
            below = (consistency <= level + 1e-9).astype(np.float64)
            for grouping in (sample.everyone, *sample.groupings):
                values = means(sample, grouping, below)
                for index, name in enumerate(grouping.names):
                    n = int((grouping.code == index).sum())
                    share = Estimate(
                        metric="", attribute=grouping.attribute, group=name,
                        values=values[index : index + 1], n=n, family="rate",
                    )  # fmt: skip
                    share = next(sample.resting([share]))
                    low, high, *_ = interval(share, (0, 1))
                    yield CurvePointBand(
                        strategy=evidence.strategy,
                        curve="self_consistency",
                        attribute=grouping.attribute,
                        group=name,
                        x=float(level),
                        value=float(share.theta[0]),
                        low=low,
                        high=high,
                    )


def _differing(answers: Array) -> dict[str, Differing]:
    """Return what (n_seeds, n) answers add to each share."""
    measures = {"arbitrariness": _not_alike, "disagreement": _disagreement}
    rest = [np.delete(answers, k, axis=0) for k in range(len(answers))]
    return {
        name: Differing(measure(answers), tuple(measure(others) for others in rest))
        for name, measure in measures.items()
    }


def _not_alike(answers: Array) -> Array:
    return np.asarray((answers != answers[0]).any(axis=0), dtype=np.float64)


def _disagreement(answers: Array) -> Array:
    """Return the share of pairs of seeds that differ on each example; 0 where there is no pair."""
    pairs = [answers[i] != answers[j] for i, j in combinations(range(len(answers)), 2)]
    return np.mean(pairs, axis=0) if pairs else np.zeros(answers.shape[1])


def _by_group(
    name: str, differing: Differing, grouping: Grouping, sample: Sample
) -> Iterator[Estimate]:
    size = len(grouping.names)
    if not size:
        return
    whole = means(sample, grouping, differing.whole)[:size]
    without = [means(sample, grouping, each)[:size] for each in differing.without]
    rate = GroupRate(
        name=name,
        values=np.moveaxis(pseudo_values(whole, without), 0, 1)[None],
        n=np.bincount(grouping.code, minlength=size)[None, :size],
    )
    for group in range(size):
        yield replace(rate.estimate(0, group, grouping), joint=True)
    if grouping.attribute:
        yield _gap(rate, (whole, without), differing, grouping, sample)


def _gap(
    rate: GroupRate,
    shares: tuple[Array, Sequence[Array]],
    differing: Differing,
    grouping: Grouping,
    sample: Sample,
) -> Estimate:
    """Return the range over groups of all seeds' shares, with its floor."""
    made = between_groups(f"{rate.name}_difference", "gap", [rate], grouping)
    if not made.defined:
        return replace(made, joint=True)
    extent = [np.ptp(share, axis=0) for share in (shares[0], *shares[1])]
    values = pseudo_values(extent[0], extent[1:])
    size = len(grouping.names)
    number = np.bincount(grouping.code, minlength=grouping.size)[:size, None]
    table = Table(
        grouping.code, np.zeros(sample.n, np.int64), (grouping.size, 1), differing.whole[:, None]
    )
    floor = sample.permuted(
        table, grouping, lambda sums: np.ptp(sums[:size, 0, 0] / number, axis=0)
    )
    return replace(made, joint=True, values=values, floor=np.stack([floor] * len(values)))


def _undefined(sample: Sample) -> Iterator[Estimate]:
    for grouping in (sample.everyone, *sample.groupings):
        gaps = ["gap"] if grouping.attribute and grouping.names else []
        for name in NAMES:
            for index, group in enumerate((*grouping.names, *gaps)):
                own = grouping.code == index
                is_gap = index == len(grouping.names)
                yield Estimate(
                    metric=f"{name}_difference" if is_gap else name,
                    attribute=grouping.attribute,
                    group=group,
                    values=nothing(1),
                    n=sample.n if is_gap else int(own.sum()),
                    joint=True,
                    undefined=_ONE,
                )
