"""Tables in memory as the files that the readers know: one reader, one set of checks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..schema import BadInputError

Table = Any
"""A pandas or polars frame, a pyarrow table, a mapping of columns, or the path of a file."""


@contextmanager
def as_files(**tables: Table) -> Iterator[dict[str, Path]]:
    """Give every table as a file that the readers know; None is left out.

    Messages name a table in memory by its argument, as in `frame: column 'y': …`.
    """
    with TemporaryDirectory(prefix="tunefair-") as folder:
        paths = {
            name: _path(Path(folder) / f"{name}.parquet", table)
            for name, table in tables.items()
            if table is not None
        }
        try:
            yield paths
        except BadInputError as error:
            message = str(error)
            for name in tables:
                message = message.replace(str(Path(folder) / f"{name}.parquet"), name)
            raise BadInputError(message) from None


def _path(path: Path, table: Table) -> Path:
    if isinstance(table, str | Path):
        return Path(table)
    pq.write_table(_arrow(table, path.stem), path)  # type: ignore[no-untyped-call, unused-ignore]
    return path


def _arrow(table: Table, name: str) -> pa.Table:
    made: pa.Table
    try:
        if isinstance(table, pa.Table):
            made = table
        elif isinstance(table, Mapping):
            made = pa.table({str(key): pa.array(list(value)) for key, value in table.items()})
        elif hasattr(table, "to_arrow"):  # polars
            made = table.to_arrow()
        else:
            made = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, TypeError, AttributeError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise BadInputError(
            f"{name}: no table ({line}); give a frame, a pyarrow table, a mapping of columns, "
            "or a file's path"
        ) from None
    return made
