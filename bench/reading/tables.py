"""Tables from anywhere: CSV, Parquet and JSON, read whole or refused in one line."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..schema import BadInputError
from . import columns as typed
from . import confined, csv_tables, json_tables, nested

Reader = Callable[[Path, list[str]], pa.Table]


def read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return the wanted columns of a table, by the file's ending.

    `.csv` and `.tsv` hold strings only (an empty field is ""); `.parquet` and JSON (`.jsonl`,
    `.ndjson`, `.json`: one object a line, or one array of objects) are typed as they are, with
    nulls. There a column may be a field of a column: `doc.label`.

    Raises
    ------
    BadInputError
        The file is missing, empty, truncated, ragged, of another kind or encoding, lacks a
        column, or takes out of proportion much memory or time.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise BadInputError(f"{path}: not a file")
        reader = _reader(path)
        if path.stat().st_size == 0:
            raise BadInputError(f"{path}: the file is empty")
        table = reader(path, list(dict.fromkeys(columns)))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if table.num_rows == 0:
        raise BadInputError(f"{path}: no rows")
    return table


def read_most(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return those of the columns that can be read; one that mixes kinds, say, cannot.

    Raises
    ------
    BadInputError
        None can be read.
    """
    try:
        return read(path, columns)
    except BadInputError:
        columns_by_name: dict[str, Any] = {}
        for name in dict.fromkeys(columns):
            with contextlib.suppress(BadInputError):
                columns_by_name[name] = read(path, [name])[name]
        if not columns_by_name:
            raise
    return pa.table(columns_by_name)


def names(path: Path) -> list[str]:
    """Return the names of a table's columns, as far as a glance tells; none where it is none."""
    try:
        if not is_table(path) or not path.is_file():
            return []
        if path.suffix.lower() == ".parquet":
            return list(pq.read_schema(path).names)
        kind = json_tables if path.suffix.lower().startswith((".json", ".nd")) else csv_tables
        columns_by_name: list[str] = kind.names(path)
        return columns_by_name
    except (OSError, pa.ArrowException, BadInputError):
        return []


def is_table(path: Path) -> bool:
    """Say whether a file's ending is one that can be read."""
    return path.suffix.lower() in READERS


def _reader(path: Path) -> Reader:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInputError(f"{path}: unknown kind of file; there are: {', '.join(READERS)}")
    return reader


def _read_parquet(path: Path, columns: list[str]) -> pa.Table:
    try:
        schema = pq.read_schema(path)
    except (PermissionError, IsADirectoryError):
        raise
    except (pa.ArrowException, OSError):
        raise BadInputError(f"{path}: not a complete Parquet file; write it again") from None
    whole = [nested.parent(name, schema.names) for name in columns]
    typed.check(
        path, nested.names(schema), [n for n, w in zip(columns, whole, strict=True) if not w]
    )
    typed.check(path, schema.names, [name for name in whole if name])
    table = confined.read(path, [*dict.fromkeys(name for name in whole if name)])
    return nested.select(path, table, columns)


READERS: dict[str, Reader] = {
    ".csv": csv_tables.read,
    ".tsv": csv_tables.read,
    ".parquet": _read_parquet,
    ".jsonl": json_tables.read,
    ".ndjson": json_tables.read,
    ".json": json_tables.read,
}
