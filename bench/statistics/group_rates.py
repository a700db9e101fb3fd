"""The rates of every group, from count tables and from calibration bins."""

from collections.abc import Sequence

import numpy as np

from ..schema import Array, Predictions
from .binning import binned, equal_width, expected_error, residuals, sampling_bias
from .gaps import GroupRate
from .grouping import Grouping
from .rates import (
    RATES,
    accuracy,
    cell_accuracy,
    confusion,
    denominators,
    keep_observed,
    one_or_all,
    one_vs_rest,
    square,
)
from .sample import Sample, Statistic, Table

MISSING = {
    "true_positive_rate": "no positives",
    "false_negative_rate": "no positives",
    "false_positive_rate": "no negatives",
    "precision": "nothing selected",
}


def counted_rates(
    sample: Sample, grouping: Grouping, seeds: Sequence[Predictions], *, floors: bool = True
) -> dict[str, GroupRate]:
    """Return every rate of the count table, by name; `cell_accuracy` has one kind a label."""
    tables = [confusion(sample, grouping, p.prediction) for p in seeds]
    values = _over_seeds(sample, grouping, tables, _rates)
    floor = _floors(sample, grouping, tables, _rates) if floors else None
    rests_on = np.mean([_rests_on(table) for table in tables], axis=0)
    clusters = _clusters(sample, grouping, [p.prediction for p in seeds])
    n_labels = len(sample.classes)
    ends = np.cumsum([0, 1, n_labels, *[len(one_or_all(n_labels))] * len(RATES)])
    names = ("accuracy", "cell_accuracy", *RATES)
    return {
        name: GroupRate(
            name=name,
            values=values[start:end],
            floor=None if floor is None else floor[start:end],
            n=rests_on[start:end, : len(grouping.names)],
            clusters=None if clusters is None else clusters[start:end],
            missing=MISSING.get(name, "no such examples"),
        )
        for name, start, end in zip(names, ends, ends[1:], strict=False)
    }


def calibration_errors(
    sample: Sample, grouping: Grouping, probabilities: Sequence[Array]
) -> GroupRate:
    """Return each group's positive calibration error; C>2: the mean over classes one-vs-rest."""
    classes = one_or_all(len(sample.classes))
    values: list[Array] = []
    floors: list[Array] = []
    sampling_biases: list[list[Array]] = []
    for c in classes:
        rows = [
            (grouping, equal_width(p[:, c]), p[:, c], sample.label == c) for p in probabilities
        ]
        tables = [binned(*row) for row in rows]
        sampling_biases.append([sampling_bias(*row) for row in rows])
        values.append(_over_seeds(sample, grouping, tables, lambda s: expected_error(s)[None]))
        if len(grouping.names) > 1:
            floors.append(_error_floors(sample, grouping, [residuals(*row) for row in rows]))
    size = np.bincount(grouping.code, minlength=grouping.size)[: len(grouping.names)]
    return GroupRate(
        name="positive_calibration_error" if sample.binary else "classwise_calibration_error",
        values=np.mean(values, axis=0),
        floor=np.mean(floors, axis=0) if floors else None,
        n=size[None],
        sampling_bias=np.mean(sampling_biases, axis=0).swapaxes(0, 1),
        family="error",
    )


def _over_seeds(
    sample: Sample, grouping: Grouping, tables: Sequence[Table], statistic: Statistic
) -> Array:
    """Return (n_kinds, n_groups, n_seeds, 1 + replicates)."""
    size = len(grouping.names)
    values = [sample.bootstrap(table, lambda s: statistic(s)[:, :size]) for table in tables]
    return keep_observed(np.stack(values, axis=2))


def _floors(
    sample: Sample, grouping: Grouping, tables: Sequence[Table], statistic: Statistic
) -> Array | None:
    """Return (n_kinds, n_groups, n_seeds, replicates) without disparity; None for one group."""
    size = len(grouping.names)
    if size <= 1:
        return None
    drawn = [sample.permuted(t, grouping, lambda s: statistic(s)[:, :size]) for t in tables]
    return np.stack(drawn, axis=2)


def _error_floors(sample: Sample, grouping: Grouping, tables: Sequence[Table]) -> Array:
    """Return the floors of `expected_error` from residuals: a group's size never changes."""
    size = np.bincount(grouping.code, minlength=grouping.size)[: len(grouping.names), None]

    def error(residuals: Array) -> Array:
        return np.asarray(np.abs(residuals[: len(size), :, 0]).sum(axis=1) / size)[None]

    drawn = [sample.permuted(table, grouping, error) for table in tables]
    return np.stack(drawn, axis=2)


def _rates(counts: Array) -> Array:
    """Return (1 + n_labels + n_rates * n_classes, n_groups, draws)."""
    by_class = one_vs_rest(counts)
    return np.concatenate([accuracy(counts)[None], cell_accuracy(counts), *by_class])


def _rests_on(table: Table) -> Array:
    """Return the number of examples that each of `_rates` rests on, for each group."""
    counts = np.bincount(table.flat, minlength=table.shape[0] * table.shape[1])
    counts = counts.reshape(*table.shape, 1, 1).astype(np.float64)
    by_label = square(counts)[..., 0].sum(axis=2)
    return np.concatenate([by_label.sum(axis=1)[None], by_label.T, *denominators(counts)])


def _clusters(sample: Sample, grouping: Grouping, predictions: Sequence[Array]) -> Array | None:
    """Return the effective number of clusters that each of `_rates` rests on (n_kinds, n_groups).

    Of a precision's, which differ from seed to seed, the mean.
    """
    size, n_classes = len(grouping.names), len(sample.classes)

    def within(chosen: Array) -> Array:
        rows = chosen & (grouping.code < size)
        number = sample.effective_clusters(np.where(rows, grouping.code, -1), size)
        return np.zeros(size) if number is None else number

    if sample.clusters is None:
        return None
    every = within(np.ones(sample.n, dtype=bool))
    of_label = [within(sample.label == c) for c in range(n_classes)]
    by_class = []
    for c in one_or_all(n_classes):
        negative = within(sample.label != c)
        selected = np.mean([within(p == c) for p in predictions], axis=0)
        by_class.append([every, every, of_label[c], negative, of_label[c], selected])
    rates = np.swapaxes(np.array(by_class), 0, 1).reshape(-1, size)
    return np.concatenate([every[None], of_label, rates])
