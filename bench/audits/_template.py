"""One sentence: what this audit measures. Copy this file to begin a new one.

The copy's file name is the audit's name. Declare the metrics, say what the audit needs besides
predictions, and yield one `Estimate` for each number (see bench/audit.py).
"""

from collections.abc import Iterator

import numpy as np

from ..audit import Audit
from ..schema import Evidence, Metric
from ..statistics.estimates import Estimate, nothing
from ..statistics.sample import Sample
from ..statistics.scores import NO_PROBABILITIES, means

METRICS = {
    "mean_confidence": Metric(
        better="neither",
        low=0,
        high=1,
        reference="Guo et al. (2017), ICML: mean confidence beside accuracy",
        definition="Mean over the test examples of the largest probability.",
    )
}


class Template(Audit):
    metrics = METRICS
    # needs = frozenset({"hidden"}) has vectors stored, and given in `evidence.test[i].hidden`

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield the mean confidence of the whole test set."""
        known = [p.probability for p in evidence.test if p.probability is not None]
        if len(known) < len(evidence.test):
            values, reason = nothing(len(evidence.test)), NO_PROBABILITIES
        else:  # a row a seed: the value, then a draw of the examples in each column
            values = np.stack([means(sample, sample.everyone, p.max(axis=1))[0] for p in known])
            reason = ""
        yield Estimate(
            metric="mean_confidence", values=values, n=sample.n, family="mean", undefined=reason
        )
