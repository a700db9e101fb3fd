"""What one seed's stated probabilities earn on calibration, group by group."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..schema import Array
from .binning import (
    binned,
    debiased_error,
    equal_mass,
    equal_width,
    expected_error,
    in_the_large,
    murphy,
    sampling_bias,
)
from .grouping import Grouping
from .rates import keep_observed, one_or_all
from .sample import Sample
from .scores import brier, means
from .smoothing import smooth_error

BINARY_METRICS = (
    "positive_calibration_error",
    "brier_reliability",
    "brier_resolution",
    "brier_uncertainty",
    "calibration_in_the_large",
)
"""Those of the positive class's bins, in the order of `_binary`."""


def measured(sample: Sample, grouping: Grouping, probability: Array) -> dict[str, Array]:
    """Return metric -> (n_groups, 1 + replicates) of one seed."""
    by_metric: dict[str, Array] = {}
    for metrics, measure in (
        *_TOP_LABEL.items(),
        *(_BY_BINS if sample.binary else _BY_CLASS).items(),
    ):
        if sample.settings.wants(*metrics):
            values = measure(sample, grouping, probability)
            by_metric |= zip(metrics, map(keep_observed, values), strict=True)
    return by_metric


def sampling_biases(sample: Sample, grouping: Grouping, probability: Array) -> dict[str, Array]:
    """Return what sampling adds to the binned errors of one seed (n_groups, 2)."""
    confidence, right = _top_label(sample, probability)
    massed, wide = equal_mass(confidence, grouping), equal_width(confidence)
    classes = one_or_all(len(sample.classes))
    by_class = [
        sampling_bias(
            grouping, equal_width(probability[:, c]), probability[:, c], sample.label == c
        )
        for c in classes
    ]
    positive = "positive_calibration_error" if sample.binary else "classwise_calibration_error"
    return {
        "expected_calibration_error": sampling_bias(grouping, wide, confidence, right),
        "adaptive_calibration_error": sampling_bias(grouping, massed, confidence, right),
        positive: np.mean(by_class, axis=0),
    }


def _top_label(sample: Sample, probability: Array) -> tuple[Array, Array]:
    return probability.max(axis=1), probability.argmax(axis=1) == sample.label


def diagram(sample: Sample, probability: Array) -> tuple[Array, Array]:
    """Return what was predicted and what happened: p1 and y, for C>2 the top label's."""
    if sample.binary:
        return probability[:, 1], sample.label
    return _top_label(sample, probability)


def _equal_width(sample: Sample, grouping: Grouping, probability: Array) -> list[Array]:
    confidence, right = _top_label(sample, probability)
    table = binned(grouping, equal_width(confidence), confidence, right)
    return [sample.bootstrap(table, expected_error)]


def _equal_mass(sample: Sample, grouping: Grouping, probability: Array) -> Array:
    confidence, right = _top_label(sample, probability)
    table = binned(grouping, equal_mass(confidence, grouping), confidence, right)
    return sample.bootstrap(
        table, lambda sums: np.stack([expected_error(sums), debiased_error(sums)])
    )


def _smooth(sample: Sample, grouping: Grouping, probability: Array) -> list[Array]:
    return [smooth_error(sample, grouping, *diagram(sample, probability))]


def _brier(sample: Sample, grouping: Grouping, probability: Array) -> list[Array]:
    return [means(sample, grouping, brier(probability, sample.label))]


def _binary(sample: Sample, grouping: Grouping, probability: Array) -> Array:
    predicted = probability[:, 1]
    return sample.bootstrap(
        binned(grouping, equal_width(predicted), predicted, sample.label),
        lambda sums: np.stack([expected_error(sums), *murphy(sums), in_the_large(sums)]),
    )


def _multiclass(sample: Sample, grouping: Grouping, probability: Array) -> list[Array]:
    total = np.zeros((grouping.size, 1 + sample.settings.replicates))
    for c, predicted in enumerate(probability.T):
        table = binned(grouping, equal_width(predicted), predicted, sample.label == c)
        total += sample.bootstrap(table, expected_error)
    return [total / len(sample.classes)]


_Measure = Callable[[Sample, Grouping, Array], Iterable[Array]]
_TOP_LABEL: Mapping[tuple[str, ...], _Measure] = {
    ("expected_calibration_error",): _equal_width,
    ("adaptive_calibration_error", "debiased_calibration_error"): _equal_mass,
    ("smooth_calibration_error",): _smooth,
    ("brier_score",): _brier,
}
_BY_BINS: Mapping[tuple[str, ...], _Measure] = {BINARY_METRICS: _binary}
_BY_CLASS: Mapping[tuple[str, ...], _Measure] = {("classwise_calibration_error",): _multiclass}
