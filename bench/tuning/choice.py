"""Choose a trial by what it answers on validation; nothing here is ever given a test example."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..audit import declared
from ..measuring.validation_score import RULES, score
from ..schema import Predictions
from ..suite import Tuning
from .trials import Trial


class Scored(NamedTuple):
    """A trial with its value on validation."""

    trial: Trial
    validation: float | None
    """In the metric of the rule; None: it failed, or the rule is undefined."""
    reason: str = ""
    """Why there is none."""


def scored(trial: Trial, validation: Predictions, tuning: Tuning, attribute: str) -> Scored:
    """Return a trial with its value by the rule; `attribute` is the mitigated one."""
    groups = attribute if tuning.selects_by_group else ""
    value, reason = score(RULES[tuning.selection], validation, groups)
    return Scored(trial, None, reason) if math.isnan(value) else Scored(trial, value)


def merit(value: float | None, tuning: Tuning) -> float | None:
    """Return a value on validation so that higher is better."""
    if value is None:
        return None
    return -declared()[RULES[tuning.selection]][1].loss(value, 0.0)


def ranked(candidates: Sequence[Scored], tuning: Tuning) -> list[Scored]:
    """Return the trials that have a value, the best first; the earlier one of two alike."""
    known = [(merit(one.validation, tuning), one) for one in candidates]
    order = sorted((-m, place) for place, (m, _) in enumerate(known) if m is not None)
    return [candidates[place] for _, place in order]
