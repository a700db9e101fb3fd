"""What is seen of a table's columns: what they could be is guessed from this alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute

from ..reading import spellings
from ..reading.columns import Source, plain
from ..schema import BadInputError

pc: Any = compute  # the published stubs lag behind it
MOST_VALUES = 200
"""Distinct values up to which they are kept; a label or a group has fewer."""


class Column(NamedTuple):
    """One column of single values."""

    name: str
    rows: int
    given: int
    """Rows in which it has a value."""
    distinct: int
    values: tuple[str, ...]
    """The distinct values, most frequent first; () where there are more than `MOST_VALUES`."""
    characters: float
    """Mean length of a value."""
    words: float
    """Mean number of words of a value."""
    is_number: bool
    is_fraction: bool
    """Numbers from 0 to 1, and some between: shares of votes."""

    @property
    def is_text(self) -> bool:
        """Whether most values are a few words or more, as texts are."""
        return not self.is_number and (self.words >= 2.5 or self.characters >= 25)  # noqa: PLR2004

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.given == self.rows == self.distinct


def columns(path: Path, table: pa.Table) -> list[Column]:
    """Return what is seen of a table's columns; those of lists or records are left out."""
    source = Source(path, table)
    return list(_columns(source))


def _columns(source: Source) -> Iterator[Column]:
    for name in dict.fromkeys(source.table.column_names):
        if not name or source.table.column_names.count(name) > 1:
            continue  # it cannot be named in a suite
        try:
            written = pc.drop_null(source.strings(name))
        except BadInputError:
            continue
        if len(written):
            yield _column(source, name, written)


def _column(source: Source, name: str, written: Any) -> Column:
    counted = pc.value_counts(pc.utf8_trim_whitespace(written))
    distinct = len(counted)
    values: tuple[str, ...] = ()
    if distinct <= MOST_VALUES:
        number = counted.field("counts").to_numpy()
        named = [plain(value) for value in counted.field("values").to_pylist()]
        values = tuple(named[i] for i in np.argsort(-number, kind="stable"))
    is_number = source.holds_numbers(name)
    return Column(
        name=name,
        rows=source.table.num_rows,
        given=len(written),
        distinct=distinct,
        values=values,
        characters=float(pc.mean(pc.utf8_length(written)).as_py()),
        words=1 + float(pc.mean(pc.count_substring_regex(written, r"\s+")).as_py()),
        is_number=is_number,
        is_fraction=is_number and spellings.are_fractions(_some(counted)),
    )


def _some(counted: Any) -> list[str]:
    """Return up to a thousand distinct values: enough to tell shares from counts."""
    named: list[str] = counted.field("values").to_pylist()[:1000]
    return named


def says_the_same(table: pa.Table, one: str, other: str) -> bool:
    """Say whether two columns are the same classes by other names: each value has one partner."""
    source = Source(Path(), table)
    left, right = (pc.fill_null(source.strings(name), "") for name in (one, other))
    pairs = pa.table({"left": left, "right": right}).group_by(["left", "right"]).aggregate([])
    return bool(
        pairs.num_rows == pc.count_distinct(left).as_py() == pc.count_distinct(right).as_py()
    )
