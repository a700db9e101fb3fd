"""Erase: remove from the hidden vectors what tells the group linearly, then refit the head."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

from tunefair.schema import Array, Predictions
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Erase(Strategy):
    reference = (
        "Belrose et al. (2023), LEACE: perfect linear concept erasure in closed form, NeurIPS, "
        "theorem 4.3; fitted on validation, like the logistic head that reads what is left"
    )
    needs_groups_in = frozenset({"train"})
    reads_hidden = True

    target: Literal["equalized_odds", "demographic_parity"] = "equalized_odds"
    """equalized_odds: the group is erased within each label, not only overall."""

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        (group,) = validation.groups.values()
        concept = (group[:, None] == np.unique(group)).astype(np.float64)
        if self.target == "equalized_odds":
            concept = _within(validation.label, concept)
        mean, remove = eraser(np.asarray(validation.hidden, dtype=np.float64), concept)

        def erased(table: Predictions) -> Array:
            hidden = np.asarray(table.hidden, dtype=np.float64)
            kept: Array = hidden - (hidden - mean) @ remove
            return kept

        head = LogisticRegression(max_iter=1000).fit(erased(validation), validation.label)
        probability = np.zeros((len(predictions.label), len(predictions.classes)))
        hidden = erased(predictions)
        probability[:, head.classes_] = head.predict_proba(hidden)
        revised = predictions.with_probability(probability)
        return replace(revised, hidden=hidden.astype(np.float32))


def _within(label: Array, concept: Array) -> Array:
    """Return the concept (n, n_classes * n_groups) centred within each label, else 0."""
    parts = []
    for value in np.unique(label):
        chosen = (label == value)[:, None]
        parts.append(chosen * (concept - concept[chosen[:, 0]].mean(axis=0)))
    return np.concatenate(parts, axis=1)


def eraser(hidden: Array, concept: Array) -> tuple[Array, Array]:
    """Return the mean (d,) and the map (d, d) whose part of `hidden - mean` is to be taken away.

    What is left has no covariance with the concept, so no linear probe reads it, and moves least
    in the metric of the hidden vectors' covariance.
    """
    mean = hidden.mean(axis=0)
    centred = hidden - mean
    value, vector = np.linalg.eigh(centred.T @ centred / len(hidden))
    kept = value > value.max() * 1e-10
    root = np.sqrt(value[kept])
    whiten = vector[:, kept] / root @ vector[:, kept].T
    colour = vector[:, kept] * root @ vector[:, kept].T
    covariance = centred.T @ (concept - concept.mean(axis=0)) / len(hidden)
    left, size, _ = np.linalg.svd(whiten @ covariance, full_matrices=False)
    spanned = left[:, size > size.max(initial=0) * 1e-8]
    return mean, whiten @ spanned @ spanned.T @ colour
