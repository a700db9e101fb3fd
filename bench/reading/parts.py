"""One split and one view of a file that holds several, and what our own files say of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..schema import BadInputError
from .class_order import shown
from .columns import Source

SPLIT, VIEW = "split", "view"
_METADATA = b"tunefair"
_GROUP = "group:"
_KNOWN_SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test"}
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class Own:
    """What the predictions of one of our own runs say of their columns."""

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    probability: tuple[str, ...]


def own(path: Path) -> Own | None:
    """Return what a file says of itself; None where it is not of a run of tunefair."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        schema = pq.read_schema(path)
        facts: Any = json.loads((schema.metadata or {})[_METADATA])
    except (OSError, pa.ArrowException, KeyError, ValueError, RecursionError):
        return None
    classes = facts.get("classes") if isinstance(facts, dict) else None
    columns = {"example_id", SPLIT, VIEW, "label", "prediction"}
    if not isinstance(classes, list) or not columns <= set(schema.names):
        return None
    names = tuple(str(name) for name in classes[:_MOST_CLASSES])
    return Own(
        classes=names,
        groups=tuple(name for name in schema.names if name.startswith(_GROUP)),
        probability=tuple(name for name in schema.names if name == "probability"),
    )


def chosen(source: Source, wanted: dict[str, str], notes: list[str]) -> Source:
    """Return the rows of the wanted split and view, and say what is left out.

    Raises
    ------
    BadInputError
        No row is of that split or view; those that are there are named.
    """
    for column, value in wanted.items():
        categories = source.categories(column)
        names = [*categories.values]
        if value not in names:
            raise BadInputError(
                f"{source.path}: --{column} {value}: there is none; there are: {shown(names)}"
            )
        source = source.rows(categories.code == names.index(value))
        others = [name for name in names if name != value]
        if others:
            notes.append(f"read: {column} {value!r} only, not {shown(others)} (--{column})")
    return source


def mixture(source: Source) -> Iterator[str]:
    """Say that a file with several splits is read as a whole."""
    if SPLIT not in source.table.column_names:
        return
    categories = source.categories(SPLIT)
    if (
        len(categories.values) > 1
        and {value.lower() for value in categories.values} <= _KNOWN_SPLITS
    ):
        rows = np.bincount(categories.code[categories.code >= 0], minlength=len(categories.values))
        counts = ", ".join(f"{v} ({n} rows)" for v, n in zip(categories.values, rows, strict=True))
        yield f"column 'split' holds {counts}: all are read together; for one of them: --split"
