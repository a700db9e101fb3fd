"""Probabilities and predictions of a file, once its classes are known."""

import numpy as np

from ..schema import Array, BadInputError
from . import labels, probabilities
from .classes import Labelled
from .wanted import File

_BINARY = 2


def of(
    file: File, labelled: Labelled, scores: Array | None, label: Array
) -> tuple[Array | None, Array]:
    """Return probabilities (n, C), where there are some, and predictions (n,).

    Without a column of predictions they are the most probable class, of two equal ones the
    positive; or follow from `--threshold`.

    Raises
    ------
    BadInputError
        There is neither, they contradict each other, or an option needs what is not there.
    """
    prediction = None
    if labelled.prediction is not None:
        column = file.columns.prediction
        prediction = labels.indexed(file.source, column, labelled.prediction, labelled.classes)
    _check_options(file, labelled, has_scores=scores is not None)
    if scores is None:
        if prediction is None:
            raise BadInputError(f"{file.source.path}: name --probability or --prediction")
        return None, prediction
    if file.columns.top_score and prediction is not None:
        score = probabilities.top_score(file, scores, prediction, len(labelled.classes))
        return score, prediction
    probability = _probability(file, labelled, scores, label)
    if prediction is None:
        return probability, _decided(file, probability)
    if scores.shape[1] == 1:
        probabilities.check_not_top_score(file, scores[:, 0], prediction)
    remark = probabilities.disagreement(file.columns.probability, probability, prediction)
    file.notes.extend([remark] if remark else [])
    return probability, prediction


def _check_options(file: File, labelled: Labelled, *, has_scores: bool) -> None:
    """Refuse options that have nothing to work on, or that contradict each other."""
    columns, path = file.columns, file.source.path
    has_predictions = labelled.prediction is not None  # or else probabilities
    decides = columns.threshold is not None
    for wrong, reason in (
        (decides and not has_scores, "--threshold needs a probability: --probability"),
        (columns.top_score and not has_scores, "--top-score needs the score: --probability"),
        (columns.top_score and not has_predictions, "--top-score needs the predicted class: "
         "--prediction"),
        (decides and has_predictions, "--threshold makes the predictions, and --prediction names "
         "them; leave one out"),
        (decides and len(labelled.classes) != _BINARY, f"--threshold is for two classes, not "
         f"{len(labelled.classes)}"),
    ):  # fmt: skip
        if wrong:
            raise BadInputError(f"{path}: {reason}")


def _probability(file: File, labelled: Labelled, scores: Array, label: Array) -> Array:
    if scores.shape[1] == 1:
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])
    order, named = labelled.order, "+".join(file.columns.probability)
    better = probabilities.better_order(scores, order.classes, label, labelled.classes)
    if order.assumed and better:
        probabilities.refuse_order(file.source, named, order.classes, better)
    if order.assumed:
        file.notes.append(f"column {named!r}: {order.assumed}")
    elif better:
        file.notes.append(
            f"column {named!r}: as {better} the probabilities fit the labels much better than as "
            f"{','.join(order.classes)}, which is what they are read as; their order is probably "
            "another (--classes)"
        )
    return probabilities.distribution(file, scores, order.classes, labelled.classes)


def _decided(file: File, probability: Array) -> Array:
    if probability.shape[1] == _BINARY:
        threshold = file.columns.threshold
        least = probability[:, 0] if threshold is None else threshold
        return np.where(probability[:, 1] >= least, 1, 0)
    best: Array = probability.argmax(axis=1)
    return best
