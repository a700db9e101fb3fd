"""Yardsticks: predictions that need no fine-tuning, which a strategy must beat."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .schema import Array, Predictions, Task

_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # C of the logistic regression
_MOST_FEATURES = 30_000  # the most frequent ones: three times faster, and as good on validation
_WORD = r"\w+|[^\w\s]"  # punctuation marks are words: a question mark often decides

Yardstick = Callable[[Task], tuple[Predictions, Predictions]]
"""A task -> its validation and test predictions."""


def majority(task: Task) -> tuple[Predictions, Predictions]:
    """Predict the majority class of each group of the task's first attribute.

    The probability is the group's share of each class in training. Where the task has no groups,
    or training does not have the group, it is that of the whole training split.
    """
    group = next(iter(task.groups.values()), np.full(len(task.label), ""))
    train = task.split == "train"
    probability = np.tile(_shares(task, train), (len(task.label), 1))
    for name in np.unique(group[train]):
        probability[group == name] = _shares(task, train & (group == name))
    return _answers(task, probability)


def tfidf(task: Task) -> tuple[Predictions, Predictions]:
    """Predict by logistic regression on TF-IDF of words and word pairs (scikit-learn).

    Its C, from 0.3 to 30, is chosen by log loss on validation. A text pair is represented by both
    texts and by the words that they share.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    features = _features(task)
    train, validation = task.split == "train", task.split == "validation"
    classes = np.arange(len(task.classes))
    best: Array = np.empty((0, 0))
    least = np.inf
    model = LogisticRegression(max_iter=2000, warm_start=True)
    for strength in _STRENGTHS:
        model.set_params(C=strength).fit(features[train], task.label[train])
        probability = np.zeros((len(task.label), len(classes)))
        probability[:, model.classes_] = model.predict_proba(features)
        loss = log_loss(task.label[validation], probability[validation], labels=classes)
        if loss < least:
            best, least = probability, loss
    return _answers(task, best)


YARDSTICKS: Mapping[str, Yardstick] = {"majority": majority, "tfidf": tfidf}
GIVEN = "given"
"""What the answers of a file use: nothing is predicted here."""
EXPLAINED = {
    GIVEN: "answers from a file",
    "majority": "predicts the most frequent label in training",
    "tfidf": "logistic regression on the words of a text",
}
"""What each does, in a few words."""
EXPLAINED_BY_GROUP = {
    "majority": "is told the group of each text and predicts that group's most frequent label"
}
"""The same, for a task with groups, where it differs."""
READ_GROUPS = frozenset({"majority"})
"""Those that are told the group of every text."""


def _features(task: Task) -> Any:
    """Return the sparse (n, n_features) representation, its vocabulary learnt from training."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    train = task.split == "train"
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=_WORD, max_features=_MOST_FEATURES
    )
    if task.text_pair is None:
        vectorizer.fit(task.text[train])
        return vectorizer.transform(task.text)
    vectorizer.fit(np.concatenate([task.text[train], task.text_pair[train]]))
    one, two = vectorizer.transform(task.text), vectorizer.transform(task.text_pair)
    return hstack([one, two, one.multiply(two)]).tocsr()


def _shares(task: Task, rows: Array) -> Array:
    counts = np.bincount(task.label[rows], minlength=len(task.classes))
    shares: Array = counts / counts.sum()
    return shares


def _answers(task: Task, probability: Array) -> tuple[Predictions, Predictions]:
    def answered(split: str) -> Predictions:
        rows = task.split == split
        return Predictions(
            example_id=task.example_id[rows],
            label=task.label[rows],
            groups={name: column[rows] for name, column in task.groups.items()},
            prediction=probability[rows].argmax(axis=1),
            probability=probability[rows],
            classes=task.classes,
            cluster=None if task.cluster is None else task.cluster[rows],
        )

    return answered("validation"), answered("test")
