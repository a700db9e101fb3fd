"""Group thresholds: decisions that meet a parity constraint, learned from scores and labels."""

import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator

from bench.schema import Array, BadInputError, Predictions

Constraint = Literal["equalized_odds", "demographic_parity"]


class _Scores(BaseEstimator):  # type: ignore[misc]
    """An estimator whose only feature is its prediction."""

    def fit(self, scores: Any, label: Any) -> "_Scores":
        return self

    def predict(self, scores: Any) -> Array:
        return np.asarray(scores)[:, 0]


def decide(
    validation: Predictions, predictions: Predictions, constraint: Constraint
) -> Predictions:
    """Replace each decision by a group's own, possibly random, threshold (fairlearn's optimum).

    The random draws are the same every time; probabilities stay as they are.

    Raises
    ------
    BadInputError
        A group is missing from validation, or has one label only there.
    """
    (known,), (column,) = validation.groups.values(), predictions.groups.values()
    optimizer = ThresholdOptimizer(
        estimator=_Scores(),
        constraints=constraint,
        objective="accuracy_score",
        prefit=True,
        predict_method="predict",
    )
    if missing := sorted({str(g) for g in column} - {str(g) for g in known}):
        raise BadInputError(f"{constraint}_threshold: validation has no group {missing[0]!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fairlearn cannot see that the scores are fitted
        try:
            optimizer.fit(_score(validation), validation.label, sensitive_features=known)
        except ValueError as error:
            raise BadInputError(f"{constraint}_threshold: {error}") from None
        decision = optimizer.predict(
            _score(predictions), sensitive_features=column, random_state=0
        )
    return replace(predictions, prediction=np.asarray(decision).astype(np.int64))


def _score(predictions: Predictions) -> Array:
    return predictions.probability[:, 1:]  # type: ignore[index]
