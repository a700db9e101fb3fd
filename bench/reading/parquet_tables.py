"""Parquet: read only where what it unpacks to is in proportion to the file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from . import unpacked

pc: Any = compute  # the published stubs lag behind it
Column = Any  # a pyarrow array
_VALUE_BYTES = 8


def read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return columns of a Parquet file, typed as they are.

    Raises
    ------
    pa.ArrowException
        It is no complete Parquet file.
    BadInputError
        It unpacks to far more than its size.
    """
    with pq.ParquetFile(path) as file:
        kinds = file.schema_arrow
        unpacked.check(path, sum(_sizes(file.metadata, columns)))
    # a repeated text is kept once until it is known how long all its copies are
    texts = [name for name in columns if _is_text(kinds.field(name).type)]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read(columns=list(columns))
        if columns and table.num_rows != file.metadata.num_rows:
            raise pa.ArrowInvalid("the footer says another number of rows than the pages hold")
    unpacked.check(path, sum(_length(column) for column in table.columns))
    fields = [kinds.field(name) for name in table.column_names]
    about = dict(table.schema.metadata or {})
    return table.cast(pa.schema(fields).with_metadata(about))


def _sizes(metadata: pq.FileMetaData, columns: Sequence[str]) -> Iterator[int]:
    """Yield the bytes that each part of the columns takes by the file's own account."""
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            part = metadata.row_group(group).column(place)
            name = part.path_in_schema
            if any(name == wanted or name.startswith(f"{wanted}.") for wanted in columns):
                yield part.total_uncompressed_size + _VALUE_BYTES * part.num_values


def _length(column: Column) -> int:
    """Return the bytes of a column's texts, each copy counted."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type) and _is_text(chunk.type.value_type):
            lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0)
            total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    return total


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    )
