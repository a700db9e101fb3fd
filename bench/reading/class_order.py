"""Which class each probability is of, and which class is the positive one."""

from collections.abc import Sequence

from ..schema import BadInputError

_SHOWN = 10
_POSITIVES = {  # of two classes that say so themselves, in lower case
    frozenset(pair): pair[1]
    for pair in (
        ("0", "1"),
        ("-1", "1"),
        ("false", "true"),
        ("no", "yes"),
        ("n", "y"),
        ("neg", "pos"),
        ("negative", "positive"),
    )
}


def in_order(values: Sequence[str]) -> list[str]:
    """Return distinct labels in order: as numbers where all are, else as text."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return sorted(values)


def of_probabilities(
    where: str, seen: Sequence[str], width: int, columns: Sequence[str]
) -> list[str]:
    """Return the class of each of `width` probabilities.

    The names that the columns end with, where every label `seen` is among them (`p_cat`,
    `p_dog`); else 0 to width - 1, where every label is; else the labels in order, as in
    scikit-learn's `classes_`.

    Raises
    ------
    BadInputError
        There are more or fewer labels than probabilities; the message begins with `where`.
    """
    named = _endings(columns) if len(columns) == width else []
    for candidates in (named, [str(number) for number in range(width)]):
        if set(seen) <= set(candidates) and len(set(candidates)) == width:
            return candidates
    if len(seen) != width:
        raise BadInputError(
            f"{where} has {len(seen)} labels ({shown(seen)}) and there are {width} probabilities; "
            "give one a label, in columns that end with its name"
        )
    return in_order(seen)


def positive_last(where: str, classes: Sequence[str], positive: str) -> tuple[str, ...]:
    """Return the classes, of two the positive one last.

    Raises
    ------
    BadInputError
        `positive` is no class, or there are more than two, or two that do not say which it is.
    """
    if positive and positive not in classes:
        raise BadInputError(f"{where}: positive {positive!r} is no label of {shown(classes)}")
    if len(classes) > 2:  # noqa: PLR2004
        if positive:
            raise BadInputError(f"{where} has {len(classes)} labels: `positive` is for two")
        return tuple(classes)
    positive = positive or _self_evident(classes)
    if not positive:
        raise BadInputError(
            f"{where} holds {shown(classes)}: say which of them is positive (`positive`)"
        )
    return (*(name for name in classes if name != positive), positive)


def shown(values: Sequence[str]) -> str:
    """Return the first few values for a message."""
    more = ", …" if len(values) > _SHOWN else ""
    return ", ".join(repr(value[:40]) for value in values[:_SHOWN]) + more


def _self_evident(classes: Sequence[str]) -> str:
    """Return the class that is positive by its name, such as "yes", or "x" beside "not x"."""
    one, two = classes
    known = _POSITIVES.get(frozenset({one.lower(), two.lower()}), "")
    for name, other in ((one, two), (two, one)):
        if name.lower() == known or other in {f"not {name}", f"not_{name}", f"non-{name}"}:
            return name
    return ""


def _endings(columns: Sequence[str]) -> list[str]:
    """Return what tells the columns apart: their names without the words they begin with."""
    alike = [len(set(letters)) == 1 for letters in zip(*columns, strict=False)]
    common = alike.index(False) if False in alike else len(alike)
    begin = max((i for i in range(common + 1) if _begins_name(columns, i)), default=0)
    return [name[begin:] for name in columns]


def _begins_name(columns: Sequence[str], place: int) -> bool:
    """Say whether a class's name may begin here: after a mark, or a number after a letter."""
    before = columns[0][place - 1 : place]
    number = before.isalpha() and all(name[place : place + 1].isdigit() for name in columns)
    return number or not before.isalnum()
