"""Accuracy: how often the classifier is right on the whole test set, and how well it ranks."""

from collections.abc import Iterator

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, Predictions
from ..statistics.estimates import Estimate, Family, nothing
from ..statistics.ranking import ROC_AUC, Area, dense_rank, macro_roc_area, precision_area
from ..statistics.rates import ACCURACY, accuracy, confusion, keep_observed, ratio, square
from ..statistics.sample import BINARY, Sample
from ..statistics.scores import LOG_LOSS, NO_PROBABILITIES, log_loss, means

METRICS = {
    "accuracy": ACCURACY,
    "balanced_accuracy": Metric(
        better="higher",
        low=0,
        high=1,
        reference="Brodersen et al. (2010), ICPR",
        definition="Mean over the classes that occur of the share of the class predicted right.",
    ),
    "f1_macro": Metric(
        better="higher",
        low=0,
        high=1,
        reference="Opitz & Burst (2019), arXiv:1911.03347 (averaged F1)",
        definition="Mean of 2 TP / (labelled + predicted) over classes labelled or predicted.",
    ),
    "matthews_corrcoef": Metric(
        better="higher",
        low=-1,
        high=1,
        reference="Matthews (1975); Gorodkin (2004) for C>2",
        definition=(
            "Correlation of label and prediction. Undefined where one class alone is labelled or "
            "predicted (scikit-learn says 0 there)."
        ),
    ),
    "log_loss": LOG_LOSS,
    "roc_auc": ROC_AUC,
    "average_precision": Metric(
        better="higher",
        low=0,
        high=1,
        reference="Zhu (2004); scikit-learn average_precision_score",
        definition="Binary: mean over positives of the precision at their p1.",
    ),
}
DEVIATIONS = {
    "matthews_corrcoef": (
        "scikit-learn: 0 where one class alone is labelled or predicted. There is no correlation "
        "with a constant: undefined."
    ),
    "balanced_accuracy": (
        "scikit-learn warns when a class is predicted but never labelled; the number is the same."
    ),
    "roc_auc": (
        "Draws are linear in the influence of each example (DeLong), not areas computed again: "
        "the same spread at a fraction of the cost."
    ),
}
FAMILY: dict[str, Family] = {
    "accuracy": "rate",
    "balanced_accuracy": "rate",
    "roc_auc": "rate",
    "average_precision": "rate",
}


class Accuracy(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    on_by_default = True
    section = "comparison"

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield every metric of the whole test set."""
        tables = [confusion(sample, sample.everyone, p.prediction) for p in evidence.test]
        by_seed = [keep_observed(sample.bootstrap(table, _counted)) for table in tables]
        for metric, values in zip(_COUNTED, np.stack(by_seed, axis=1), strict=True):
            yield _estimate(
                metric, values, sample.n, "label or prediction is always the same class"
            )
        if evidence.test[0].probability is None:
            for metric in ("log_loss", "roc_auc", "average_precision"):
                yield _estimate(metric, nothing(len(evidence.test)), sample.n, NO_PROBABILITIES)
            return
        losses = [log_loss(_probability(p), sample.label) for p in evidence.test]
        values = np.stack([means(sample, sample.everyone, loss)[0] for loss in losses])
        yield _estimate("log_loss", values, sample.n, "")
        areas = [_areas(p) for p in evidence.test]
        for metric in areas[0]:
            parts = [area[metric] for area in areas]
            values = sample.linearised((a.value, a.influence) for a in parts).clip(0, 1)
            yield _estimate(metric, values, parts[0].n, "a class is absent")


def _estimate(metric: str, values: Array, n: int, reason: str) -> Estimate:
    family = FAMILY.get(metric, "mean")
    return Estimate(metric=metric, values=values, n=n, family=family, undefined=reason)


def _probability(predictions: Predictions) -> Array:
    if predictions.probability is None:
        raise ValueError("some seeds have probabilities and some have none")
    return predictions.probability


def _areas(predictions: Predictions) -> dict[str, Area]:
    """Return the areas that one seed's ranking earns."""
    probability, label = _probability(predictions), predictions.label
    binary = probability.shape[1] == BINARY
    ranks = np.column_stack(
        [dense_rank(p) for p in (probability.T[1:] if binary else probability.T)]
    )
    areas = {"roc_auc": macro_roc_area(ranks, label, np.ones(len(label), dtype=bool))}
    if binary:
        areas["average_precision"] = precision_area(ranks[:, 0], label == 1)
    return areas


_COUNTED = ("accuracy", "balanced_accuracy", "f1_macro", "matthews_corrcoef")


def _counted(counts: Array) -> Array:
    """Return the metrics of `_COUNTED` (4, draws) of a confusion table's sums."""
    table = square(counts)[0]
    hit = np.einsum("ccb->cb", table)
    labelled, predicted = table.sum(axis=1), table.sum(axis=0)
    recall, f1 = ratio(hit, labelled), ratio(2 * hit, labelled + predicted)
    n = table.sum(axis=(0, 1))
    covariance = hit.sum(axis=0) * n - (labelled * predicted).sum(axis=0)
    scale = (n**2 - (predicted**2).sum(axis=0)) * (n**2 - (labelled**2).sum(axis=0))
    matthews = ratio(covariance, np.sqrt(scale))
    return np.stack([accuracy(counts)[0], _mean(recall), _mean(f1), matthews])


def _mean(by_class: Array) -> Array:
    """Return the mean over the classes that are defined."""
    defined = ~np.isnan(by_class)
    return ratio(np.where(defined, by_class, 0).sum(axis=0), defined.sum(axis=0))
