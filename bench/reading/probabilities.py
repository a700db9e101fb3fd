"""Columns of probabilities as a distribution over the classes, and the predictions they make."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..schema import Array, BadInputError
from .class_order import shown
from .columns import Source
from .wanted import File

_SUM_TOLERANCE = 1e-3  # three decimals survive rounding; what is left is divided out
_RANGE_TOLERANCE = 1e-6  # what single precision leaves above 1
_HALF = 0.5
_DEVIATIONS = 3  # by which another order must fit better before this one is refused
_BINARY = 2


def scores(source: Source, columns: Sequence[str]) -> Array | None:
    """Return the probabilities as they stand in the file, (n, k), each from 0 to 1."""
    if not columns:
        return None
    if len(columns) == 1 and source.holds_vectors(columns[0]):
        scores = source.vectors(columns[0])
    else:
        scores = np.column_stack([source.numbers(name) for name in columns])
    wrong = (scores < -_RANGE_TOLERANCE) | (scores > 1 + _RANGE_TOLERANCE)
    if wrong.any():
        row, place = (int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
        column = columns[place if len(columns) > 1 else 0]
        source.refuse(column, row, "not a probability (0 to 1)", value=float(scores[row, place]))
    return scores.clip(0, 1)


def distribution(file: File, scores: Array, order: Sequence[str], classes: Sequence[str]) -> Array:
    """Return (n, C) probabilities in the order of the classes, rows summing to 1.

    `order` says the class of each of the k columns; those of one class are added.
    """
    total = scores.sum(axis=1)
    wrong = np.abs(total - 1) > _SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        reason = f"the probabilities sum to {total[row]:.6g}, not to 1 within {_SUM_TOLERANCE}"
        file.source.refuse("+".join(file.columns.probability), row, reason)
    belongs = np.array([[float(of == name) for name in classes] for of in order])  # (k, C)
    probability: Array = scores @ belongs / total[:, None]
    return probability


def top_score(file: File, scores: Array, prediction: Array, n_classes: int) -> Array:
    """Return (n, 2) probabilities from the score of the predicted class.

    Raises
    ------
    BadInputError
        There are more than two classes, of which the winner's score does not say enough, or a
        score is under a half, so that it cannot be the winner's.
    """
    source, column = file.source, file.columns.probability[0]
    if scores.shape[1] != 1:
        raise BadInputError(
            f"{source.path}: --top-score: one column of scores, not {scores.shape[1]}"
        )
    if n_classes > _BINARY:
        raise BadInputError(
            f"{source.path}: column {column!r}: the score of the predicted class says nothing of "
            f"the other {n_classes - 1}; save all of them (top_k=None), or leave --probability out"
        )
    score = scores[:, 0]
    low = score < _HALF - _RANGE_TOLERANCE
    if low.any():
        row = int(low.argmax())
        reason = "under 0.5, so not the score of the predicted class; leave --top-score out"
        source.refuse(column, row, reason, value=float(score[row]))
    p1 = np.where(prediction == 1, score, 1 - score)
    return np.column_stack([1 - p1, p1])


def check_not_top_score(file: File, score: Array, prediction: Array) -> None:
    """Refuse scores that can only be of the predicted class, as a pipeline's are.

    None is under a half, both classes are predicted, and no threshold separates them.
    """
    positive = prediction == 1
    if score.min() >= _HALF and _separation(score, positive) == 0 and positive.any():
        column = file.columns.probability[0]
        raise BadInputError(
            f"{file.source.path}: column {column!r}: no value is under 0.5 and no "
            "threshold gives the predictions: it is the score of the predicted class, not the "
            "probability of the positive one; read it so with --top-score"
        )


def disagreement(columns: Sequence[str], probability: Array, prediction: Array) -> str:
    """Return what is remarkable about predictions beside their probabilities; "" if nothing."""
    named = "+".join(columns)
    if probability.shape[1] == _BINARY:
        positive = prediction == 1
        separation = _separation(probability[:, 1], positive)
        if separation < 0:
            return (
                f"column {named!r}: the predictions are positive where it is low; the probability "
                "is probably of the other class"
            )
        if separation > 0 or positive.all() or not positive.any():
            return ""
        return f"column {named!r}: no one threshold gives the predictions; both are read as given"
    differs = int((probability.argmax(axis=1) != prediction).sum())
    if not differs:
        return ""
    return (
        f"the prediction is not the most probable class in {differs} of {len(prediction)} rows; "
        "both are read as given"
    )


def _separation(score: Array, positive: Array) -> int:
    """Return 1 where a threshold has the positives above it, -1 where below, else 0."""
    if positive.all() or not positive.any():
        return 1
    ones, others = score[positive], score[~positive]
    if ones.min() >= others.max():
        return 1
    return -1 if ones.max() <= others.min() else 0


def better_order(scores: Array, order: Sequence[str], label: Array, classes: Sequence[str]) -> str:
    """Return the order of the classes that fits the labels clearly better; "" where none does.

    Fit is the number of rows whose most probable column is that of their label.
    """
    if len(set(order)) < len(order):
        return ""
    hits = np.zeros((scores.shape[1], len(classes)))
    np.add.at(hits, (scores.argmax(axis=1), label), 1)
    columns, best = linear_sum_assignment(hits, maximize=True)
    now = sum(hits[column, classes.index(name)] for column, name in enumerate(order))
    most = hits[columns, best].sum()
    if most - now <= _DEVIATIONS * np.sqrt(most + now):
        return ""
    return ",".join(classes[int(place)] for place in best)


def refuse_order(source: Source, column: str, order: Sequence[str], better: str) -> None:
    """Refuse an assumed order of the classes that fits the labels worse than another."""
    raise BadInputError(
        f"{source.path}: column {column!r}: which class is each probability of? In the order "
        f"{shown(order)} they fit the labels much worse than as {better}; name the order: "
        f"--classes {better}"
    )
