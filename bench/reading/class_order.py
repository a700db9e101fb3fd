"""Which class each probability is of, and which class is the positive one."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..schema import BadInputError
from .class_names import TRUTHS, ClassNames, alike

_SHOWN = 10
_BINARY = 2


class Order(NamedTuple):
    """The class of each probability, and how sure that is."""

    classes: tuple[str, ...]
    assumed: str = ""
    """The assumption that it rests on; "" where it is certain."""


def in_order(values: Sequence[str]) -> list[str]:
    """Return distinct labels in order: as numbers where all are finite numbers, else as text."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return sorted(values)
    return sorted(values, key=float) if all(map(math.isfinite, numbers)) else sorted(values)


def of_probabilities(
    where: str, seen: Sequence[str], width: int, columns: Sequence[str], names: ClassNames
) -> Order:
    """Return the class of each of `width` probabilities.

    By the names that the columns end with, whatever their case (`p_cat`, `p_dog`); else, of
    labels that are numbers, 0 to width - 1. Only where neither the columns nor the labels say
    more are the labels taken in order, as in scikit-learn's `classes_`, which is an assumption.

    Raises
    ------
    BadInputError
        The columns name classes that are no labels, or there are more or fewer labels than
        probabilities; the message begins with `where`.
    """
    ends = endings(columns) if len(columns) == width else []
    if names.pairs:
        return _declared(where, ends, width, names)
    named = _named(seen, ends)
    if named:
        return Order(named)
    if ends and not all(end.lstrip("-").isdigit() for end in ends):
        raise BadInputError(
            f"{where}: the probabilities' columns end with {shown(ends)} and the labels are "
            f"{shown(seen)}; name the class of each: --classes {_pairs(ends, seen)}"
        )
    return _numbered(where, seen, width)


def _declared(where: str, ends: Sequence[str], width: int, names: ClassNames) -> Order:
    """Return the classes that `--classes` says: by the columns' names, else in its order."""
    by_name = tuple(names.of(end) for end in ends)
    if by_name and set(by_name) == set(names.classes):
        return Order(by_name)
    in_turn = tuple(target for _, target in names.pairs)
    if len(in_turn) != width:
        raise BadInputError(
            f"{where}: --classes names {len(in_turn)} ({shown(in_turn)}) and there are {width} "
            "probabilities; name the class of each, in their order"
        )
    return Order(in_turn)


def _named(seen: Sequence[str], ends: Sequence[str]) -> tuple[str, ...]:
    """Return the classes by the columns' endings, spelled as the labels are; () where none fit."""
    spelled = alike(ends, seen)
    classes = tuple(spelled[end] for end in ends)
    distinct = len({name.casefold() for name in classes}) == len(classes)
    return classes if distinct and set(seen) <= set(classes) else ()


def _numbered(where: str, seen: Sequence[str], width: int) -> Order:
    numbers = tuple(str(number) for number in range(width))
    if set(seen) <= set(numbers):
        certain = "0" in seen or len(seen) == width
        listed = ",".join(numbers)
        doubt = f"the probabilities are of {listed} in this order; if not: --classes"
        return Order(numbers, "" if certain else doubt)
    if len(seen) != width:
        raise BadInputError(
            f"{where} has {len(seen)} labels ({shown(seen)}) and there are {width} probabilities; "
            "name the class of each, in their order: --classes"
        )
    classes = tuple(in_order(seen))
    listed = ",".join(classes)
    return Order(
        classes,
        f"the probabilities are of {shown(classes)} in this order, that of the sorted labels; "
        f"if not, name theirs: --classes {listed}",
    )


def _pairs(ends: Sequence[str], seen: Sequence[str]) -> str:
    if len(ends) == len(seen):
        return ",".join(f"{end}={name}" for end, name in zip(ends, seen, strict=True)) + (
            " (if that is their order)"
        )
    return f"{ends[0]}=…"


def positive_last(where: str, classes: Sequence[str], positive: str) -> tuple[str, ...]:
    """Return the classes, of two the positive one last.

    Raises
    ------
    BadInputError
        `positive` is no class, or there are more than two, or two that do not say which it is.
    """
    if positive and positive not in classes:
        raise BadInputError(f"{where}: positive {positive!r} is no label of {shown(classes)}")
    if len(classes) > _BINARY:
        if positive:
            raise BadInputError(f"{where} has {len(classes)} labels: `positive` is for two")
        return tuple(classes)
    positive = positive or self_evident(classes)
    if not positive:
        raise BadInputError(
            f"{where} holds {shown(classes)}: say which of them is positive "
            "(--positive, or positive in [task])"
        )
    return (*(name for name in classes if name != positive), positive)


def shown(values: Sequence[str]) -> str:
    """Return the first few values for a message."""
    more = ", …" if len(values) > _SHOWN else ""
    return ", ".join(repr(value[:40]) for value in values[:_SHOWN]) + more


def self_evident(classes: Sequence[str]) -> str:
    """Return the class of two that is positive by its name, as "yes", or "x" beside "not x"."""
    one, two = classes
    pairs = {frozenset(pair): pair[1] for pair in TRUTHS}
    known = pairs.get(frozenset({one.lower(), two.lower()}), "")
    for name, other in ((one, two), (two, one)):
        if name.lower() == known or other in {f"not {name}", f"not_{name}", f"non-{name}"}:
            return name
    return ""


def of_one(column: str, classes: Sequence[str]) -> str:
    """Return the class of two whose name a column ends with, after a mark; "" where none."""
    for name in sorted(classes, key=len, reverse=True):
        before, end = column[: -len(name)], column[-len(name) :]
        if end.casefold() == name.casefold() and before and not before[-1].isalnum():
            return name
    return ""


def endings(columns: Sequence[str]) -> list[str]:
    """Return what tells the columns apart: their names without the words they begin with."""
    alike_at = [len(set(letters)) == 1 for letters in zip(*columns, strict=False)]
    common = alike_at.index(False) if False in alike_at else len(alike_at)
    begin = max((i for i in range(common + 1) if _begins_name(columns, i)), default=0)
    return [name[begin:] for name in columns]


def _begins_name(columns: Sequence[str], place: int) -> bool:
    """Say whether a class's name may begin here: after a mark, or a number after a letter."""
    before = columns[0][place - 1 : place]
    number = before.isalpha() and all(name[place : place + 1].isdigit() for name in columns)
    return number or not before.isalnum()
