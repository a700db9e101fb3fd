"""Tables from anywhere: CSV, Parquet and JSON Lines, read whole or refused in one line."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..schema import BadInputError
from . import columns as typed
from . import csv_tables, json_tables, parquet_tables


def read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return the wanted columns of a table, by the file's ending.

    `.csv` and `.tsv` hold strings only (an empty field is ""); `.parquet` and JSON Lines
    (`.jsonl`, `.ndjson`, `.json`: one object a line) are typed as they are, with nulls.

    Raises
    ------
    BadInputError
        The file is missing, empty, truncated, ragged, of another kind or encoding, or lacks a
        column.
    """
    readers = {
        ".csv": csv_tables.read,
        ".tsv": csv_tables.read,
        ".parquet": _read_parquet,
        ".jsonl": json_tables.read,
        ".ndjson": json_tables.read,
        ".json": json_tables.read,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInputError(f"{path}: unknown kind of file; there are: {', '.join(readers)}")
    try:
        if path.stat().st_size == 0:
            raise BadInputError(f"{path}: the file is empty")
        table = reader(path, list(dict.fromkeys(columns)))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if table.num_rows == 0:
        raise BadInputError(f"{path}: no rows")
    return table


def names(path: Path) -> tuple[str, ...]:
    """Return the columns of a table that `read` accepts."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return tuple(pq.read_schema(path).names)
    if suffix in (".csv", ".tsv"):
        return tuple(csv_tables.header(path))
    return json_tables.names(path)


def _read_parquet(path: Path, columns: list[str]) -> pa.Table:
    try:
        typed.check(path, pq.read_schema(path).names, columns)
        return parquet_tables.read(path, columns)
    except PermissionError:
        raise
    except (pa.ArrowException, OSError):
        raise BadInputError(f"{path}: not a complete Parquet file; write it again") from None
