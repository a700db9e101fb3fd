"""CSV as people save it: any usual delimiter, and nothing misread in silence."""

import csv
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from ..schema import BadInputError
from . import columns as typed

_DELIMITERS = ",;\t|"
_BLOCK_BYTES = 1 << 24  # no row may be longer
TO_UTF8 = "save it as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`"


def read(path: Path, columns: list[str]) -> pa.Table:
    """Return the wanted columns of a CSV file as strings, an empty field as "".

    UTF-8 with or without a byte-order mark; the delimiter is the one that the header uses most:
    comma, semicolon, tab or bar. Quoted fields may span lines.

    Raises
    ------
    BadInputError
        Another encoding, a NUL byte, an open quotation mark, a row with more or fewer fields
        than the header, or a missing column.
    """
    _check_bytes(path)
    header, delimiter = _header(path)
    typed.check(path, header, columns)
    try:
        return _parse(path, columns, delimiter)
    except pa.ArrowException:
        raise BadInputError(f"{path}: {_fault(path, header, columns, delimiter)}") from None


def header(path: Path) -> list[str]:
    """Return the column names of a CSV file."""
    return _header(path)[0]


def _parse(path: Path, columns: list[str], delimiter: str) -> pa.Table:
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pc.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
        ),
    )


def _fault(path: Path, header: list[str], columns: list[str], delimiter: str) -> str:
    """Say where a file goes wrong, reading it once more, slowly: the fast parser cannot."""
    with path.open(encoding="latin-1", newline="") as file:
        rows = (fields for fields in csv.reader(file, delimiter=delimiter) if fields)
        try:
            for row, fields in enumerate(rows):
                if len(fields) != len(header):
                    return f"row {row}: {len(fields)} fields where the header has {len(header)}"
                foreign = [name for name in columns if not _is_utf8(fields[header.index(name)])]
                if row and foreign:
                    return f"column {foreign[0]!r}, row {row}: not UTF-8; {TO_UTF8}"
        except csv.Error as error:
            return f"not a CSV table: {error}"
    return f"not a CSV table, or a row is longer than {_BLOCK_BYTES >> 20} MiB"


def _is_utf8(field: str) -> bool:
    try:
        field.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_bytes(path: Path) -> None:
    """Refuse what a CSV parser would swallow: NUL bytes, UTF-16, a quotation mark left open."""
    quotes = before = 0
    with path.open("rb") as file:
        while chunk := file.read(_BLOCK_BYTES):
            if before == 0 and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadInputError(f"{path}: UTF-16; save it as UTF-8")
            if (place := chunk.find(b"\0")) >= 0:
                row = _row_at(path, before + place)
                raise BadInputError(f"{path}: row {row}: a NUL byte; remove it")
            quotes += chunk.count(b'"')
            before += len(chunk)
    if quotes % 2:
        raise BadInputError(
            f"{path}: a quotation mark is never closed; double those inside fields"
        )


def _row_at(path: Path, place: int) -> int:
    """Return the row (from 1, 0 is the header) that holds the byte at `place`."""
    with path.open("rb") as file:
        text = file.read(place).decode("latin-1")
    outside_quotes = re.sub(r'"[^"]*("|$)', "", text)
    return len(re.findall(r"(?:\r\n|\r|\n)+", outside_quotes))


def _header(path: Path) -> tuple[list[str], str]:
    """Return the column names and the delimiter."""
    with path.open("rb") as file:
        start = file.readline(_BLOCK_BYTES)
    try:
        line = re.split(r"[\r\n]", start.decode("utf-8-sig"), maxsplit=1)[0]
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: the header is not UTF-8; {TO_UTF8}") from None
    outside_quotes = re.sub(r'"[^"]*"', "", line)
    delimiter = max(_DELIMITERS, key=outside_quotes.count)
    return next(csv.reader([line], delimiter=delimiter), []), delimiter
