"""How good a model is on validation: what chooses a checkpoint, and what chooses a trial."""

import math
from dataclasses import replace

from ..audit import declared, shipped
from ..schema import AuditSettings, Evidence, Predictions

RULES = {
    "validation_log_loss": "log_loss",
    "validation_worst_group": "worst_group_accuracy",
    "validation_dto": "dto",
}
"""Rule -> the metric that judges."""


def score(metric: str, answers: Predictions, attribute: str) -> tuple[float, str]:
    """Return a metric of validation as its audit defines it, or NaN and why.

    Of the whole split where `attribute` is "", else between its groups.
    """
    from ..statistics.sample import (
        Sample,  # most runs select nothing and need no statistics
    )

    audit = shipped()[declared()[metric][0][0]]
    answers = replace(answers, groups={attribute: answers.groups[attribute]} if attribute else {})
    evidence = Evidence(strategy="checkpoint", seeds=(0,), test=(answers,))
    settings = AuditSettings(replicates=2, only=(metric,))
    sample = Sample([evidence], settings)
    for estimate in audit.estimates(evidence, sample):
        if (estimate.metric, estimate.attribute) == (metric, attribute):
            return float(estimate.values[0, 0]), estimate.undefined
    return math.nan, f"no validation group has {settings.min_group_size} examples"
