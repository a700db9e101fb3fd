"""JSON Lines: one object a line, and nothing that a parser dies of."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj

from ..schema import BadInputError
from . import columns as typed
from . import unpacked
from .csv_tables import TO_UTF8

_LARGEST_BLOCK = 2**31 - 1
_MOST_BRACKETS = 1000  # in a line; a hundred thousand nested ones overflow the parser's stack
_VALUE_BYTES = 8
_KEY = re.compile(rb'"([^"\\]*)"\s*:')


def read(path: Path, columns: list[str]) -> pa.Table:
    """Return the wanted columns, typed as they are, with nulls.

    Raises
    ------
    BadInputError
        A line is no JSON object, in another encoding or nested too deeply; the lines have too
        many different keys; or a column is missing.
    """
    table = _whole(path)
    typed.check(path, table.column_names, columns)
    return table.select(columns)


def names(path: Path) -> tuple[str, ...]:
    """Return the keys that occur in any line."""
    return tuple(_whole(path).column_names)


def _whole(path: Path) -> pa.Table:
    _check_lines(path)
    try:
        return pj.read_json(path)
    except pa.ArrowException:
        raise BadInputError(f"{path}: {_fault(path)}") from None


def _check_lines(path: Path) -> None:
    keys: set[bytes] = set()
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                raise BadInputError(f"{path}: row {number}: not UTF-8; {TO_UTF8}") from None
            if line.count(b"[") + line.count(b"{") > _MOST_BRACKETS:
                raise BadInputError(f"{path}: row {number}: more than {_MOST_BRACKETS} brackets")
            keys.update(_KEY.findall(line))
    unpacked.check(path, _VALUE_BYTES * number * len(keys))  # every key becomes a column


def _fault(path: Path) -> str:
    """Say in which row a file goes wrong: read at once, blocks count from their own."""
    block = min(path.stat().st_size + 1, _LARGEST_BLOCK)
    try:
        pj.read_json(path, read_options=pj.ReadOptions(use_threads=False, block_size=block))
    except pa.ArrowException as error:
        found = re.search(r"(.*) in row (\d+)$", str(error), re.DOTALL)
        if found:
            reason = " ".join(found[1].removeprefix("JSON parse error: ").split())
            return f"row {int(found[2]) + 1}: {reason}; write one JSON object a line"
    return "not JSON Lines; write one JSON object a line"
