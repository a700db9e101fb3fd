"""Columns of a table as categories, ids, numbers or vectors; a bad value is named by its row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
from pyarrow import compute

from ..schema import Array, BadInputError

pc: Any = compute  # the published stubs lag behind it
Column = Any  # a pyarrow array

_LONGEST_SHOWN = 60  # characters of a value in a message
_LONGEST_FIXED = 64  # characters; a column with longer strings keeps them as objects
_COLUMNS_SHOWN = 20
_MOST_VALUES = 1000  # of a label or a group; an id or a score given by mistake has more
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what a terminal obeys and XML cannot hold
_WHOLE = r"^[+-]?\d+\.0+$"
_COMMA = r"^[+-]?(0|1)?,\d+$"  # of a probability or a share: 1,234 could be a thousand
_NUMBER = r"^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|NaN|[+-]?(inf|Inf))$"


class Categories(NamedTuple):
    """A column of repeating values."""

    code: Array  # (n,) int64, index into `values`; -1 where the value is missing
    values: tuple[str, ...]

    @property
    def strings(self) -> Array:
        """The column as strings, "" where the value is missing; (n,)."""
        fixed = max(map(len, self.values), default=0) <= _LONGEST_FIXED
        named: Array = np.array([*self.values, ""], str if fixed else object)[self.code]
        return named


def check(path: Path, present: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a wanted column, or holds it twice."""
    for name in wanted:
        if name not in present:
            known = ", ".join(map(repr, present[:_COLUMNS_SHOWN]))
            more = ", …" if len(present) > _COLUMNS_SHOWN else ""
            raise BadInputError(f"{path}: no column {name!r}; there are: {known}{more}")
        if list(present).count(name) > 1:
            raise BadInputError(f"{path}: column {name!r} occurs twice; rename one")


