"""Group thresholds for equal error rates, so the group must be known of every text."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from tunefair.schema import Array, BadInputError, Predictions
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class EqualizedOddsThreshold(Strategy):
    reference = (
        "Hardt, Price & Srebro (2016), Equality of opportunity in supervised learning, NeurIPS, "
        "as fairlearn's ThresholdOptimizer solves it; fitted on validation, random ties repeatable"
    )
    needs_groups_in = frozenset({"train", "inference"})
    binary_only = True
    constraint: ClassVar[str] = "equalized_odds"

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        """Replace each decision by a group's own, possibly random, threshold.

        Raises
        ------
        BadInputError
            A group has one label only in validation.
        """
        from fairlearn.postprocessing import ThresholdOptimizer

        (known,), (column,) = validation.groups.values(), predictions.groups.values()
        optimizer = ThresholdOptimizer(
            estimator=_Scores(),
            constraints=self.constraint,
            objective="accuracy_score",
            prefit=True,
            predict_method="predict",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fairlearn cannot see that the scores are fitted
            try:
                optimizer.fit(_score(validation), validation.label, sensitive_features=known)
            except ValueError as error:
                raise BadInputError(f"{self.constraint}_threshold: {error}") from None
            decision = optimizer.predict(
                _score(predictions), sensitive_features=column, random_state=0
            )
        return replace(predictions, prediction=np.asarray(decision).astype(np.int64))


class _Scores(BaseEstimator):
    """An estimator whose only feature is its prediction."""

    def fit(self, scores: Any, label: Any) -> "_Scores":
        return self

    def predict(self, scores: Any) -> Array:
        return np.asarray(scores)[:, 0]


def _score(predictions: Predictions) -> Array:
    return np.asarray(predictions.probability)[:, 1:]
