"""Leakage: how much of the group a linear probe reads from what the classification head reads."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric
from ..statistics.estimates import Estimate, nothing
from ..statistics.grouping import INTERSECTION, Grouping
from ..statistics.rates import keep_observed, ratio
from ..statistics.sample import Sample, Table
from ..statistics.streams import Stream, generator

FOLDS = 5
MOST_ROWS = 20_000
"""Above this many rows a random subset of them is probed."""
_REFERENCE = "Elazar & Goldberg (2018), EMNLP; Ravfogel et al. (2020), ACL"
_FAULT = "High leakage where the text itself names the group is no fault of the model."
_PROBE = f"{FOLDS}-fold cross-validated logistic regression (L2, C = 1) on standardised vectors"
METRICS = {
    "probe_balanced_accuracy": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_REFERENCE,
        definition=(
            f"Mean over groups of the share that the probe names right: {_PROBE}; overall, and "
            f"among the examples of each label, where it limits equalized odds. {_FAULT}"
        ),
    ),
    "probe_chance": Metric(
        better="neither",
        low=0,
        high=1,
        reference=_REFERENCE,
        definition="1 / number of groups: the balanced accuracy of whoever reads nothing.",
    ),
    "leakage": Metric(
        better="lower",
        low=-1,
        high=1,
        reference=_REFERENCE,
        definition=f"(probe - chance) / (1 - chance): 0 nothing, 1 everything. {_FAULT}",
    ),
}


class Leakage(Audit):
    metrics = METRICS
    needs = frozenset({"hidden"})

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield each attribute's leakage, overall and within each label.

        The interval is of the test examples and seeds with the probe's answers as they are: the
        probe itself is not fitted again.
        """
        hidden = [p.hidden for p in evidence.test if p.hidden is not None]
        for grouping in sample.groupings:
            for label, rows in _strata(sample, grouping):
                where = (
                    grouping.attribute
                    if label == ""
                    else f"{grouping.attribute}{INTERSECTION}label"
                )
                if len(hidden) < len(evidence.test):
                    yield from _undefined(where, label, len(evidence.test), "no hidden vectors")
                elif _smallest(grouping.code[rows]) < FOLDS:
                    yield from _undefined(
                        where, label, len(hidden), f"fewer than {FOLDS} of a group"
                    )
                else:
                    yield from _probed(sample, grouping, hidden, (where, label, rows))


def _strata(sample: Sample, grouping: Grouping) -> Iterator[tuple[str, Array]]:
    """Yield the rows in groups of sufficient size: all of them, then label by label."""
    rng = generator(sample.settings.seed, Stream.PROBED)
    rows = np.flatnonzero(grouping.code < len(grouping.names))
    if len(grouping.names) > 1:
        rows = np.sort(rng.permutation(rows)[:MOST_ROWS])
        yield "", rows
        for index, name in enumerate(sample.classes):
            yield name, rows[sample.label[rows] == index]


def _smallest(code: Array) -> int:
    count = np.bincount(code)
    return int(count[count > 0].min()) if (count > 0).sum() > 1 else 0


def _undefined(attribute: str, group: str, n_seeds: int, reason: str) -> Iterator[Estimate]:
    for metric in METRICS:
        yield Estimate(
            metric=metric,
            attribute=attribute,
            group=group,
            values=nothing(n_seeds),
            n=0,
            undefined=reason,
        )


def _probed(
    sample: Sample,
    grouping: Grouping,
    hidden: Sequence[Array],
    stratum: tuple[str, str, Array],
) -> Iterator[Estimate]:
    attribute, group, rows = stratum
    code = grouping.code[rows]
    chance = 1 / len(np.unique(code))
    cluster = None if sample.clusters is None else sample.clusters.code[rows]
    right = [
        _probe(vectors[rows], code, cluster, sample.settings.seed) == code for vectors in hidden
    ]
    values = np.stack([_balanced(sample, grouping, rows, hit) for hit in right])
    probe = Estimate(
        metric="probe_balanced_accuracy",
        attribute=attribute,
        group=group,
        values=values,
        n=len(rows),
        family="rate",
    )
    yield probe
    yield replace(
        probe,
        metric="probe_chance",
        values=np.full((len(hidden), 1), chance),
        family="point",
    )
    yield replace(probe, metric="leakage", values=(values - chance) / (1 - chance), family="mean")


def _probe(vectors: Array, code: Array, cluster: Array | None, seed: int) -> Array:
    """Return the group that the probe names for each row, from folds that do not hold the row.

    Nor any other of its cluster: a probe that knows the author need not read the group. Where
    clusters are fewer than folds, rows are folded one by one.
    """
    # imported here, for they take longer than the rest of a small audit
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-2, max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    if cluster is not None and _foldable(code, cluster):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(probe, vectors, code, groups=cluster, cv=folds))


def _foldable(code: Array, cluster: Array) -> bool:
    """Whether every group has clusters for each fold."""
    return all(len(np.unique(cluster[code == group])) >= FOLDS for group in np.unique(code))


def _balanced(sample: Sample, grouping: Grouping, rows: Array, right: Array) -> Array:
    """Return the mean over groups of the share named right (1 + replicates,)."""
    values = np.zeros((sample.n, 2))
    values[rows] = np.column_stack([right, np.ones(len(rows))])
    table = Table(grouping.code, np.zeros(sample.n, np.int64), (grouping.size, 1), values)
    present = np.unique(grouping.code[rows])

    def balanced(sums: Array) -> Array:
        shares = ratio(sums[present, 0, 0], sums[present, 0, 1])
        return np.asarray(shares.mean(axis=0))

    return keep_observed(sample.bootstrap(table, balanced))
