"""Areas under the ROC curve by group, and the bias score made of them (Borkan et al. 2019)."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..schema import Array
from .gaps import GroupRate
from .grouping import Grouping
from .ranking import Area, dense_rank, macro_roc_area, roc_area
from .rates import ratio
from .sample import Sample, Table

POWER = -5.0
"""Of the generalised mean over groups: the worst group weighs most."""
BINARY_AREAS = ("roc_auc", "bpsn_auc", "bnsp_auc")


def group_areas(
    sample: Sample, grouping: Grouping, probabilities: Sequence[Array]
) -> dict[str, GroupRate]:
    """Return each group's subgroup area and, for a binary task, its BPSN and BNSP areas.

    BPSN ranks positives outside the group against the group's negatives, BNSP the reverse.
    """
    binary = sample.binary
    names = BINARY_AREAS if binary else BINARY_AREAS[:1]
    shape = (len(grouping.names), len(names))
    drawn, floors, smaller = [], [], np.zeros(shape)
    for probability in probabilities:
        columns = probability.T[1:] if binary else probability.T
        ranks = np.column_stack([dense_rank(p) for p in columns])
        areas = list(_areas(sample, grouping, ranks))
        draws = sample.linearised((a.value, a.influence) for a in areas)
        drawn.append(draws.clip(0, 1).reshape(*shape, -1))
        smaller = np.array([a.n for a in areas]).reshape(shape)
        if binary and len(grouping.names) > 1:
            floors.append(_without_disparity(sample, grouping, ranks[:, 0]))
    values = np.moveaxis(np.stack(drawn), 0, 2)  # (n_groups, n_names, n_seeds, draws)
    floor = np.stack(floors, axis=2) if floors else None  # (n_names, n_groups, n_seeds, draws)
    return {
        name: GroupRate(
            name=name,
            values=values[None, :, i],
            floor=None if floor is None else floor[i][None],
            n=smaller[None, :, i],
            missing="a class is absent in the group or outside it",
        )
        for i, name in enumerate(names)
    }


def _areas(sample: Sample, grouping: Grouping, ranks: Array) -> Iterator[Area]:
    """Yield group by group the areas in the order of `BINARY_AREAS`."""
    positive = sample.label == 1
    for index in range(len(grouping.names)):
        inside = grouping.code == index
        yield macro_roc_area(ranks, sample.label, inside)
        if ranks.shape[1] == 1:
            yield roc_area(ranks[:, 0], positive & ~inside, ~positive & inside)
            yield roc_area(ranks[:, 0], positive & inside, ~positive & ~inside)


def _without_disparity(sample: Sample, grouping: Grouping, rank: Array) -> Array:
    """Return (n_names, n_groups, draws) areas with groups permuted within label.

    To first order an area is the overall one plus the mean excess placement of the positives and
    of the negatives that it compares.
    """
    positive = sample.label == 1
    whole = roc_area(rank, positive, ~positive)
    excess = whole.influence * np.where(positive, positive.sum(), (~positive).sum())
    cell = positive.astype(np.int64)
    table = Table(grouping.code, cell, (grouping.size, 2), excess[:, None])
    size = np.bincount(table.flat, minlength=2 * grouping.size).reshape(-1, 2, 1)

    def areas(sums: Array) -> Array:
        total = sums[:, :, 0]
        inside = ratio(total, np.broadcast_to(size, total.shape))
        rest = np.broadcast_to(size.sum(axis=0) - size, total.shape)
        outside = ratio(total.sum(axis=0) - total, rest)
        subgroup = inside[:, 1] + inside[:, 0]
        bpsn, bnsp = outside[:, 1] + inside[:, 0], inside[:, 1] + outside[:, 0]
        return (whole.value + np.stack([subgroup, bpsn, bnsp]))[:, : len(grouping.names)]

    return sample.permuted(table, grouping, areas).clip(0, 1)


def bias_score(areas: Array) -> Array:
    """Return the mean over area kinds of the generalised mean over groups.

    Parameters
    ----------
    areas
        (n_kinds, n_groups, ...); an undefined area is left out.
    """
    powered = np.maximum(areas, 1e-9) ** POWER
    defined = ~np.isnan(powered)
    total = np.where(defined, powered, 0).sum(axis=1)
    return np.asarray((ratio(total, defined.sum(axis=1)) ** (1 / POWER)).mean(axis=0))
