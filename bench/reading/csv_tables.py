"""CSV as people save it: any usual delimiter, and nothing misread in silence."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from ..schema import BadInputError
from . import columns as typed
from . import quoting

_DELIMITERS = ",;\t|"
_BLOCK_BYTES = 1 << 24  # no row may be longer
_EXCEL_LINE = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)
TO_UTF8 = "save it as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`"


def read(path: Path, columns: list[str]) -> pa.Table:
    """Return the wanted columns of a CSV file as strings, an empty field as "".

    UTF-8 with or without a byte-order mark; the delimiter is the one that the header uses most
    (comma, semicolon, tab or bar), or the one that Excel's first line names (`sep=;`). Quoted
    fields may span lines.

    Raises
    ------
    BadInputError
        Another encoding, a NUL byte, an open quotation mark, one that swallows rows, a row with
        more or fewer fields than the header, or a missing column.
    """
    lines = _check_bytes(path)
    header = _header(path)
    typed.check(path, header.names, columns)
    try:
        table = _parse(path, columns, header)
    except pa.ArrowException:
        raise BadInputError(f"{path}: {_fault(path, header, columns)}") from None
    if lines > table.num_rows + header.before + 1:
        places = tuple(header.names.index(name) for name in columns)
        shape = quoting.Shape(len(header.names), header.delimiter, places)
        quoting.check(path, shape, _records(path, header))
    return table


def names(path: Path) -> list[str]:
    """Return the names of a table's columns."""
    return _header(path).names


@dataclass(frozen=True)
class _Header:
    """The first line of a table, and what may stand before it."""

    names: list[str]
    delimiter: str
    before: int
    """Lines before it."""


def _parse(path: Path, columns: list[str], header: _Header) -> pa.Table:
    return pc.read_csv(
        path,
        read_options=pc.ReadOptions(block_size=_BLOCK_BYTES, skip_rows=header.before),
        parse_options=pc.ParseOptions(delimiter=header.delimiter, newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
        ),
    )


def _records(path: Path, header: _Header) -> Iterator[quoting.Record]:
    """Yield the rows under the header, each with the lines that it is made of."""
    with path.open(encoding="utf-8", newline="") as file:
        for _ in range(header.before):
            file.readline()
        lines: list[str] = []

        def noted() -> Iterator[str]:
            for line in file:
                lines.append(line)
                yield line

        reader = csv.reader(noted(), delimiter=header.delimiter)
        rows = (fields for fields in reader if fields)
        for number, fields in enumerate(rows):
            if number:
                yield quoting.Record(number, fields, tuple(lines))
            lines.clear()


def _fault(path: Path, header: _Header, columns: list[str]) -> str:
    """Say where a file goes wrong, reading it once more, slowly: the fast parser cannot."""
    names, delimiter = header.names, header.delimiter
    with path.open(encoding="latin-1", newline="") as file:
        for _ in range(header.before):
            file.readline()
        rows = (fields for fields in csv.reader(file, delimiter=delimiter) if fields)
        try:
            for row, fields in enumerate(rows):
                if len(fields) != len(names):
                    return f"row {row}: {len(fields)} fields where the header has {len(names)}"
                foreign = [name for name in columns if not _is_utf8(fields[names.index(name)])]
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


def _check_bytes(path: Path) -> int:
    """Refuse what a CSV parser reads over: NUL bytes, UTF-16, a quotation mark left open.

    Returns the number of lines if there are quotation marks, between which a line is no row.
    """
    quotes = before = 0
    ends = {b"\n": 1, b"\r": 1}
    with path.open("rb") as file:
        while chunk := file.read(_BLOCK_BYTES):
            if before == 0 and chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadInputError(f"{path}: UTF-16; save it as UTF-8")
            if (place := chunk.find(b"\0")) >= 0:
                row = _row_at(path, before + place)
                raise BadInputError(f"{path}: row {row}: a NUL byte; remove it")
            quotes += chunk.count(b'"')
            before += len(chunk)
            ends = {mark: count + chunk.count(mark) for mark, count in ends.items()}
    if quotes % 2:
        raise BadInputError(
            f"{path}: a quotation mark is never closed; double those inside fields"
        )
    return max(ends.values()) if quotes else 0


def _row_at(path: Path, place: int) -> int:
    """Return the row (from 1, 0 is the header) that holds the byte at `place`."""
    with path.open("rb") as file:
        text = file.read(place).decode("latin-1")
    outside_quotes = re.sub(r'"[^"]*("|$)', "", text)
    return len(re.findall(r"(?:\r\n|\r|\n)+", outside_quotes))


def _header(path: Path) -> _Header:
    """Return the column names, the delimiter, and the lines before them."""
    with path.open("rb") as file:
        line = _line(path, file.readline(_BLOCK_BYTES))
        excel = _EXCEL_LINE.fullmatch(line)
        if excel and excel[1] in _DELIMITERS:
            named = _line(path, file.readline(_BLOCK_BYTES))
            return _Header(next(csv.reader([named], delimiter=excel[1]), []), excel[1], 1)
    outside_quotes = re.sub(r'"[^"]*"', "", line)
    likely = "\t" if path.suffix.lower() == ".tsv" and "\t" in outside_quotes else _DELIMITERS
    delimiter = max(likely, key=outside_quotes.count)
    return _Header(next(csv.reader([line], delimiter=delimiter), []), delimiter, 0)


def _line(path: Path, content: bytes) -> str:
    try:
        return re.split(r"[\r\n]", content.decode("utf-8-sig"), maxsplit=1)[0]
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: the header is not UTF-8; {TO_UTF8}") from None
