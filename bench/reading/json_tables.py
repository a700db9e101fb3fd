"""JSON: one object a line, or a file that is one array of objects; fields may be nested."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..schema import BadInputError
from . import columns as typed
from .csv_tables import TO_UTF8

Column = Any  # a pyarrow array

_CHUNK = 1 << 12  # rows that stand as Python objects at a time
_GLANCE = 100  # rows that show which fields there are
_MOST_NAMES = 1000  # of fields that a message looks through
_BYTE_ORDER_MARK = "\ufeff"
_NULL = type(None)
_ABSENT: Any = ...  # what stands for a field that a row lacks; JSON has no such value
_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", list: "list"}
_WAY_OUT = "write one JSON object a line, or one array of objects"


def read(path: Path, columns: list[str]) -> pa.Table:
    """Return the wanted columns, typed as they are, with nulls.

    A column is a field of each object, or `doc.label` for a field of a field. Only the wanted
    fields are kept, one row after another, so that memory grows with them and not with the keys
    of a hostile file. Text stays as written, also where it looks like a date. NaN, which Python
    writes and JSON does not have, is a missing value.

    Raises
    ------
    BadInputError
        A row is no JSON object, holds a field twice, is in another encoding or nested too deeply;
        a column is missing, or holds values of different kinds.
    """
    wanted = [_Field(path, name) for name in columns]
    known: dict[str, None] = {}
    for rows in _chunks(_rows(path)):
        known = known or dict.fromkeys(name for row in rows[:_GLANCE] for name in _names(row))
        for field in wanted:
            field.add(rows)
    for field in wanted:
        if not field.occurs:
            typed.check(path, [*known], [field.name])
    return pa.table({field.name: field.column() for field in wanted})


def names(path: Path) -> list[str]:
    """Return the names of the fields of a file's first rows."""
    rows = islice(_rows(path), _GLANCE)
    return [*dict.fromkeys(name for row in rows for name in _names(row))]


