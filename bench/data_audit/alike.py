"""Columns that look like clusters: many rows a value, whose labels are alike."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import f as f_distribution

from ..schema import Array, Task

FEWEST_VALUES = 10
"""Below, a column is a group rather than one cluster of many."""
ROWS_A_VALUE = 2.0
"""On average at least, of the values that occur."""
ALIKE = 0.05
"""Intraclass correlation of the label from which on a column is named."""
SURE = 0.001
"""Chance of labels as alike by accident, at most."""
_FRACTION = re.compile(r"[+-]?\d*\.\d*[1-9]\d*([eE][+-]?\d+)?")


class Alike(NamedTuple):
    """How much the rows that share a column's value are alike."""

    column: str
    values: int
    rows_a_value: float
    largest: int
    correlation: float
    """Intraclass correlation of the label, of its classes the largest."""
    wider: float
    """Times that the standard error of a mean grows if errors are as alike as labels."""
    across: int
    """Values that occur in training and in test."""


def alike(task: Task, columns: Mapping[str, Array]) -> Iterator[Alike]:
    """Yield what columns look like clusters.

    Parameters
    ----------
    columns
        Name -> (n,) str, "" where a value is missing.
    """
    for name, column in columns.items():
        rows = column != ""
        values, code = np.unique(column[rows], return_inverse=True)
        many = FEWEST_VALUES <= len(values) <= rows.sum() / ROWS_A_VALUE
        if many and not any(_FRACTION.fullmatch(str(value)) for value in values):
            correlation, chance = _correlation(
                code, len(values), task.label[rows], len(task.classes)
            )
            if correlation >= ALIKE and chance <= SURE:
                yield described(task, name, column)


def described(task: Task, name: str, column: Array) -> Alike:
    """Return how much the rows that share one of the column's values are alike."""
    rows = np.flatnonzero(column != "")
    values, code = np.unique(column[rows], return_inverse=True)
    size = np.bincount(code)
    correlation, _ = _correlation(code, len(values), task.label[rows], len(task.classes))
    average = float((size**2).sum() / size.sum())
    train, test = (np.isin(values, column[task.split == side]) for side in ("train", "test"))
    return Alike(
        column=name,
        values=len(values),
        rows_a_value=float(size.mean()),
        largest=int(size.max()),
        correlation=correlation,
        wider=float(np.sqrt(1 + (average - 1) * max(correlation, 0.0))),
        across=int((train & test).sum()),
    )


def _correlation(code: Array, number: int, label: Array, n_classes: int) -> tuple[float, float]:
    """Return the largest intraclass correlation of a class, and the chance of so much by accident.

    One-way analysis of variance: (MSB - MSW) / (MSB + (m - 1) MSW) with m the average size of
    unequal clusters (Donner 1986, International Statistical Review 54, equation 2.1).
    """
    size = np.bincount(code, minlength=number)
    n = len(code)
    average = (n - (size**2).sum() / n) / (number - 1)
    best, chance = 0.0, 1.0
    for c in range(n_classes):
        hits = np.bincount(code, label == c, number)
        mean = hits.sum() / n
        between = ((hits - size * mean) ** 2 / size).sum() / (number - 1)
        within = (hits - hits**2 / size).sum() / max(n - number, 1)
        whole = between + (average - 1) * within
        if whole > 0 and (correlation := float((between - within) / whole)) > best:
            ratio = between / within if within > 0 else np.inf
            best = correlation
            chance = float(f_distribution.sf(ratio, number - 1, max(n - number, 1)))
    return best, chance * n_classes
