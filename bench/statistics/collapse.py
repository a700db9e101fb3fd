"""A collapsed model: it gives nearly every example the same answer."""

from typing import NamedTuple

import numpy as np

from ..schema import Predictions

FEWEST = 0.05
"""Other answers than the commonest, as a share of the examples that have another label."""


class Collapsed(NamedTuple):
    """What a collapsed model answers."""

    answer: str
    share: float
    """Of the examples."""


def other_answers(predictions: Predictions) -> int:
    """Return how many answers are not the commonest one."""
    counts = np.bincount(predictions.prediction, minlength=len(predictions.classes))
    return int(len(predictions.prediction) - counts.max())


def collapsed(predictions: Predictions) -> Collapsed | None:
    """Return what a collapsed model answers; None where a model has not collapsed.

    Of e examples whose label is not the commonest one, a model that tells anything apart gives
    about e other answers. One that gives fewer than `FEWEST` · e has collapsed, at any base rate.
    """
    labels = np.bincount(predictions.label, minlength=len(predictions.classes))
    n = len(predictions.label)
    others, expected = other_answers(predictions), int(n - labels.max())
    if expected == 0 or others > FEWEST * expected:
        return None
    answer = int(np.bincount(predictions.prediction, minlength=len(labels)).argmax())
    return Collapsed(predictions.classes[answer], 1 - others / n)
