"""Rates of a count table: what share of a group's examples the classifier got how."""

from collections.abc import Sequence

import numpy as np

from ..schema import Array, Metric
from .grouping import Grouping
from .sample import BINARY, Sample, Table

ACCURACY = Metric(
    better="higher",
    low=0,
    high=1,
    reference="Pedregosa et al. (2011), JMLR (scikit-learn accuracy_score)",
    definition="Share of examples whose prediction is their label.",
)
RATES = (
    "base_rate",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "false_negative_rate",
    "precision",
)
"""One-vs-rest rates in the order of `one_vs_rest`."""


def ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, NaN where whole is 0: undefined is not zero."""
    out = np.full(np.shape(part), np.nan)
    return np.asarray(np.divide(part, whole, out=out, where=whole != 0))


def keep_observed(values: Array) -> Array:
    """Replace undefined draws (..., 1 + replicates) by the observed number in column 0.

    A draw in which a group lost all its positives says nothing about its rate.
    """
    return np.where(np.isnan(values), values[..., :1], values)


def confusion(sample: Sample, grouping: Grouping, prediction: Array) -> Table:
    """Return the (group × label × prediction) table of one seed."""
    n_classes = len(sample.classes)
    cell = sample.label * n_classes + prediction
    return Table(grouping.code, cell, (grouping.size, n_classes**2), counted=True)


def square(counts: Array) -> Array:
    """Return (n_groups, n_labels, n_predictions, draws) of a confusion table's sums."""
    n_classes = round(counts.shape[1] ** 0.5)
    return counts[:, :, 0].reshape(len(counts), n_classes, n_classes, -1)


def accuracy(counts: Array) -> Array:
    """Return the share of correct predictions of each group (n_groups, draws)."""
    table = square(counts)
    return ratio(np.einsum("gccb->gb", table), table.sum(axis=(1, 2)))


def cell_accuracy(counts: Array) -> Array:
    """Return the share correct of each (label × group) cell (n_labels, n_groups, draws)."""
    table = square(counts)
    return np.moveaxis(ratio(np.einsum("gccb->gcb", table), table.sum(axis=2)), 1, 0)


def one_or_all(n_classes: int) -> Sequence[int]:
    """Return the classes to hold against the rest: the positive one, C>2 each."""
    return (1,) if n_classes == BINARY else range(n_classes)


def one_vs_rest(counts: Array) -> Array:
    """Return (rate, class, n_groups, draws) rates of `RATES`; binary: of classes[1] alone."""
    table = square(counts)
    n = table.sum(axis=(1, 2))
    by_class = []
    for c in one_or_all(table.shape[1]):
        hit, positive, selected = (
            table[:, c, c],
            table[:, c].sum(axis=1),
            table[:, :, c].sum(axis=1),
        )
        by_class.append(
            [
                ratio(positive, n),
                ratio(selected, n),
                ratio(hit, positive),
                ratio(selected - hit, n - positive),
                ratio(positive - hit, positive),
                ratio(hit, selected),
            ]
        )
    return np.swapaxes(np.array(by_class), 0, 1)


def denominators(counts: Array) -> Array:
    """Return (rate, class, n_groups) numbers of examples that `one_vs_rest` rates rest on."""
    table = square(counts)[..., 0]
    n = table.sum(axis=(1, 2))
    by_class = []
    for c in one_or_all(table.shape[1]):
        positive, selected = table[:, c].sum(axis=1), table[:, :, c].sum(axis=1)
        by_class.append([n, n, positive, n - positive, positive, selected])
    return np.swapaxes(np.array(by_class), 0, 1)
