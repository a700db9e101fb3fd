"""Counterfactual views: what the classifier answers when a text changes in a stated way."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, Predictions
from ..statistics.estimates import Estimate, nothing
from ..statistics.grouping import Grouping
from ..statistics.rates import keep_observed, ratio
from ..statistics.sample import BINARY, Sample, Table
from ..statistics.scores import NO_PROBABILITIES

SATURATED = 0.95
"""Above this share of one answer, a missing flip shows nothing."""
_GARG = "Garg et al. (2019), AIES"
_SENSITIVITY = (
    "Sensitivity, not an error, unless the view keeps the label by construction; undefined "
    f"(saturated) where more than {SATURATED:.0%} of the originals get one answer."
)
METRICS = {
    "flip_rate": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_GARG,
        definition=f"Share of examples whose prediction changes. {_SENSITIVITY}",
    ),
    "flip_rate_to_positive": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_GARG,
        definition=f"Binary: share of examples whose prediction goes 0 to 1. {_SENSITIVITY}",
    ),
    "flip_rate_to_negative": Metric(
        better="lower",
        low=0,
        high=1,
        reference=_GARG,
        definition=f"Binary: share of examples whose prediction goes 1 to 0. {_SENSITIVITY}",
    ),
    "mean_absolute_shift": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Prabhakaran, Hutchinson & Mitchell (2019), EMNLP",
        definition="Mean of |change of p1|; C>2: total variation, half the sum of |changes|.",
    ),
    "mean_logit_shift": Metric(
        better="zero",
        low=-np.inf,
        high=np.inf,
        reference="Prabhakaran, Hutchinson & Mitchell (2019), EMNLP",
        definition="Binary: mean change of log(p1 / p0), view minus original, p clipped at 1e-6.",
    ),
    "positive_rate": Metric(
        better="neither",
        low=0,
        high=1,
        reference=_GARG,
        definition=(
            "Share of the originals predicted positive; C>2, given the answer that is commonest."
        ),
    ),
}
SMALLEST = 1e-6
FLIPS = ("flip_rate", "flip_rate_to_positive", "flip_rate_to_negative")
SHIFTS = ("mean_absolute_shift", "mean_logit_shift")


class Counterfactual(Audit):
    metrics = METRICS
    needs = frozenset({"views"})

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield every view's metrics, for the whole set and for each group."""
        for view, changed in evidence.views.items():
            seeds = [_changes(*both) for both in zip(evidence.test, changed, strict=True)]
            for grouping in (sample.everyone, *sample.groupings):
                by_seed = [
                    {metric: _means(sample, grouping, change) for metric, change in seed.items()}
                    for seed in seeds
                ]
                seen = ~np.isnan(seeds[0]["positive_rate"])
                size = np.bincount(grouping.code[seen], minlength=grouping.size)
                for index, name in enumerate(grouping.names):
                    group = {m: np.stack([seed[m][index] for seed in by_seed]) for m in by_seed[0]}
                    if size[index] >= sample.settings.min_group_size:
                        for estimate in _group(group, int(size[index]), binary=sample.binary):
                            yield replace(
                                estimate, attribute=grouping.attribute, group=name, view=view
                            )


def _group(values: Mapping[str, Array], n: int, *, binary: bool) -> Iterator[Estimate]:
    """Yield one group's metrics; flips are undefined where nearly all answers are one."""
    share = float(values["positive_rate"][:, 0].mean())
    saturated = max(share, 1 - share if binary else 0) > SATURATED
    for metric, numbers in values.items():
        hidden = saturated and metric in FLIPS
        yield Estimate(
            metric=metric,
            values=nothing(len(numbers)) if hidden else numbers,
            n=n,
            family="mean" if metric in SHIFTS else "rate",
            undefined=f"saturated: {share:.1%} get one answer" if hidden else NO_PROBABILITIES,
        )


def _changes(original: Predictions, view: Predictions) -> dict[str, Array]:
    """Return metric -> what each example adds to it (n,); NaN where the view lacks it."""
    place = {name: row for row, name in enumerate(original.example_id)}
    rows = [(place[name], row) for row, name in enumerate(view.example_id) if name in place]
    at, of = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    before, after = original.take(at), view.take(of)
    changes = {metric: _spread(len(place), at, c) for metric, c in _flips(before, after).items()}
    return changes | {m: _spread(len(place), at, c) for m, c in _shifts(before, after).items()}


def _spread(n: int, rows: Array, values: Array) -> Array:
    column = np.full(n, np.nan)
    column[rows] = values
    return column


def _flips(before: Predictions, after: Predictions) -> dict[str, Array]:
    flipped = before.prediction != after.prediction
    if len(before.classes) != BINARY:
        commonest = np.bincount(before.prediction).argmax()
        return {"flip_rate": flipped, "positive_rate": before.prediction == commonest}
    return {
        "flip_rate": flipped,
        "flip_rate_to_positive": flipped & (after.prediction == 1),
        "flip_rate_to_negative": flipped & (after.prediction == 0),
        "positive_rate": before.prediction == 1,
    }


def _shifts(before: Predictions, after: Predictions) -> dict[str, Array]:
    metrics = SHIFTS if len(before.classes) == BINARY else SHIFTS[:1]
    if before.probability is None or after.probability is None:
        return {metric: np.full(len(before.label), np.nan) for metric in metrics}
    total_variation = np.abs(after.probability - before.probability).sum(axis=1) / 2
    shift = _logit(after.probability) - _logit(before.probability)
    return dict(zip(metrics, (total_variation, shift), strict=False))


def _logit(probability: Array) -> Array:
    clipped = np.clip(probability, SMALLEST, 1)
    return np.asarray(np.log(clipped[:, 1] / clipped[:, 0]))


def _means(sample: Sample, grouping: Grouping, change: Array) -> Array:
    """Return the mean over the examples in view (n_groups, 1 + replicates)."""
    seen = ~np.isnan(change)
    values = np.column_stack([np.where(seen, change, 0), seen])
    table = Table(grouping.code, np.zeros(sample.n, np.int64), (grouping.size, 1), values)
    return keep_observed(sample.bootstrap(table, lambda sums: ratio(sums[:, 0, 0], sums[:, 0, 1])))
