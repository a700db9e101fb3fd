"""Confident errors: how often the classifier is wrong although it is nearly sure."""

from collections.abc import Iterator

import numpy as np

from tunefair.audit import Audit
from tunefair.schema import Array, Evidence, Metric, Predictions
from tunefair.statistics.estimates import Estimate, nothing
from tunefair.statistics.sample import Sample
from tunefair.statistics.scores import NO_PROBABILITIES, means

SURE = 0.9
"""From this probability of the predicted class on, an answer counts as confident."""
METRIC = "confident_error_rate"
METRICS = {
    METRIC: Metric(
        better="lower",
        low=0,
        high=1,
        reference="This example",
        definition=f"Share of the test examples predicted wrong with p of at least {SURE}.",
    )
}


class ConfidentErrors(Audit):
    """The file's name, `confident_errors`, is the audit's name."""

    metrics = METRICS

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield the share on the whole test set, then in every group."""
        known = [(p, p.probability) for p in evidence.test if p.probability is not None]
        wrong = [_confidently_wrong(p, probability) for p, probability in known]  # one a seed
        if not wrong:
            missing = nothing(len(evidence.test))
            yield Estimate(metric=METRIC, values=missing, n=sample.n, undefined=NO_PROBABILITIES)
            return
        for grouping in (sample.everyone, *sample.groupings):
            shares = [means(sample, grouping, w) for w in wrong]  # (n_groups, 1 + replicates)
            for index, group in enumerate(grouping.names):
                yield Estimate(
                    metric=METRIC,
                    attribute=grouping.attribute,
                    group=group,
                    values=np.stack([of_seed[index] for of_seed in shares]),
                    n=len(grouping.rows(index)),
                    family="rate",
                )


def _confidently_wrong(predictions: Predictions, probability: Array) -> Array:
    """Return 1 for each confident error, else 0 (n,)."""
    sure = probability.max(axis=1) >= SURE
    return np.asarray((predictions.prediction != predictions.label) & sure, dtype=float)
