"""Predictions from anywhere: a file of labels, probabilities or predictions, and groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..schema import Array, BadInputError, Predictions
from . import class_order, tables
from .columns import Categories, Source

_BINARY = 2
_SUM_TOLERANCE = 1e-3  # three decimals survive rounding; what is left is divided out
_RANGE_TOLERANCE = 1e-6  # what single precision leaves above 1
_RESERVED = "gap"  # what a measurement calls the difference between groups


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a file hold what; the flags of `tunefair audit`."""

    label: str
    probability: tuple[str, ...] = ()
    """One of the positive class, or one of vectors, or one a class."""
    prediction: str = ""
    """The prediction made; without it the most probable class."""
    positive: str = ""
    """Which of two labels is the positive class; needed unless they say so themselves."""
    groups: tuple[str, ...] = ()
    id: str = ""
    """Without it rows are known by their number."""
    cluster: str = ""
    """Rows with the same value (an author, a template) are not independent."""

    @property
    def names(self) -> list[str]:
        """Every column that is read."""
        wanted = (self.label, *self.probability, self.prediction, *self.groups, self.id)
        wanted += (self.cluster,)
        return [name for name in wanted if name]


def read(path: Path, columns: Columns, *, classes: tuple[str, ...] = ()) -> Predictions:
    """Return the predictions in a CSV, Parquet or JSON Lines file.

    Labels may be any strings or numbers; a row whose group is missing is not annotated ("").
    Probabilities are scaled to sum to 1 where they do so within 0.001.

    Parameters
    ----------
    path, columns : the file, and which of its columns hold what
    classes : those of the test predictions, for a validation file; else they are found

    Raises
    ------
    BadInputError
        Whatever cannot be read as it was meant, named by column, row (from 1) and value.
    """
    source = Source(path, tables.read(path, columns.names))
    label = _given(source, columns.label)
    made = _given(source, columns.prediction) if columns.prediction else None
    scores = _scores(source, columns.probability)
    classes = classes or _classes(source, columns, label, made, scores)
    probability = None if scores is None else _probability(source, columns, classes, scores)
    return Predictions(
        example_id=_ids(source, columns.id),
        label=_indexed(source, columns.label, label, classes),
        groups={name: _group(source, name) for name in columns.groups},
        prediction=_prediction(source, columns, classes, made, probability),
        probability=probability,
        classes=classes,
        cluster=source.clusters(columns.cluster) if columns.cluster else None,
    )


def pair(
    first: Predictions, second: Predictions, *, names: tuple[str, str]
) -> tuple[Predictions, Predictions]:
    """Return the examples that both files hold, in the order of the first.

    Raises
    ------
    BadInputError
        Their ids do not overlap, or their classes or the labels of a shared example differ;
        `names` are the files' in the message.
    """
    both = f"{names[0]} and {names[1]}"
    if first.classes != second.classes:
        shown = " against ".join(class_order.shown(p.classes) for p in (first, second))
        raise BadInputError(f"{both}: different classes, {shown}")
    place = pc.index_in(pa.array(first.example_id), value_set=pa.array(second.example_id))
    index = pc.fill_null(place, -1).to_numpy()
    shared = index >= 0
    if not shared.any():
        raise BadInputError(f"{both}: no id is in both; name the id column with --id")
    one, two = first.take(shared), second.take(index[shared])
    if (one.label != two.label).any():
        differs = one.example_id[one.label != two.label][0]
        raise BadInputError(
            f"{both}: the label of id {str(differs)!r} differs; pair the same data"
        )
    return one, two


def _given(source: Source, column: str) -> Categories:
    """Return a column of labels, every one of which is given."""
    found = source.categories(column)
    if (found.code < 0).any():
        source.refuse(column, int((found.code < 0).argmax()), "missing; give every row one")
    return found


def _group(source: Source, column: str) -> Array:
    found = source.categories(column)
    if not found.values:
        raise BadInputError(f"{source.path}: column {column!r}: every group is missing")
    if _RESERVED in found.values:
        index = int((found.code == found.values.index(_RESERVED)).argmax())
        source.refuse(column, index, "a group may not be called that; rename it", value=_RESERVED)
    return found.strings


def _ids(source: Source, column: str) -> Array:
    if column:
        return source.identifiers(column)
    return np.arange(1, source.table.num_rows + 1).astype(str)


def _scores(source: Source, columns: Sequence[str]) -> Array | None:
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


def _classes(
    source: Source,
    columns: Columns,
    label: Categories,
    made: Categories | None,
    scores: Array | None,
) -> tuple[str, ...]:
    """Return the classes that labels, predictions and probabilities are about, positive last."""
    where = f"{source.path}: column {columns.label!r}"
    if len(label.values) == 1:
        raise BadInputError(f"{where} holds only one class, {label.values[0]!r}")
    seen = class_order.in_order([*{*label.values, *(made.values if made else ())}])
    if scores is not None and scores.shape[1] > 1:
        seen = class_order.of_probabilities(where, seen, scores.shape[1], columns.probability)
    elif scores is not None and len(seen) > _BINARY:
        raise BadInputError(
            f"{where} has {len(seen)} labels ({class_order.shown(seen)}): "
            "repeat --probability, one column a class"
        )
    return class_order.positive_last(where, seen, columns.positive)


def _probability(
    source: Source, columns: Columns, classes: tuple[str, ...], scores: Array
) -> Array:
    """Return (n, C) probabilities in the order of the classes, rows summing to 1."""
    if scores.shape[1] == 1:
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])
    where = f"{source.path}: column {columns.label!r}"
    order = class_order.of_probabilities(where, classes, scores.shape[1], columns.probability)
    total = scores.sum(axis=1)
    wrong = np.abs(total - 1) > _SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        reason = f"the probabilities sum to {total[row]:.6g}, not to 1 within {_SUM_TOLERANCE}"
        source.refuse("+".join(columns.probability), row, reason)
    probability: Array = scores[:, [order.index(name) for name in classes]] / total[:, None]
    return probability


def _prediction(
    source: Source,
    columns: Columns,
    classes: tuple[str, ...],
    made: Categories | None,
    probability: Array | None,
) -> Array:
    """Return the prediction made, else the argmax; of two equal classes the positive one."""
    if made is not None:
        return _indexed(source, columns.prediction, made, classes)
    if probability is None:
        raise BadInputError(f"{source.path}: name a probability column or a prediction column")
    if len(classes) == _BINARY:
        return np.where(probability[:, 1] >= probability[:, 0], 1, 0)
    best: Array = probability.argmax(axis=1)
    return best


def _indexed(source: Source, column: str, found: Categories, classes: tuple[str, ...]) -> Array:
    """Return a column of labels as indices into `classes`."""
    place = {name: number for number, name in enumerate(classes)}
    index: Array = np.array([place.get(value, -1) for value in found.values])[found.code]
    if (index < 0).any():
        row = int((index < 0).argmax())
        known = class_order.shown(classes)
        source.refuse(column, row, f"no class of {known}", value=found.values[found.code[row]])
    return index
