"""Open what somebody names: a file, a folder of split files, a saved data set, a hub name."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ..hub import snapshots
from ..reading import tables
from ..schema import BadInputError
from ..tasks import _data_set
from ..tasks._tabular import SPLITS

_KINDS = "a CSV, TSV, Parquet or JSON Lines file, a folder of such files or a saved data set"


class Opened(NamedTuple):
    """A source of rows, opened."""

    name: str
    """Of the suite to be written, before it is made fit for a file's name."""
    where: Path
    """What it is called in messages."""
    table: pa.Table
    """All columns of its labelled splits, under one another."""
    options: Mapping[str, object]
    """Keys of `[task]` that say where the rows are."""
    notes: tuple[str, ...] = ()
    """What was chosen in opening it."""
    has_splits: bool = False


def open_data(data: str, *, config: str, beside: Path) -> Opened:
    """Return an opened source.

    Parameters
    ----------
    data : a path, or a name on the hub
    config : which configuration of a data set, "" where there is one
    beside : the folder of the suite, where its relative paths start

    Raises
    ------
    BadInputError
        There is no such thing, or it cannot be read; the way out is named.
    """
    path = Path(data)
    if path.is_file() or tables.is_table(path):
        names = list(dict.fromkeys(tables.names(path)))
        table = tables.read_most(path, names) if names else tables.read(path, [])
        return Opened(path.stem, path, table, {"source": "files", "path": _relative(path, beside)})
    if path.is_dir():
        splits = _data_set.splits(path, config, data)
        return _opened(path.name, splits, {"name": _relative(path, beside)}, config)
    if not snapshots.NAME.fullmatch(data) or path.suffix:
        raise BadInputError(f"{data}: no such file; give {_KINDS}, or a hub name such as org/name")
    commit = snapshots.today(data, "dataset")
    folder = snapshots.snapshot(data, "dataset", commit, config)
    splits = _data_set.splits(folder, config, data, inside=folder.parents[1])
    opened = _opened(data.split("/")[-1], splits, {"name": data, "revision": commit}, config)
    return opened._replace(notes=(f"revision: {commit}, today's commit", *opened.notes))


def _relative(path: Path, beside: Path) -> str:
    return os.path.relpath(path.resolve(), beside.resolve())


def _opened(name: str, splits: Mapping[str, Any], place: dict[str, object], config: str) -> Opened:
    """Return a data set's labelled splits as one table, and which split is which."""
    of_theirs = {theirs: side for theirs in splits if (side := SPLITS.get(theirs.lower()))}
    chosen = {side: theirs for theirs, side in reversed(of_theirs.items())}
    if "train" not in chosen:
        if len(splits) > 1:
            raise BadInputError(f"{name}: no split called train; there are: {', '.join(splits)}")
        chosen = {"train": next(iter(splits))}
    notes = []
    if "test" in chosen and not _is_labelled(splits[chosen["test"]]):
        notes.append(f"split {chosen.pop('test')!r} has no labels: it is left out")
    if set(chosen) == {"train", "validation"}:
        chosen["test"] = chosen.pop("validation")
        notes.append(f"test: the split {chosen['test']!r}, for there is no other; validation is "
                     "taken from train")  # fmt: skip
    elif "test" in chosen and "validation" not in chosen:
        notes.append("validation: a tenth of train, for there is no such split")
    shared = [n for n in splits[chosen["train"]].column_names
              if all(n in splits[theirs].column_names for theirs in chosen.values())]  # fmt: skip
    parts = [_data_set.table(splits[theirs], shared, name) for theirs in chosen.values()]
    given = {side: chosen.get(side, "") for side in ("train", "validation", "test")}
    options = {"source": "hub", **place, **({"config": config} if config else {}), **given}
    return Opened(
        name,
        Path(name),
        pa.concat_tables(parts, promote_options="permissive"),
        options,
        tuple(notes),
        has_splits="test" in chosen,
    )


def _is_labelled(rows: Any) -> bool:
    """Whether some class column of a split says anything: hidden labels are all -1."""
    named = [n for n, kind in rows.features.items() if getattr(kind, "names", None)]
    return not named or any(max(rows[name], default=-1) >= 0 for name in named)
