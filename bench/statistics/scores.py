"""Proper scores: what a row's stated probabilities cost once the label is known."""

import numpy as np

from ..schema import Array, Metric
from .grouping import Grouping
from .rates import keep_observed, ratio
from .sample import BINARY, Sample, Table

NO_PROBABILITIES = "no probabilities"
LOG_LOSS = Metric(
    better="lower",
    low=0,
    high=np.inf,
    reference="Good (1952), Journal of the Royal Statistical Society B",
    definition="Mean of -ln p(label), p clipped at 2.2e-16.",
)


def log_loss(probability: Array, label: Array) -> Array:
    """Return -ln p(label) of each row (n,), with p clipped at machine precision."""
    smallest = np.finfo(np.float64).eps
    predicted = probability[np.arange(len(label)), label]
    return np.asarray(-np.log(np.clip(predicted, smallest, 1 - smallest)))


def brier(probability: Array, label: Array) -> Array:
    """Return each row's squared error (n,): binary (p1 − y)², C>2 the sum over classes."""
    if probability.shape[1] == BINARY:
        return np.asarray((probability[:, 1] - label) ** 2)
    return np.asarray(((probability - np.eye(probability.shape[1])[label]) ** 2).sum(axis=1))


def means(sample: Sample, grouping: Grouping, score: Array) -> Array:
    """Return the mean score of each group (n_groups, 1 + replicates)."""
    values = np.column_stack([score, np.ones(sample.n)])
    table = Table(grouping.code, np.zeros(sample.n, np.int64), (grouping.size, 1), values)
    return keep_observed(sample.bootstrap(table, lambda sums: ratio(sums[:, 0, 0], sums[:, 0, 1])))
