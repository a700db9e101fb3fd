"""Answers that somebody else's model gave to the test examples, read from a file, paired by id."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..reading import class_names, labels, probabilities, tables
from ..reading.class_order import shown
from ..reading.columns import Source
from ..reading.wanted import Columns, File
from ..schema import Array, BadInputError, Predictions, Task
from ..suite import AnswersChoice


class Given(NamedTuple):
    """Answers, and what they were read from."""

    predictions: Predictions
    words: str
    """The file and its content's hash: other answers are another yardstick."""


def read_all(chosen: Mapping[str, AnswersChoice], folder: Path, task: Task) -> dict[str, Given]:
    """Return label -> answers of a suite's files; relative paths start at `folder`.

    Raises
    ------
    BadInputError
        A file, column, class or id is not there, or a test example has no answer.
    """
    return {label: _read(folder / choice.predictions, choice, task) for label, choice in
            chosen.items()}  # fmt: skip


def _read(path: Path, choice: AnswersChoice, task: Task) -> Given:
    named = [choice.id, choice.prediction, *choice.probability]
    source = Source(path, tables.read(path, [name for name in named if name]))
    test = np.flatnonzero(task.split == "test")
    rows = _paired(source, choice.id, task.example_id[test])
    source = Source(path, source.table.take(rows), kept_rows=rows)
    called = choice.classes or task.classes
    if len(called) != len(task.classes):
        raise BadInputError(f"{path}: classes: {len(called)} named; the task has "
                            f"{len(task.classes)}: {shown(task.classes)}")  # fmt: skip
    probability = _probability(source, choice, task.classes)
    if choice.prediction:
        prediction = _prediction(
            source, choice, dict(zip(called, task.classes, strict=True)), task
        )
    elif probability is not None:
        prediction = probability.argmax(axis=1)
    answers = Predictions(
        example_id=task.example_id[test],
        label=task.label[test],
        groups={name: column[test] for name, column in task.groups.items()},
        prediction=prediction,
        probability=probability,
        classes=task.classes,
        cluster=None if task.cluster is None else task.cluster[test],
    )
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return Given(answers, f"{path.name}, sha256 {content[:12]}")


def _paired(source: Source, column: str, wanted: Array) -> Array:
    """Return the row of each test example's answer; (n,) int64."""
    ids = source.identifiers(column)
    row = {str(name): place for place, name in enumerate(ids)}
    lacking = [str(name) for name in wanted if str(name) not in row]
    if len(lacking) == len(wanted):
        raise BadInputError(
            f"{source.path}: column {column!r}: no id is one of the test examples' (such as "
            f"{lacking[0]!r}); name the task's column of ids, id in [task], and answer by it"
        )
    if lacking:
        raise BadInputError(
            f"{source.path}: {len(lacking)} of {len(wanted)} test examples have no answer, the "
            f"first is {lacking[0]!r}; give every one an answer: what is left out would flatter"
        )
    return np.array([row[str(name)] for name in wanted], np.int64)


def _probability(source: Source, choice: AnswersChoice, classes: tuple[str, ...]) -> Array | None:
    """Return (n, C) probabilities: of the positive class, or one a class in the task's order."""
    scores = probabilities.scores(source, choice.probability)
    if scores is None:
        return None
    if scores.shape[1] == 1 and len(classes) == 2:  # noqa: PLR2004
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])
    if scores.shape[1] != len(classes):
        raise BadInputError(
            f"{source.path}: {scores.shape[1]} probabilities a row; the task has {len(classes)} "
            f"classes, in this order: {shown(classes)}"
        )
    file = File(source, Columns(probability=choice.probability), [])
    return probabilities.distribution(file, scores, classes, classes)


def _prediction(
    source: Source, choice: AnswersChoice, names: Mapping[str, str], task: Task
) -> Array:
    found = source.categories(choice.prediction)
    if (found.code < 0).any():
        source.refuse(choice.prediction, int((found.code < 0).argmax()), "no answer; give one")
    spelled = class_names.alike(found.values, [*names])
    renamed = labels.renamed(found, {v: names.get(spelled[v], spelled[v]) for v in found.values})
    return labels.indexed(source, choice.prediction, renamed, task.classes)
