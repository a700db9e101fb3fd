"""Two models' predictions on the same examples: what they share, and what that rests on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..schema import BadInputError, Predictions
from . import class_order, foreign
from .foreign import Columns, Reading


def read(first: Path, second: Path, columns: Columns) -> tuple[Reading, Reading]:
    """Return the predictions of two files, with the classes of the first.

    What was assumed stands in each reading, what the pair rests on in both.

    Raises
    ------
    BadInputError
        One cannot be read, or they have no ids and differ in length.
    """
    columns = foreign.completed(first, columns)
    one = foreign.read(first, columns)
    two = foreign.read(second, columns, classes=one.predictions.classes)
    names = (str(first), str(second))
    check_numbering(one.predictions, two.predictions, columns, names=names)
    rests_on = tuple(_rests_on(one.predictions, two.predictions, columns))
    return (
        one._replace(assumptions=(*rests_on, *one.assumptions)),
        two._replace(assumptions=(*rests_on, *two.assumptions)),
    )


def check_numbering(
    one: Predictions, two: Predictions, columns: Columns, *, names: tuple[str, str]
) -> None:
    """Refuse files without ids that differ in length: their rows cannot be the same ones."""
    if not columns.id and len(one.label) != len(two.label):
        raise BadInputError(
            f"{names[0]} and {names[1]}: {len(one.label)} and {len(two.label)} rows; without ids "
            "rows are paired by their number, so name the id column: --id"
        )


def match(
    first: Predictions, second: Predictions, *, names: tuple[str, str]
) -> tuple[Predictions, Predictions]:
    """Return the examples that both hold, in the order of the first.

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
        shown = " against ".join(
            class_order.shown(p.example_id[:3].tolist()) for p in (first, second)
        )
        raise BadInputError(
            f"{both}: no id is in both ({shown}); name the id column with --id, and "
            "write ids alike in both"
        )
    one, two = first.take(shared), second.take(index[shared])
    if (one.label != two.label).any():
        differs = one.example_id[one.label != two.label][0]
        raise BadInputError(
            f"{both}: the label of id {str(differs)!r} differs; pair the same data"
        )
    return one, two


def _rests_on(one: Predictions, two: Predictions, columns: Columns) -> Iterator[str]:
    if not columns.id:
        yield "rows are paired by their number; if the files have ids: --id"
        return
    shared = int(np.isin(one.example_id, two.example_id).sum())
    if shared < max(len(one.label), len(two.label)):
        yield (
            f"{shared:,} ids are in both files, of {len(one.label):,} and {len(two.label):,}: "
            "only those are compared"
        )
