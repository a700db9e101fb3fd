"""Last-layer retraining: train as usual, then refit the head on balanced held-out examples."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tunefair.schema import Array, Predictions
from tunefair.space import Space
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class LastLayerRetraining(Strategy):
    reference = (
        "Kirichenko, Izmailov & Wilson (2023), Last layer re-training is sufficient for "
        "robustness to spurious correlations, ICLR (DFR): on validation, as there, but with an "
        "L2 penalty that is not tuned, and probabilities averaged instead of weights"
    )
    needs_groups_in = frozenset({"train"})
    reads_hidden = True

    subsets: Annotated[int, Field(ge=1)] = 10
    """Random balanced subsets of validation that a head is refitted on."""
    inverse_penalty: Annotated[float, Field(gt=0), Space(0.001, 10, log=True)] = 0.1
    """C of scikit-learn's logistic regression, on standardised hidden vectors."""

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        rng = np.random.default_rng(0)
        (group,) = validation.groups.values()
        cells = [
            np.flatnonzero((validation.label == y) & (group == g))
            for y in np.unique(validation.label)
            for g in np.unique(group)
        ]
        total = np.zeros((len(predictions.label), len(predictions.classes)))
        for _ in range(self.subsets):
            rows = _balanced([cell for cell in cells if len(cell)], rng)
            head = make_pipeline(
                StandardScaler(), LogisticRegression(C=self.inverse_penalty, max_iter=1000)
            ).fit(np.asarray(validation.hidden)[rows], validation.label[rows])
            total[:, head.classes_] += head.predict_proba(np.asarray(predictions.hidden))
        return predictions.with_probability(total / self.subsets)


def _balanced(cells: list[Array], rng: np.random.Generator) -> Array:
    smallest = min(len(cell) for cell in cells)
    return np.concatenate([rng.choice(cell, smallest, replace=False) for cell in cells])