class _Field:
    """The values of one wanted column, read so far."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.occurs = False
        self._path = path
        self._number = 1  # of the next row
        self._kind: type = _NULL
        self._chunks: list[Column] = []

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take the values of the next rows."""
        values = [row.get(self.name, _ABSENT) for row in rows]
        if type(_ABSENT) in set(map(type, values)):
            values = [self._nested(row) for row in rows]
        else:
            self.occurs = True
        if {*map(type, values)} - {self._kind, _NULL}:
            self._check(values)
        try:
            self._chunks.append(_packed(values))
        except OverflowError:  # in a list, or beside numbers with a point
            raise BadInputError(
                f"{self._path}: column {self.name!r}: a number is too large; write it as text"
            ) from None
        except (pa.ArrowException, UnicodeEncodeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise BadInputError(f"{self._path}: column {self.name!r}: {reason}") from None
        self._number += len(rows)

    def column(self) -> Column:
        """Return all values as one column."""
        kinds = {chunk.type for chunk in self._chunks if not pa.types.is_null(chunk.type)}
        if pa.string() in kinds:  # integers too long for 64 bits beside shorter ones
            return pa.chunked_array([chunk.cast(pa.string()) for chunk in self._chunks])
        try:
            common = pa.unify_schemas(
                [pa.schema([("x", chunk.type)]) for chunk in self._chunks],
                promote_options="permissive",
            )
            kind = common.field("x").type
            return pa.chunked_array([chunk.cast(kind) for chunk in self._chunks], kind)
        except pa.ArrowException:
            raise BadInputError(
                f"{self._path}: column {self.name!r} holds values of different kinds"
            ) from None

    def _nested(self, row: Mapping[str, Any]) -> Any:
        """Return the value of one row: of the field, else at the end of its steps."""
        value: Any = row
        for step in [self.name] if self.name in row else self.name.split("."):
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        self.occurs = True
        return value

    def _check(self, values: Sequence[Any]) -> None:
        """Refuse objects, and values of another kind than those before; numbers are one kind."""
        for number, value in enumerate(values, start=self._number):
            kind = type(value)
            if kind is dict:
                inside = ", ".join(repr(f"{self.name}.{name}") for name in [*value][:5])
                raise BadInputError(
                    f"{self._path}: column {self.name!r}, row {number}: an object; name one of "
                    f"its fields: {inside or 'it has none'}"
                )
            if self._kind is _NULL or {kind, self._kind} <= {int, float}:
                self._kind = kind
            elif kind not in {self._kind, _NULL}:
                raise BadInputError(
                    f"{self._path}: column {self.name!r}, row {number}: changed from "
                    f"{_KINDS[self._kind]} to {_KINDS[kind]}; write every row alike"
                )


def _packed(values: Sequence[Any]) -> Column:
    kinds = set(map(type, values))
    if int not in kinds:
        return pa.array(values)
    if float in kinds:
        return pa.array([None if value is None else float(value) for value in values])
    try:
        return pa.array(values)
    except OverflowError:  # an id of more than 64 bits
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, in whichever of the two forms it is."""
    with path.open("rb") as file:
        start = file.read(1024).decode("utf-8", "replace").lstrip(_BYTE_ORDER_MARK).lstrip()
    if not start:
        return
    yield from (_of_array(path) if start.startswith("[") else _of_lines(path))


def _of_lines(path: Path) -> Iterator[dict[str, Any]]:
    number = 0
    with path.open("rb") as file:
        for line in file:
            text = _decoded(path, line, number + 1)
            if not text or text.isspace():
                continue
            number += 1
            try:
                value = _parsed(text.strip())
            except (ValueError, RecursionError) as error:
                raise _refused(path, number, error, _way_out(path, number)) from None
            yield _object(path, number, value)


def _of_array(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the elements one after another; only the text stands in memory as a whole."""
    text = _decoded(path, path.read_bytes(), 1)
    place = _after(text, text.index("[") + 1)
    number = 0
    if text[place : place + 1] == "]":
        return
    while True:
        number += 1
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise _refused(path, number, error, _WAY_OUT) from None
        yield _object(path, number, value)
        place = _after(text, place)
        mark = text[place : place + 1]
        if mark == "]":
            break
        if mark != ",":
            raise BadInputError(f"{path}: row {number}: no comma or ] after it; {_WAY_OUT}")
        place = _after(text, place + 1)
    if _after(text, place + 1) < len(text):
        raise BadInputError(f"{path}: something follows the array; {_WAY_OUT}")


def _after(text: str, place: int) -> int:
    """Return the place of the first character from `place` that is no white space."""
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _decoded(path: Path, content: bytes, number: int) -> str:
    try:
        return content.decode().lstrip(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        row = number + content[: error.start].count(b"\n")
        raise BadInputError(f"{path}: row {row}: not UTF-8; {TO_UTF8}") from None


def _object(path: Path, number: int, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInputError(f"{path}: row {number}: not an object; {_WAY_OUT}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a field that occurs twice nobody knows which is meant."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"field {again[:60]!r} occurs twice")
    return fields


def _constant(name: str) -> float | None:
    """Return what Python writes where JSON has no word; not a number is a missing value."""
    return None if name == "NaN" else float(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant)


def _parsed(text: str) -> Any:
    value, end = _DECODER.raw_decode(text)
    if end < len(text):
        raise ValueError("more than one value")
    return value


def _refused(path: Path, number: int, error: Exception, way_out: str) -> BadInputError:
    deep = isinstance(error, RecursionError)
    reason = "too many brackets in one another" if deep else str(error).split(": line")[0]
    return BadInputError(f"{path}: row {number}: {reason}; {way_out}")


def _way_out(path: Path, number: int) -> str:
    """Return what to do about a line that is no object: a whole file may be one."""
    if number > 1:
        return _WAY_OUT
    try:
        whole = _DECODER.decode(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError):
        return _WAY_OUT
    if isinstance(whole, dict):
        return f"the file is one object; {_WAY_OUT} (in pandas: to_json(orient='records'))"
    return _WAY_OUT


def _names(row: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the names by which an object's fields can be wanted."""
    for name, value in [*row.items()][:_MOST_NAMES]:
        if isinstance(value, dict) and value and depth < 5:  # noqa: PLR2004
            yield from _names(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}"