@dataclass(frozen=True)
class Source:
    """A table and where it was read from, so that a message can say so; rows count from 1."""

    path: Path
    table: pa.Table
    kept_rows: Array | None = None
    """Index in the file of each row, where some were left out."""
    missing: frozenset[str] = frozenset()
    """Spellings that say that nothing is known, besides an empty field."""

    def complete(self, columns: Sequence[str]) -> "Source":
        """Return the rows in which every one of the columns has a value."""
        given = np.ones(self.table.num_rows, bool)
        for column in columns:
            given &= pc.is_valid(self.strings(column)).to_numpy(zero_copy_only=False)
        if not given.any():
            raise BadInputError(f"{self.path}: no row is complete in {', '.join(columns)}")
        return self.rows(given)

    def rows(self, chosen: Array) -> "Source":
        """Return the rows of a mask (n,); messages go on naming them by their row of the file."""
        index = np.arange(self.table.num_rows) if self.kept_rows is None else self.kept_rows
        return replace(self, table=self.table.filter(pa.array(chosen)), kept_rows=index[chosen])

    def refuse(self, column: str, index: int, reason: str, *, value: object = None) -> NoReturn:
        """Refuse what row `index` (from 0) holds in a column."""
        shown = "" if value is None else f" = {_shown(value)}"
        row = self.row(index)
        raise BadInputError(f"{self.path}: column {column!r}, row {row}{shown}: {reason}")

    def row(self, index: int) -> int:
        """Return the number in the file, from 1, of row `index`, from 0."""
        return (index if self.kept_rows is None else int(self.kept_rows[index])) + 1

    def strings(self, column: str) -> Column:
        """Return a column as strings, null where a value is missing; (n,)."""
        return self._written(column, self.table[column].combine_chunks())

    def categories(self, column: str) -> Categories:
        """Return a column of repeating values; spaces around one and a final ".0" do not count."""
        encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(self.strings(column)))
        if (many := len(encoded.dictionary)) > _MOST_VALUES:
            raise BadInputError(
                f"{self.path}: column {column!r} has {many} distinct values, more than "
                f"{_MOST_VALUES}; is it the right column? If so, make its values coarser"
            )
        written = [plain(value) for value in encoded.dictionary.to_pylist()]
        values = tuple(dict.fromkeys(written))
        for value in values:
            if _CONTROL.search(value):
                raise BadInputError(
                    f"{self.path}: column {column!r}: {_shown(value)} holds a control character"
                )
        place = {value: number for number, value in enumerate(values)}
        renumber = np.array([*(place[value] for value in written), -1], np.int64)
        return Categories(renumber[pc.fill_null(encoded.indices, -1).to_numpy()], values)

    def clusters(self, column: str) -> Array:
        """Return a column of cluster names, of which there may be many; "" is missing; (n,) str.

        Spaces around one and a final ".0" do not count, as for a category.
        """
        encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(self.strings(column)))
        names = [plain(value) for value in encoded.dictionary.to_pylist()]
        if not names:
            raise BadInputError(f"{self.path}: column {column!r}: every cluster is missing")
        code = pc.fill_null(encoded.indices, -1).to_numpy()
        if len(names) == len(code):
            raise BadInputError(
                f"{self.path}: column {column!r}: every row has a cluster of its own, so none is "
                "one; leave it out, or name the column that rows share"
            )
        return Categories(np.asarray(code, np.int64), tuple(names)).strings

    def identifiers(self, column: str) -> Array:
        """Return a column in which every value is given, and none twice; (n,) str.

        Ids that are all whole numbers with a point (`7.0`) are read as integers: that is what a
        table makes of them in a column where one was missing.
        """
        written = self.strings(column)
        if written.null_count:
            self.refuse(column, _first(pc.is_null(written)), "no id; give every row one")
        if pc.all(pc.match_substring_regex(written, _WHOLE)).as_py():
            written = pc.replace_substring_regex(written, r"\.0+$", "")
        if pc.count_distinct(written).as_py() < len(written):
            code = pc.dictionary_encode(written).indices.to_numpy()
            first = np.unique(code, return_index=True)[1]
            again = int(np.setdiff1d(np.arange(len(code)), first)[0])
            row = self.row(int(first[code[again]]))
            same = f"row {row} has this id too; ids must differ"
            self.refuse(column, again, same, value=written[again].as_py())
        ids: Array = written.to_numpy(zero_copy_only=False)
        longest = pc.max(pc.utf8_length(written)).as_py()
        return ids if longest > _LONGEST_FIXED else ids.astype(str)

    def numbers(self, column: str) -> Array:
        """Return a column in which every value is a number; (n,) float64."""
        return self._numbers(column, self.table[column].combine_chunks(), width=1)

    def scores(self, column: str) -> Array:
        """Return a column of numbers, NaN where a value is missing; (n,) float64."""
        given = pc.is_valid(self.strings(column)).to_numpy(zero_copy_only=False)
        scores = np.full(len(given), np.nan)
        if given.any():
            scores[given] = self.rows(given).numbers(column)
        return scores

    def holds_numbers(self, column: str) -> bool:
        """Say whether every value that is given is a number."""
        written = pc.drop_null(pc.utf8_trim_whitespace(self.strings(column)))
        return bool(pc.all(pc.match_substring_regex(_with_points(written), _NUMBER)).as_py())

    def vectors(self, column: str) -> Array:
        """Return a column of equally long vectors: lists, or text such as "[0.2, 0.8]"; (n, C)."""
        lists = self.table[column].combine_chunks()
        if not _is_list(lists.type):
            text = pc.replace_substring_regex(self.strings(column), r"^\s*[\[(]\s*", "")
            text = pc.replace_substring_regex(text, r"\s*[\])]\s*$", "")
            lists = pc.split_pattern_regex(text, r"[\s,;]+")
        length = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
        width = int(length[0])
        if width == 0:
            self.refuse(column, 0, "no numbers; give one a label")
        if (length != width).any():
            index = int((length != width).argmax())
            self.refuse(column, index, f"{length[index]} numbers where row 1 has {width}")
        return self._numbers(column, pc.list_flatten(lists), width=width).reshape(-1, width)

    def is_list(self, column: str) -> bool:
        """Say whether a column's type is that of lists."""
        return _is_list(self.table[column].type)

    def holds_vectors(self, column: str) -> bool:
        """Say whether a column holds vectors, by its type or its first value."""
        if _is_list(self.table[column].type):
            return True
        return bool(re.match(r"\s*[\[(]", self.strings(column)[0].as_py() or ""))

    def _written(self, column: str, cells: Column) -> Column:
        if pa.types.is_floating(cells.type):
            cells = pc.if_else(pc.is_nan(cells), None, cells)
        try:
            written = pc.cast(cells, pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise BadInputError(
                f"{self.path}: column {column!r} holds {str(cells.type)[:_LONGEST_SHOWN]}, "
                "not one text or number a row"
            ) from None
        spelling = pc.utf8_trim_whitespace(written)
        unknown = pc.is_in(spelling, value_set=pa.array(["", *self.missing], pa.large_string()))
        return pc.if_else(unknown, None, written)

    def _numbers(self, column: str, cells: Column, *, width: int) -> Array:
        """Return numbers, `width` of them a row."""
        if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
            cells = self._parsed(column, cells, width=width)
        if cells.null_count:
            index = _first(pc.is_null(cells)) // width
            self.refuse(column, index, "missing; give every row a number")
        number: Array = pc.cast(cells, pa.float64(), safe=False).to_numpy()  # as float() rounds
        if np.isnan(number).any():
            self.refuse(column, int(np.isnan(number).argmax()) // width, "not a number (NaN)")
        return number

    def _parsed(self, column: str, cells: Column, *, width: int) -> Column:
        written = _with_points(pc.utf8_trim_whitespace(self._written(column, cells)))
        try:
            return pc.cast(written, pa.float64())
        except pa.ArrowInvalid:
            good = pc.fill_null(pc.match_substring_regex(written, _NUMBER), True)
            index = _first(pc.invert(good))
            value = written[index].as_py()
            comma = re.fullmatch(_NUMBER, value.replace(",", "."))
            reason = "a decimal comma; write a point" if comma else "not a number"
            self.refuse(column, index // width, reason, value=value)


def _with_points(written: Column) -> Column:
    """Return numbers with decimal points where all of a column's fractions have a comma."""
    commas = pc.match_substring_regex(written, _COMMA)
    whole = pc.match_substring_regex(written, r"^[+-]?\d+$")
    if pc.any(commas).as_py() and pc.all(pc.or_(commas, whole)).as_py():
        return pc.replace_substring(written, ",", ".")
    return written


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _first(mask: Column) -> int:
    """Return the index of the first true value."""
    return int(pc.index(mask, True).as_py())


def plain(value: str) -> str:
    """Return 1.0 as 1: integers become floats in a column where one is missing."""
    return value.split(".")[0] if re.fullmatch(_WHOLE, value) else value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
