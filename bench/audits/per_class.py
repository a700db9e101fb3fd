"""Per class: precision, recall and F1, what a class is taken for, and its curves."""

from collections.abc import Iterator

import numpy as np

from ..audit import Audit
from ..schema import Array, CurvePointBand, Evidence, Metric
from ..statistics.class_curves import GRID, class_curves
from ..statistics.estimates import Estimate, Family
from ..statistics.grouping import INTERSECTION
from ..statistics.intervals import interval
from ..statistics.rates import confusion, keep_observed, one_or_all, ratio, square
from ..statistics.sample import Sample

MOST_CONFUSED = 30
"""Classes up to which every pair of label and prediction is measured."""
MOST_DRAWN = 10
"""Classes up to which curves are drawn."""
_SKLEARN = "Pedregosa et al. (2011), JMLR (scikit-learn precision_recall_fscore_support)"
METRICS = {
    "class_support": Metric(
        better="neither",
        low=0,
        high=np.inf,
        reference=_SKLEARN,
        definition="Examples whose label is the class.",
    ),
    "class_precision": Metric(
        better="higher",
        low=0,
        high=1,
        reference=_SKLEARN,
        definition="Of the examples predicted as the class, the share whose label it is.",
    ),
    "class_recall": Metric(
        better="higher",
        low=0,
        high=1,
        reference=_SKLEARN,
        definition="Of the examples whose label is the class, the share predicted as it.",
    ),
    "class_f1": Metric(
        better="higher",
        low=0,
        high=1,
        reference=_SKLEARN,
        definition="2 TP / (labelled + predicted) of the class.",
    ),
    "confused_share": Metric(
        better="lower",
        low=0,
        high=1,
        reference="scikit-learn confusion_matrix(normalize='true'), off the diagonal",
        definition=(
            'Of the examples of one class, the share predicted as another: "label × prediction". '
            "The share predicted right is class_recall."
        ),
    ),
    "confused_count": Metric(
        better="neither",
        low=0,
        high=np.inf,
        reference="scikit-learn confusion_matrix",
        definition='Examples of a label and a prediction, "label × prediction"; mean over seeds.',
    ),
}
DEVIATIONS = {
    "class_precision": (
        "scikit-learn: 0, with a warning, where nothing is predicted as the class. A share of "
        "nothing is undefined."
    ),
    "class_recall": "scikit-learn: 0, with a warning, where the class has no example; undefined.",
    "class_f1": "scikit-learn: 0 where the class is neither labelled nor predicted; undefined.",
}
FAMILY: dict[str, Family] = {
    "class_precision": "rate",
    "class_recall": "rate",
    "confused_share": "rate",
}
_NAMES = ("class_precision", "class_recall", "class_f1")


