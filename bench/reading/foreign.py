"""Predictions from anywhere: a file of labels, probabilities or predictions, and groups."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..schema import Array, BadInputError, Predictions
from . import answers, labels, parts, probabilities, spellings, tables
from . import classes as class_finding
from .class_names import ClassNames
from .columns import Source
from .wanted import Columns, File

__all__ = ["Columns", "Reading", "completed", "membership", "read"]
_BINARY = 2
_RESERVED = "gap"  # what a measurement calls the difference between groups
_MEMBER = "--group-threshold 0.5 makes a row a member from there on"


class Reading(NamedTuple):
    """The predictions of a file, and what was assumed in reading them."""

    predictions: Predictions
    assumptions: tuple[str, ...]
    """A line each, with the option that settles it."""


def read(path: Path, columns: Columns, *, classes: tuple[str, ...] = ()) -> Reading:
    """Return the predictions in a CSV, Parquet or JSON file, and what was assumed.

    Labels may be any strings or numbers; a row whose group is missing is not annotated ("").
    Probabilities are scaled to sum to 1 where they do so within 0.001.

    Parameters
    ----------
    path, columns : the file, and which of its columns hold what
    classes : those of the test predictions, for another file; else they are found

    Raises
    ------
    BadInputError
        Whatever cannot be read as it was meant, named by column, row (from 1) and value.
    """
    columns = completed(path, columns)
    file = _opened(path, columns)
    scores = probabilities.scores(file.source, columns.probability)
    width = 0 if scores is None else scores.shape[1]
    labelled = class_finding.find(file, width, classes)
    label = labels.indexed(file.source, columns.label, labelled.label, labelled.classes)
    probability, prediction = answers.of(file, labelled, scores, label)
    predictions = Predictions(
        example_id=_ids(file.source, columns.id),
        label=label,
        groups={name: _group(file, name) for name in columns.groups},
        prediction=prediction,
        probability=probability,
        classes=labelled.classes,
        cluster=file.source.clusters(columns.cluster) if columns.cluster else None,
    )
    return Reading(predictions, tuple(dict.fromkeys(file.notes)))


def completed(path: Path, columns: Columns) -> Columns:
    """Return the columns with what a file of our own says of itself."""
    own = parts.own(path)
    if own is None:
        if not columns.label:
            raise BadInputError(f"{path}: which column holds the true label? --label")
        return columns
    pairs = tuple((str(place), name) for place, name in enumerate(own.classes))
    columns = replace(columns, split=columns.split or "test", view=columns.view or "original")
    if columns.label not in {"", "label"} or columns.classes.pairs:
        return columns
    binary = len(own.classes) == _BINARY
    return replace(
        columns,
        label="label",
        prediction=columns.prediction or "prediction",
        probability=columns.probability or own.probability,
        groups=columns.groups or own.groups,
        id=columns.id or "example_id",
        classes=ClassNames(pairs),
        positive=columns.positive or ("1" if binary else ""),  # as it is stored, not its name
    )


def _opened(path: Path, columns: Columns) -> File:
    """Return a file with the rows that are read."""
    names = columns.names
    has_splits = parts.SPLIT not in names and parts.SPLIT in tables.names(path)
    table = tables.read(path, [*names, parts.SPLIT] if has_splits else names)
    source = Source(path, table, missing=frozenset(columns.missing))
    notes = [*parts.mixture(source)] if has_splits else []
    return File(parts.chosen(source, columns.parts, notes), columns, notes)


def _group(file: File, column: str) -> Array:
    source, columns = file.source, file.columns
    if columns.group_threshold is not None and source.holds_numbers(column):
        return membership(source, column, columns.group_threshold)
    categories = source.categories(column)
    if not categories.values:
        raise BadInputError(f"{source.path}: column {column!r}: every group is missing")
    if _RESERVED in categories.values:
        index = int((categories.code == categories.values.index(_RESERVED)).argmax())
        source.refuse(column, index, "a group may not be called that; rename it", value=_RESERVED)
    labels.check_no_fractions(source, column, categories, _MEMBER)
    suspects = spellings.like_missing(categories.values, columns.missing)
    if suspects:
        file.notes.append(spellings.missing_or_group(column, categories, suspects))
    return categories.strings


def membership(source: Source, column: str, threshold: float) -> Array:
    """Return who is a member from the threshold on; "" where nobody annotated it; (n,) str."""
    score = source.scores(column)
    if np.isnan(score).all():
        raise BadInputError(f"{source.path}: column {column!r}: every group is missing")
    member = np.where(score >= threshold, column, f"not {column}")
    return np.where(np.isnan(score), "", member)


def _ids(source: Source, column: str) -> Array:
    if column:
        return source.identifiers(column)
    return np.array([str(source.row(index)) for index in range(source.table.num_rows)])
