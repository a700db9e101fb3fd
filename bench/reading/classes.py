"""Which classes a file is about: those that its labels, predictions and columns name."""

from typing import NamedTuple

from ..schema import BadInputError
from . import class_names, class_order, labels
from .class_names import alike
from .class_order import Order, shown
from .columns import Categories
from .wanted import File

_BINARY = 2
_HALF = "--label-threshold 0.5 makes a row positive from there on"


class Labelled(NamedTuple):
    """The classes of a file, and its labels and predictions by their names."""

    label: Categories
    prediction: Categories | None
    classes: tuple[str, ...]
    """Of two the positive one last."""
    order: Order
    """Of the probabilities; empty where there is one of the positive class, or none."""


def find(file: File, width: int, known: tuple[str, ...]) -> Labelled:
    """Return the classes of a file with `width` probabilities a row.

    Parameters
    ----------
    known : the classes of the file that this one goes with; () where it is on its own

    Raises
    ------
    BadInputError
        Labels and predictions, or labels and the columns' names, do not fit each other; there is
        one class only, or nothing says which of two is positive.
    """
    label = _label(file, known)
    prediction = _prediction(file, known, label)
    seen = known or file.names.classes or _seen(label, prediction)
    order = Order(())
    if width > 1:
        columns = file.columns.probability
        order = class_order.of_probabilities(file.where, seen, width, columns, file.names)
    elif width == 1 and len(seen) > _BINARY and not file.columns.top_score:
        raise BadInputError(
            f"{file.where} has {len(seen)} labels ({shown(seen)}): "
            "repeat --probability, one column a class"
        )
    if known:
        return Labelled(label, prediction, known, order)
    _note_strangers(file, label, prediction, order)
    classes = tuple(dict.fromkeys(order.classes)) or seen
    if len(classes) == 1:
        option = f"--classes {class_names.both(classes[0])}"
        raise BadInputError(
            f"{file.where} holds only one class, {classes[0]!r}; name the others too: {option}"
        )
    classes = class_order.positive_last(file.where, classes, _positive(file, classes))
    return Labelled(label, prediction, classes, order)


def _label(file: File, known: tuple[str, ...]) -> Categories:
    column, threshold = file.columns.label, file.columns.label_threshold
    if threshold is not None:
        return labels.thresholded(file.source, column, threshold)
    label = labels.given(file, column)
    if not file.names.pairs:
        labels.check_no_fractions(file.source, column, label, _HALF)
    expected = known or file.names.classes
    return labels.renamed(label, alike(label.values, expected)) if expected else label


def _prediction(file: File, known: tuple[str, ...], label: Categories) -> Categories | None:
    column = file.columns.prediction
    if not column:
        return None
    made = labels.given(file, column)
    way_out = f"name a column of probabilities with --probability {column}"
    labels.check_no_fractions(file.source, column, made, way_out)
    if file.columns.label_threshold is not None:
        made = labels.of_threshold(made, file.columns.label)
    expected = known or file.names.classes or label.values
    return labels.matched(file.source, column, made, expected, label.values)


def _seen(label: Categories, prediction: Categories | None) -> tuple[str, ...]:
    """Return the classes that occur, in order."""
    made = prediction.values if prediction else ()
    return tuple(class_order.in_order([*dict.fromkeys((*label.values, *made))]))


def _note_strangers(
    file: File, label: Categories, prediction: Categories | None, order: Order
) -> None:
    """Say which predictions are no label of any row, where no column is named after them."""
    made = prediction.values if prediction else ()
    strangers = [name for name in made if name not in {*label.values, *file.names.classes}]
    if strangers and len(label.values) > 1 and (order.assumed or not order.classes):
        verb = "is" if len(strangers) == 1 else "are"
        file.notes.append(
            f"column {file.columns.prediction!r}: {shown(strangers)} {verb} no label of any row: "
            f"read as classes too; if they are other names of a label: --classes {strangers[0]}=…"
        )


def _positive(file: File, classes: tuple[str, ...]) -> str:
    """Return the positive class of two as far as the options and the column's name say."""
    columns = file.columns
    positive = file.names.of(columns.positive) if columns.positive else ""
    if len(classes) != _BINARY:
        return positive
    evident = class_order.self_evident(classes)
    if file.names.pairs and not positive:
        positive = evident or classes[-1]
    named = ""
    if len(columns.probability) == 1 and not columns.top_score:
        named = class_order.of_one(columns.probability[0], classes)
    if not named or columns.label_threshold is not None:
        return positive
    return _by_name(file, named, positive, evident)


def _by_name(file: File, named: str, positive: str, evident: str) -> str:
    """Return the positive class where the probability's column is named after one of the two."""
    chosen = positive or evident
    column = file.columns.probability[0]
    if not chosen:
        file.notes.append(
            f"{named!r} is the positive class, because column {column!r} is named after it; if "
            "not: --positive"
        )
        return named
    if named == chosen:
        return chosen
    text = f"column {column!r} is named after {named!r}"
    if not positive:
        raise BadInputError(
            f"{file.source.path}: {text}, and the positive class is {chosen!r}; say which class "
            f"its probability is of: --positive {named} or --positive {chosen}"
        )
    file.notes.append(f"{text}, and is read as the probability of {chosen!r} (--positive)")
    return positive
