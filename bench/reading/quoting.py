"""Quotation marks that nobody meant: rows that a CSV parser takes for text inside a field."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..schema import BadInputError

_MOST_VALUES = 1000  # of a column by which a row is recognised; an id has more
_WIDE = 4  # fields from which a line is recognised by their number alone
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


class Record(NamedTuple):
    """One row of a table as a CSV parser reads it."""

    number: int
    """From 1, the header not counted."""
    fields: list[str]
    lines: tuple[str, ...]
    """The lines of the file that it is made of."""


class Shape(NamedTuple):
    """What a row of a table looks like."""

    width: int
    """Fields of the header."""
    delimiter: str
    wanted: tuple[int, ...]
    """Places of the columns that are read."""


def check(path: Path, shape: Shape, records: Iterator[Record]) -> None:
    """Refuse a table in which a quotation mark swallows rows.

    A text may hold line breaks between its quotation marks. Where the lines of one record look
    like rows of their own, with the header's number of fields and the values that the wanted
    columns have in other rows, they are rows.

    Raises
    ------
    BadInputError
        The first such record, with the number of rows that it swallows.
    """
    seen: dict[int, Counter[str]] = {place: Counter() for place in shape.wanted}
    long = []
    for record in records:
        if len(record.lines) > 1:
            long.append(record)
        elif len(record.fields) == shape.width:
            _count(seen, record)
    tells = {place: tell for place, values in seen.items() if (tell := _tell(values))}
    for record in long:
        rows = [line for line in record.lines if _is_row(line, shape, tells)]
        if len(rows) > 1 and rows[0] is record.lines[0]:
            raise BadInputError(
                f"{path}: row {record.number}: a quotation mark opens there and closes "
                f"{len(record.lines) - 1} lines later, so {len(rows)} rows would be read as one; "
                "double each mark inside a field and put the field into marks, or save the "
                "table as Parquet or JSON Lines"
            )


def _count(seen: dict[int, Counter[str]], record: Record) -> None:
    for place, values in seen.items():
        if len(values) <= _MOST_VALUES:
            values[record.fields[place]] += 1


def _tell(values: Counter[str]) -> re.Pattern[str] | None:
    """Return what a field of a column looks like; None of texts and ids, which may be anything."""
    if values and all(_NUMBER.fullmatch(value) for value in values):
        return _NUMBER
    if len(values) > min(_MOST_VALUES, values.total() // 2):
        return None
    return re.compile("|".join(map(re.escape, values)))


def _is_row(line: str, shape: Shape, tells: dict[int, re.Pattern[str]]) -> bool:
    """Say whether a line, its quotation marks taken as letters, is a row like the others."""
    fields = line.rstrip("\r\n").split(shape.delimiter)
    if len(fields) != shape.width or (not tells and shape.width < _WIDE):
        return False
    return all(tell.fullmatch(fields[place]) for place, tell in tells.items())
