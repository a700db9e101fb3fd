"""Fields of a column of records as columns: `doc.label`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute

from ..schema import BadInputError

pc: Any = compute  # the published stubs lag behind it
Column = Any  # a pyarrow array, or a field of a schema


def parent(name: str, present: Sequence[str]) -> str:
    """Return the column that holds `name`: itself, or what stands before a point; else ""."""
    if name in present:
        return name
    steps = name.split(".")
    beginnings = (".".join(steps[:count]) for count in range(len(steps) - 1, 0, -1))
    return next((beginning for beginning in beginnings if beginning in present), "")


def names(schema: pa.Schema) -> list[str]:
    """Return the names by which columns and their fields can be wanted."""
    return [name for field in schema for name in _names(field, "")]


def _names(field: Column, before: str) -> Iterator[str]:
    name = f"{before}{field.name}"
    if not pa.types.is_struct(field.type):
        yield name
        return
    for place in range(field.type.num_fields):
        yield from _names(field.type.field(place), f"{name}.")


def select(path: Path, table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the wanted columns, and fields of columns as columns of their own.

    Raises
    ------
    BadInputError
        A column has no such field, or is a record of several.
    """
    columns_by_name: dict[str, Column] = {name: _column(path, table, name) for name in columns}
    return pa.table(columns_by_name).replace_schema_metadata(table.schema.metadata)


def _column(path: Path, table: pa.Table, name: str) -> Column:
    whole = parent(name, table.column_names)
    column = table[whole]
    for step in name.removeprefix(whole).split(".")[1:]:
        known = _fields(column.type)
        if step not in known:
            inside = ", ".join(repr(f"{whole}.{field}") for field in known[:5])
            there = f"there are: {inside}" if known else f"{whole!r} holds no records"
            raise BadInputError(f"{path}: no column {name!r}; {there}")
        column = pc.struct_field(column, step)
    if fields := _fields(column.type):
        inside = ", ".join(repr(f"{name}.{field}") for field in fields[:5])
        raise BadInputError(
            f"{path}: column {name!r} holds records; name one of their fields: {inside}"
        )
    return column


def _fields(kind: pa.DataType) -> list[str]:
    if not pa.types.is_struct(kind):
        return []
    return [kind.field(place).name for place in range(kind.num_fields)]
