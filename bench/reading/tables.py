"""Tables from anywhere: CSV, Parquet and JSON Lines, read whole or refused in one line."""

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from bench.reading import columns as typed
from bench.reading import csv_tables
from bench.reading.csv_tables import TO_UTF8
from bench.schema import BadInputError

_LARGEST_BLOCK = 2**31 - 1
_MOST_BRACKETS = 1000  # in a line; a hundred thousand nested ones overflow the parser's stack


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
        ".jsonl": _read_json,
        ".ndjson": _read_json,
        ".json": _read_json,
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


def _read_parquet(path: Path, columns: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            typed.check(path, file.schema_arrow.names, columns)
            return file.read(columns=columns)
    except PermissionError:
        raise
    except (pa.ArrowException, OSError):
        raise BadInputError(f"{path}: not a complete Parquet file; write it again") from None


def _read_json(path: Path, columns: list[str]) -> pa.Table:
    _check_lines(path)
    try:
        table = pj.read_json(path)
    except pa.ArrowException:
        raise BadInputError(f"{path}: {_fault(path)}") from None
    typed.check(path, table.column_names, columns)
    return table.select(columns)


def _check_lines(path: Path) -> None:
    """Refuse what the JSON parser passes on (another encoding) or dies of (deep nesting)."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                raise BadInputError(f"{path}: row {number}: not UTF-8; {TO_UTF8}") from None
            if line.count(b"[") + line.count(b"{") > _MOST_BRACKETS:
                raise BadInputError(f"{path}: row {number}: more than {_MOST_BRACKETS} brackets")


def _fault(path: Path) -> str:
    """Say in which row a JSON Lines file goes wrong: read at once, blocks count from their own."""
    block = min(path.stat().st_size + 1, _LARGEST_BLOCK)
    try:
        pj.read_json(path, read_options=pj.ReadOptions(use_threads=False, block_size=block))
    except pa.ArrowException as error:
        found = re.search(r"(.*) in row (\d+)$", str(error), re.DOTALL)
        if found:
            reason = " ".join(found[1].removeprefix("JSON parse error: ").split())
            return f"row {int(found[2]) + 1}: {reason}; write one JSON object a line"
    return "not JSON Lines; write one JSON object a line"
