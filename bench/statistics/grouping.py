"""Which examples belong to which group: attributes, their intersections, and who is left out."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ..schema import Array, AuditSettings, BadInputError, LeftOut

MAX_GROUPS = 500
"""An attribute with more groups of sufficient size is an identifier, not a group."""
INTERSECTION = " × "


class Grouping(NamedTuple):
    """One attribute's groups of sufficient size; everybody else shares the last code."""

    attribute: str
    """"" for the whole test set, "x × y" for an intersection."""
    names: tuple[str, ...]
    code: Array  # (n,) int64: index into `names`; len(names) is "in none of them"

    @property
    def size(self) -> int:
        """Number of codes in use, the rest included."""
        return int(self.code.max()) + 1

    def rows(self, index: int) -> Array:
        """Return the row numbers of one group."""
        return np.flatnonzero(self.code == index)


def everyone(n: int) -> Grouping:
    """Return the whole test set as one group."""
    return Grouping("", ("",), np.zeros(n, dtype=np.int64))


def groupings(
    groups: Mapping[str, Array], settings: AuditSettings
) -> tuple[tuple[Grouping, ...], tuple[LeftOut, ...]]:
    """Return every attribute, then every declared intersection, and the groups left out.

    Raises
    ------
    BadInputError
        An intersection names an attribute that is not there, or an attribute has more than
        `MAX_GROUPS` groups of sufficient size.
    """
    columns = dict(groups)
    for names in settings.intersections:
        missing = [name for name in names if name not in groups]
        if missing:
            raise BadInputError(
                f"intersection {INTERSECTION.join(names)}: no attribute {missing[0]!r}; "
                f"there are: {', '.join(groups) or 'none'}"
            )
        columns[INTERSECTION.join(names)] = _crossed([groups[name] for name in names])
    made = [_grouping(name, column, settings) for name, column in columns.items()]
    return tuple(g for g, _ in made), tuple(out for _, left in made for out in left)


def _crossed(columns: list[Array]) -> Array:
    """Return "a × b" for each row, "" where any attribute is not annotated."""
    crossed = columns[0]
    for column in columns[1:]:
        pair = np.char.add(np.char.add(crossed.astype(str), INTERSECTION), column.astype(str))
        crossed = np.where((crossed == "") | (column == ""), "", pair)
    return crossed


def _grouping(
    attribute: str, column: Array, settings: AuditSettings
) -> tuple[Grouping, list[LeftOut]]:
    names, code, count = np.unique(column, return_inverse=True, return_counts=True)
    large = np.flatnonzero((count >= settings.min_group_size) & (names != ""))
    if len(large) > MAX_GROUPS:
        raise BadInputError(
            f"attribute {attribute!r}: {len(large)} groups of {settings.min_group_size} examples "
            f"or more, at most {MAX_GROUPS} can be compared; coarsen it or raise min_group_size"
        )
    recode = np.full(len(names), len(large))
    recode[large] = np.arange(len(large))
    grouping = Grouping(attribute, tuple(str(name) for name in names[large]), recode[code])
    return grouping, list(_left_out(attribute, names, count, settings.min_group_size))


def _left_out(attribute: str, names: Array, count: Array, smallest: int) -> Iterator[LeftOut]:
    for name, n in zip(names, count, strict=True):
        if name == "":
            yield LeftOut(attribute, "", int(n), "not annotated")
        elif n < smallest:
            yield LeftOut(attribute, str(name), int(n), f"fewer than {smallest} examples")
