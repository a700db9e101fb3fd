"""Which column is what: guessed from names first, then from values; whoever knows overrides it."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from ..reading.class_order import in_order, self_evident
from ..reading.spellings import NEVER_A_CLASS
from ..tasks._tabular import SPLITS
from . import words
from .seen import Column

_MOST_CLASSES, _MOST_GROUPS, _FEWEST_CLUSTERS, _ROWS_A_CLUSTER = 100, 12, 10, 1.5
_ROWS_A_GROUP = 20
_BINARY = 2


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What each column is; the fields are keys of a suite's `[task]` table."""

    text: str = ""
    text_pair: str = ""
    label: str = ""
    positive: str = ""
    """Which of two labels is positive, where they do not say so themselves."""
    label_threshold: float | None = None
    groups: tuple[str, ...] = ()
    group_threshold: float | None = None
    id: str = ""
    cluster: str = ""
    split: str = ""
    missing: tuple[str, ...] = ()
    incomplete: str = ""

    @property
    def options(self) -> dict[str, object]:
        """The keys that are set."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value not in ("", (), None)}

    @property
    def columns(self) -> list[str]:
        """Every column that has a role."""
        named = (self.text, self.text_pair, self.label, *self.groups, self.id, self.cluster)
        return [name for name in (*named, self.split) if name]


class Table(NamedTuple):
    """The columns of a table, and whether two of them say the same."""

    columns: Sequence[Column]
    same: Callable[[str, str], bool]

    def named(self, name: str) -> Column | None:
        """Return the column of that name."""
        return next((column for column in self.columns if column.name == name), None)


def propose(table: Table, given: Roles, *, splits_given: bool = False) -> Roles:
    """Return what each column is likely to be; what is given stays.

    Parameters
    ----------
    given : what somebody said; every role that is set is kept
    splits_given : the data have splits of their own, so that no column says them
    """
    left = _Left([c for c in table.columns if c.name not in given.columns])
    text, pair = given.text, given.text_pair
    if not text:
        text, pair = _texts(left)
    split = given.split or ("" if splits_given else left.take(_split(left.columns)))
    label = given.label or left.take(_label(left.columns))
    identity = given.id or left.take(_identity(left.columns))
    cluster = given.cluster or left.take(_cluster(left.columns))
    found = replace(
        given, text=text, text_pair=pair, label=label, split=split, id=identity, cluster=cluster
    )
    groups = given.groups or _groups(left.columns, label, table)
    return completed(table, replace(found, groups=groups))


def completed(table: Table, roles: Roles) -> Roles:
    """Return the roles with what follows from them: thresholds, missing values, the positive."""
    label = table.named(roles.label)
    groups = [column for name in roles.groups if (column := table.named(name))]
    of_scores = bool(groups) and all(column.is_fraction for column in groups)
    classes = [*groups, *([label] if label and not label.is_fraction else [])]
    missing = [v for c in classes if not c.is_fraction for v in c.values if _is_missing(v)]
    needed = [c for name in roles.columns if name != roles.cluster and (c := table.named(name))]
    lacking = missing or any(column.given < column.rows for column in needed)
    return replace(
        roles,
        label_threshold=0.5 if label and label.is_fraction else None,
        group_threshold=0.5 if of_scores else None,
        missing=tuple(dict.fromkeys(missing)),
        incomplete="keep_unannotated" if lacking else "",
        positive=roles.positive or _positive(label),
    )


class _Left:
    """Columns that have no role yet."""

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns

    def take(self, name: str) -> str:
        """Give a column its role, if there is one."""
        self.columns = [column for column in self.columns if column.name != name]
        return name


def _words(name: str) -> list[str]:
    """Return the words of a column's name: `isToxic_comment` is is, toxic, comment."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]


def _by_name(columns: Iterable[Column], known: Sequence[str]) -> str:
    """Return the column whose name is, or else holds, the first of the known words."""
    columns = list(columns)
    whole = {column.name.lower(): column.name for column in reversed(columns)}
    for word in known:
        if word in whole:
            return whole[word]
    for word in known:
        for column in columns:
            if word in _words(column.name):
                return column.name
    return ""


def _texts(left: _Left) -> tuple[str, str]:
    texts = [column for column in left.columns if column.is_text]
    names = {column.name.lower(): column.name for column in texts}
    for one, two in (*words.PAIRS, *_numbered(names)):
        if one in names and two in names:
            return left.take(names[one]), left.take(names[two])
    longest = max(texts, key=lambda column: column.characters, default=None)
    return left.take(_by_name(texts, words.TEXT) or (longest.name if longest else "")), ""


def _numbered(names: Collection[str]) -> Iterable[tuple[str, str]]:
    """Yield names that differ in their end only: a1 and a2, left_a and left_b."""
    for name in names:
        for one, two in (("1", "2"), ("a", "b"), ("_one", "_two")):
            if name.endswith(one):
                yield name, name.removesuffix(one) + two


def _split(columns: Iterable[Column]) -> str:
    for column in columns:
        sides = {SPLITS.get(value.lower()) for value in column.values}
        if {"train", "test"} <= sides and None not in sides:
            return column.name
    return ""


def _is_class(column: Column) -> bool:
    few = _BINARY <= column.distinct <= min(_MOST_CLASSES, column.given / 3)
    return column.is_fraction or (few and not column.is_text)


def _label(columns: Sequence[Column]) -> str:
    classes = [column for column in columns if _is_class(column)]
    if name := _by_name(classes, words.LABEL):
        return name
    doubtful = (*words.GROUP, *words.NO_GROUP, *words.CLUSTER)
    others = [c for c in classes if not set(_words(c.name)) & set(doubtful)]
    binary = [c for c in others if c.distinct == _BINARY]
    return next((found[-1].name for found in (binary, others, classes) if found), "")


def _identity(columns: Sequence[Column]) -> str:
    unique = [column for column in columns if column.is_unique and not column.is_text]
    return _by_name([c for c in unique if not c.is_fraction], words.ID)


def _cluster(columns: Sequence[Column]) -> str:
    many = [
        column
        for column in columns
        if _FEWEST_CLUSTERS <= column.distinct <= column.given / _ROWS_A_CLUSTER
        and not column.is_fraction
        and not column.is_text
    ]
    return _by_name(many, words.CLUSTER)


def _groups(columns: Sequence[Column], label: str, table: Table) -> tuple[str, ...]:
    """Return the columns that name groups: by their name, or of a few values that are words."""
    found = [column for column in columns if _is_group(column)]
    found = [c for c in found if not label or not table.same(label, c.name)]
    scores = [column for column in found if column.is_fraction]
    plain = [column for column in found if not column.is_fraction]
    return tuple(column.name for column in plain or scores)


def _is_group(column: Column) -> bool:
    named = set(_words(column.name))
    if named & set(words.GROUP):
        return column.is_fraction or _BINARY <= column.distinct <= _MOST_CLASSES
    few = _BINARY <= column.distinct <= min(_MOST_GROUPS, column.given / _ROWS_A_GROUP)
    known = named & {*words.NO_GROUP, *words.CLUSTER, *words.LABEL}
    return few and not column.is_number and not column.is_text and not known


def _is_missing(value: str) -> bool:
    return value.lower() in NEVER_A_CLASS


def _positive(label: Column | None) -> str:
    """Return the rarer of two labels where neither says that it is the positive one."""
    classes = [v for v in label.values if not _is_missing(v)] if label else []
    if label is None or label.is_fraction or len(classes) != _BINARY:
        return ""
    return "" if self_evident(in_order(classes)) else classes[-1]
