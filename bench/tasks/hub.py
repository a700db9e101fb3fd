"""A data set of the Hugging Face Hub at a pinned commit, or a folder: split files, or saved."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ..environment import processes
from ..hub import snapshots
from ..reading import columns
from ..reading.unpacked import MOST
from ..schema import Array, BadInputError, Task, TaskCard
from . import _data_set, _tabular

_SPLIT = "split"  # our name of the column that says which split a row was in
_SECONDS, _BYTES_A_SECOND = 120.0, 1e6
"""What reading a folder may take; honest files are read at 10 MB a second."""
_MEMORY_BYTES = 2 * 2**30
"""What it may take of memory, and more for a large folder."""


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a data set comes from; a hub name needs a commit, so that a run can be repeated."""

    name: str
    revision: str
    folder: Path

    def __post_init__(self) -> None:
        if self.is_local or snapshots.COMMIT.fullmatch(self.revision):
            return
        named = snapshots.NAME.fullmatch(self.name)
        raise BadInputError(
            f"task: name = {self.name!r}, revision = {self.revision!r}: no folder of that "
            "name, and a hub data set needs the 40-digit commit it is pinned to"
            f"{snapshots.todays_words(self.name, 'dataset') if named else ''}"
        )

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def is_local(self) -> bool:
        return self.path.is_dir()

    @property
    def shown(self) -> str:
        return self.name if self.is_local else f"{self.name}@{self.revision}"

    def place(self, config: str) -> Path:
        """Return the folder of its files; of the hub downloaded unless the cache holds them."""
        if self.is_local:
            return self.path
        return snapshots.snapshot(self.name, "dataset", self.revision, config)

    def splits(self, config: str, folder: Path) -> Mapping[str, Any]:
        """Return split -> rows of the folder of its files."""
        inside = folder if self.is_local else folder.parents[1]
        return _data_set.splits(folder, config, self.shown, inside=inside)

    @property
    def content(self) -> str:
        """The sha256 of name and commit, or of a folder's files and their names."""
        if not self.is_local:
            return hashlib.sha256(self.shown.encode()).hexdigest()
        digest = hashlib.sha256()
        for file in sorted(path for path in self.path.rglob("*") if path.is_file()):
            digest.update(f"{file.relative_to(self.path)}\0".encode())
            digest.update(_tabular.sha256(file).encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Hub(_tabular.Table):
    """Rows of a data set; no code of the data set is run."""

    name: str
    """The data set; or a folder of CSV, Parquet or JSON Lines files named after their splits, or
    one that `save_to_disk` of the library `datasets` wrote."""
    revision: str = ""
    """Commit of the data set, 40 digits; needed unless it is a folder."""
    config: str = ""
    """Which configuration of the data set."""
    train: str = "train"
    """Name of its training split."""
    validation: str = "validation"
    """Name of its validation split. Where it is empty, validation is a tenth of `train`; where
    `test` is too, `train` is split 70 : 10 : 20. Near-duplicates stay together."""
    test: str = "test"
    """Name of its test split."""

    @property
    def split_column(self) -> str:
        """Our column, where the data set has splits of its own."""
        return _SPLIT if self.validation or self.test else ""

    @property
    def origin(self) -> _Origin:
        """Where the rows come from."""
        return _Origin(name=self.name, revision=self.revision, folder=self.folder)

    def load(self) -> Task:
        """Return the rows of the data set as a task."""
        origin = self.origin
        source = columns.Source(Path(origin.shown), _read(origin, self))
        card = TaskCard(
            title=f"{self.name} {self.config}".strip(),
            label_meaning=self.label_meaning,
            source=origin.shown,
            licence=self.licence,
            fingerprint=origin.content,
        )
        return _tabular.task(source, self, name=card.title, card=card)

    def unused(self) -> Mapping[str, Array]:
        """Return the other columns of the data set, of single values."""
        origin = self.origin
        source = columns.Source(Path(origin.shown), _read(origin, self, everything=True))
        return _tabular.unused(source, self)

    def fingerprint(self) -> str:
        """Return the identity of the rows: revision (of a folder: its bytes) and options."""
        terms = [_tabular.sha256(self.lexicon_file)] if self.lexicon_file else []
        options = self.options(without=["revision"])
        return _tabular.fingerprint([self.origin.content, *terms], options)


def _read(origin: _Origin, chosen: Hub, *, everything: bool = False) -> pa.Table:
    """Return the columns of all splits under one another, named classes as names.

    Downloading takes as long as it takes; the files, which are somebody else's, are read in a
    process with limits.
    """
    import datasets

    place, cache = origin.place(chosen.config), Path(datasets.config.HF_DATASETS_CACHE)
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    limits = processes.Limits(
        seconds=_SECONDS + size / _BYTES_A_SECOND, memory_bytes=max(_MEMORY_BYTES, MOST * size)
    )
    with tempfile.TemporaryDirectory(prefix="tunefair-") as folder:
        out = Path(folder) / "table.arrow"
        files = _Files(place=place, cache=cache, out=out)
        wanted = (origin, chosen, files, everything)
        processes.limited(_write, *wanted, limits=limits, where=origin.shown)
        with pa.memory_map(str(out)) as mapped:
            return pa.ipc.open_file(mapped).read_all()


class _Files(NamedTuple):
    """Where a data set lies, where `datasets` keeps what it has read, and where the table goes."""

    place: Path
    cache: Path
    out: Path


def _write(origin: _Origin, chosen: Hub, files: _Files, everything: bool) -> None:
    """Write the columns as an Arrow file; what the process with limits runs."""
    import datasets

    datasets.config.HF_DATASETS_CACHE = files.cache
    table = _columns(origin, chosen, origin.splits(chosen.config, files.place), everything)
    with pa.OSFile(str(files.out), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)


def _columns(
    origin: _Origin, chosen: Hub, splits: Mapping[str, Any], everything: bool
) -> pa.Table:
    """Return the columns of all splits under one another."""
    names = {"train": chosen.train, "validation": chosen.validation, "test": chosen.test}
    given = {split: theirs for split, theirs in names.items() if theirs}
    for split, theirs in given.items():
        if theirs not in splits:
            known = ", ".join(splits)
            raise BadInputError(
                f"{origin.shown}: {split} = {theirs!r}: no such split; there are: {known}"
            )
    wanted = [name for name in chosen.columns if name != _SPLIT]
    for theirs in given.values() if everything else ():
        wanted += [name for name in splits[theirs].column_names if name != _SPLIT]
    wanted = list(dict.fromkeys(wanted))
    parts = [
        _data_set.table(splits[theirs], wanted, origin.shown).append_column(
            _SPLIT, pa.array([split] * len(splits[theirs]))
        )
        for split, theirs in given.items()
    ]
    return pa.concat_tables(parts, promote_options="permissive")