class PerClass(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    on_by_default = True

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield every class's numbers, then the confusion matrix."""
        tables = [confusion(sample, sample.everyone, p.prediction) for p in evidence.test]
        counts = np.mean([t.observed[0, :, 0, 0] for t in tables], axis=0)
        n_classes = len(sample.classes)
        counts = counts.reshape(n_classes, n_classes)
        values = np.stack([keep_observed(sample.bootstrap(t, _rates)) for t in tables], axis=2)
        clusters = _clusters(evidence, sample)
        for c, name in enumerate(sample.classes):
            support, predicted = counts[c].sum(), counts[:, c].sum()
            yield _count("class_support", _group(name), [support] * len(tables))
            rests = (predicted, support, support + predicted - counts[c, c])
            for number, metric in enumerate(_NAMES):
                yield Estimate(
                    metric=metric,
                    group=_group(name),
                    values=values[number, c],
                    n=int(np.ceil(rests[number])),
                    clusters=clusters[number][c],
                    family=FAMILY.get(metric, "mean"),
                    undefined=_UNDEFINED[number],
                )
        if n_classes <= MOST_CONFUSED:
            yield from _matrix(evidence, sample, clusters[1])

    def curves(self, evidence: Evidence, sample: Sample) -> Iterator[CurvePointBand]:
        """Yield ROC and precision-recall curves, binary of the positive class alone."""
        stated = [p.probability for p in evidence.test if p.probability is not None]
        if len(stated) < len(evidence.test) or len(sample.classes) > MOST_DRAWN:
            return
        for c in one_or_all(len(sample.classes)):
            positive = sample.label == c
            both = [class_curves(sample, p[:, c], positive) for p in stated]
            smaller = int(min(positive.sum(), (~positive).sum()))
            for curve, drawn in zip(
                ("roc", "precision_recall"), zip(*both, strict=True), strict=True
            ):
                values = np.stack(drawn, axis=1)  # (GRID, n_seeds, 1 + replicates)
                for x, value in zip(GRID.tolist(), values, strict=True):
                    yield _point(evidence.strategy, (curve, sample.classes[c]), x, value, smaller)


_UNDEFINED = (
    "nothing is predicted as the class",
    "no example of the class",
    "no example of the class, labelled or predicted",
)


def _group(name: str) -> str:
    """Return what a class is called among groups, where "gap" has a meaning of its own."""
    return f"class {name}" if name == "gap" else name


def _rates(counts: Array) -> Array:
    """Return (3, n_classes, draws): precision, recall and F1 of a confusion table's sums."""
    table = square(counts)[0]
    hit = np.einsum("ccb->cb", table)
    labelled, predicted = table.sum(axis=1), table.sum(axis=0)
    return np.stack(
        [ratio(hit, predicted), ratio(hit, labelled), ratio(2 * hit, labelled + predicted)]
    )


def _shares(counts: Array) -> Array:
    """Return (n_labels, n_predictions, draws), the rows of a confusion table that sum to 1."""
    table = square(counts)[0]
    whole = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
    return ratio(table, whole)


def _matrix(evidence: Evidence, sample: Sample, clusters: list[float]) -> Iterator[Estimate]:
    """Yield the confusion matrix: counts, and the shares of each label off the diagonal."""
    tables = [confusion(sample, sample.everyone, p.prediction) for p in evidence.test]
    shares = np.stack([keep_observed(sample.bootstrap(t, _shares)) for t in tables], axis=2)
    counts = np.stack([square(t.observed)[0, :, :, 0] for t in tables], axis=-1)
    for label, name in enumerate(sample.classes):
        for prediction, other in enumerate(sample.classes):
            group = f"{name}{INTERSECTION}{other}"
            yield _count("confused_count", group, counts[label, prediction].tolist())
            if label != prediction:
                yield Estimate(
                    metric="confused_share",
                    group=group,
                    values=shares[label, prediction],
                    n=int(counts[label, :, 0].sum()),
                    clusters=clusters[label],
                    family="rate",
                    undefined=_UNDEFINED[1],
                )


def _count(metric: str, group: str, by_seed: list[float]) -> Estimate:
    values = np.array(by_seed, dtype=np.float64)[:, None]
    return Estimate(
        metric=metric, group=group, values=values, n=int(np.ceil(values.mean())), family="point"
    )


def _clusters(evidence: Evidence, sample: Sample) -> list[list[float]]:
    """Return the effective number of clusters of each class predicted, labelled, and of both."""
    n_classes = len(sample.classes)
    if sample.clusters is None:
        return [[0.0] * n_classes] * 3
    labelled = sample.clusters.effective(sample.label, n_classes)
    predicted = np.mean(
        [sample.clusters.effective(p.prediction, n_classes) for p in evidence.test], axis=0
    )
    return [predicted.tolist(), labelled.tolist(), np.minimum(predicted, labelled).tolist()]


def _point(
    strategy: str, which: tuple[str, str], x: float, values: Array, n: int
) -> CurvePointBand:
    share = Estimate(metric="", values=values, n=max(n, 1), family="rate")
    low, high, *_ = interval(share, (0, 1))
    return CurvePointBand(
        strategy=strategy,
        curve=which[0],
        attribute="",
        group=which[1],
        x=x,
        value=float(share.theta.mean()),
        low=low,
        high=high,
    )
