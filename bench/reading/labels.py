"""Columns of labels and of predictions as classes, by the names that both go by."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..schema import Array, BadInputError
from . import class_names, spellings
from .class_names import TRUTHS
from .class_order import shown
from .columns import Categories, Source
from .wanted import File


def thresholded(source: Source, column: str, threshold: float) -> Categories:
    """Return scores as two classes: from the threshold on a row is `column`, else `not column`."""
    positive = source.numbers(column) >= threshold
    return Categories(positive.astype(np.int64), (f"not {column}", column))


def given(file: File, column: str) -> Categories:
    """Return a column of classes, every one of which is given, by the names of `--classes`.

    Raises
    ------
    BadInputError
        A value is missing or looks like it, is a list of labels, or a fraction.
    """
    source, names = file.source, file.names
    categories = _column(source, column)
    if (categories.code < 0).any():
        source.refuse(column, int((categories.code < 0).argmax()), "missing; give every row one")
    spellings.check_not_lists(source, column, categories)
    if not names.pairs:
        _check_spellings(file, column, categories)
    return renamed(categories, {value: names.of(value) for value in categories.values})


def _column(source: Source, column: str) -> Categories:
    if source.is_list(column):
        source.refuse(column, 0, spellings.SEVERAL)
    return source.categories(column)


def _check_spellings(file: File, column: str, categories: Categories) -> None:
    source, notes = file.source, file.notes
    suspects = spellings.like_missing(categories.values, [*source.missing])
    for value in suspects:
        row = int((categories.code == categories.values.index(value)).argmax())
        if value.lower() in spellings.NEVER_A_CLASS:
            others = [name for name in categories.values if name != value]
            reason = (
                "reads like a missing value; remove such rows, or if it is a class say so: "
                f"--classes {','.join([*others[:5], value])}"
            )
            source.refuse(column, row, reason, value=value)
        rows = int((categories.code == categories.values.index(value)).sum())
        notes.append(
            f"column {column!r}: {value!r} ({rows} rows) is a class; if it means that nothing "
            f"is known: --missing {value}"
        )
    if found_twins := twins(categories.values):
        one, two = found_twins
        notes.append(
            f"column {column!r}: {one!r} and {two!r} are two classes; if they are one: "
            f"--classes {one}={two},…"
        )


def twins(values: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two values that differ in case only; None where no two do."""
    first: dict[str, str] = {}
    for value in values:
        if first.setdefault(value.casefold(), value) != value:
            return first[value.casefold()], value
    return None


def check_no_fractions(source: Source, column: str, categories: Categories, way_out: str) -> None:
    """Refuse a column of shares, which would make a class of every one."""
    if spellings.are_fractions(categories.values):
        raise BadInputError(
            f"{source.path}: column {column!r} holds fractions "
            f"({spellings.examples(categories.values)}); {way_out}"
        )


def renamed(categories: Categories, names: Mapping[str, str]) -> Categories:
    """Return a column with other names, of which several may become one."""
    values = tuple(dict.fromkeys(names[value] for value in categories.values))
    place = {value: number for number, value in enumerate(values)}
    code = np.array([*(place[names[value]] for value in categories.values), -1], np.int64)
    return Categories(code[categories.code], values)


def matched(
    source: Source, column: str, made: Categories, known: Sequence[str], labels: Sequence[str]
) -> Categories:
    """Return predictions by the names of the known classes, whatever their case.

    Raises
    ------
    BadInputError
        No prediction is any class; the message names the mapping that would fit.
    """
    result = renamed(made, class_names.alike(made.values, known))
    if set(result.values) & set(known) or _is_truth([*result.values, *labels]):
        return result
    raise BadInputError(
        f"{source.path}: column {column!r}: no prediction is any label "
        f"({spellings.examples(made.values)} against {spellings.examples(labels)}); "
        f"{class_names.fitting(made.values, labels)}"
    )


def _is_truth(values: Sequence[str]) -> bool:
    """Say whether two values are a pair of which one is evidently positive, such as 0 and 1."""
    return any({value.lower() for value in values} == set(pair) for pair in TRUTHS)


def of_threshold(made: Categories, column: str) -> Categories:
    """Return predictions of a thresholded label: 0 and 1, or the like, by the classes' names."""
    names = (f"not {column}", column)
    for pair in TRUTHS:
        if {value.lower() for value in made.values} <= set(pair):
            return renamed(made, {v: names[pair.index(v.lower())] for v in made.values})
    return made


def indexed(source: Source, column: str, categories: Categories, classes: Sequence[str]) -> Array:
    """Return a column of classes as indices into `classes`."""
    place = {name: number for number, name in enumerate(classes)}
    index: Array = np.array([place.get(value, -1) for value in categories.values])[categories.code]
    if (index < 0).any():
        row = int((index < 0).argmax())
        value = categories.values[categories.code[row]]
        strangers = [name for name in categories.values if name not in classes]
        if len(strangers) == len(categories.values):
            way_out = class_names.fitting(strangers, classes)
        else:
            way_out = f"name every class: --classes {','.join([*classes, value])}"
        source.refuse(column, row, f"no class of {shown(classes)}; {way_out}", value=value)
    return index
