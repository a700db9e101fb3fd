"""Open a data set's splits from a local folder: split files, or what `save_to_disk` wrote."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..reading import columns
from ..schema import BadInputError
from . import _inside

_SAVED, _SAVED_SPLITS = "state.json", "dataset_dict.json"
"""Files that `datasets` writes beside a saved data set, and beside several splits of one."""


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` of the library `datasets` wrote a folder."""
    return any((folder / name).is_file() for name in (_SAVED, _SAVED_SPLITS))


def splits(
    folder: Path, config: str, where: str, *, inside: Path | None = None
) -> Mapping[str, Any]:
    """Return split -> rows of a data set in a folder; no code of it is run.

    Parameters
    ----------
    config : which of its configurations, "" where there is one
    where : what it is called in messages
    inside : the folder that nothing may lead out of; the hub's cache keeps content beside

    Raises
    ------
    BadInputError
        It cannot be read, leads out of its folder, or has several configurations.
    """
    import datasets

    datasets.disable_progress_bars()
    _inside.check(folder, inside or folder)
    try:
        if is_saved(folder):
            return _saved(folder)
        found: Mapping[str, Any] = datasets.load_dataset(str(folder), config or None)
        return found
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise BadInputError(f"{where}: cannot be loaded: {_inside.first_line(error)}") from None


def _saved(folder: Path) -> Mapping[str, Any]:
    """Return the splits of a saved data set; one saved alone is called train."""
    from datasets import Dataset, load_from_disk

    for state in folder.rglob(_SAVED):
        for name in _data_files(state):
            if Path(name).name != name:
                raise BadInputError(f"{state}: names {name!r:.100}, which is not beside it")
    found = load_from_disk(str(folder))
    return {"train": found} if isinstance(found, Dataset) else found


def _data_files(state: Path) -> Iterator[str]:
    try:
        named = json.loads(state.read_text())["_data_files"]
        yield from (str(item["filename"]) for item in named)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(f"{state}: cannot be read: {_inside.first_line(error)}") from None


def table(rows: Any, wanted: list[str], where: str) -> pa.Table:
    """Return some columns of a split, named classes as names."""
    columns.check(Path(where), rows.column_names, wanted)
    found: pa.Table = rows.select_columns(wanted).with_format("arrow")[:]
    for name in wanted:
        if names := getattr(rows.features[name], "names", None):
            code = found[name].to_pylist()
            named = [names[i] if i is not None and i >= 0 else None for i in code]
            found = found.set_column(found.column_names.index(name), name, pa.array(named))
    return found
