"""A data set of the Hugging Face Hub at a pinned revision, or a local folder of the same form."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..reading import columns
from ..schema import Array, BadInputError, Task, TaskCard
from . import _inside, _tabular

_SPLIT = "split"  # our name of the column that says which split a row was in


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a data set comes from; a hub name needs a commit, so that a run can be repeated."""

    name: str
    revision: str
    folder: Path

    def __post_init__(self) -> None:
        if not self.is_local and not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise BadInputError(
                f"task: name = {self.name!r}, revision = {self.revision!r}: no folder of that "
                "name, and a hub data set needs the 40-digit commit it is pinned to"
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
    """The data set; or a folder of CSV, Parquet or JSON Lines files named after their splits."""
    revision: str = ""
    """Commit of the data set, 40 digits; needed unless it is a folder."""
    config: str = ""
    """Which configuration of the data set."""
    train: str = "train"
    """Name of its training split."""
    validation: str = "validation"
    """Name of its validation split. Where this and `test` are empty, `train` is split 70 : 10 : 20
    with near-duplicates kept together."""
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
    """Return the columns of all splits under one another, named classes as names."""
    import datasets

    datasets.disable_progress_bars()
    if origin.is_local:
        _inside.check(origin.path)
    try:
        found = datasets.load_dataset(
            str(origin.path) if origin.is_local else origin.name,
            chosen.config or None,
            revision=None if origin.is_local else origin.revision,
        )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInputError(f"{origin.shown}: cannot be loaded: {reason}") from None
    names = {"train": chosen.train, "validation": chosen.validation, "test": chosen.test}
    given = {split: theirs for split, theirs in names.items() if theirs}
    for split, theirs in given.items():
        if theirs not in found:
            known = ", ".join(found)
            raise BadInputError(
                f"{origin.shown}: {split} = {theirs!r}: no such split; there are: {known}"
            )
    wanted = [name for name in chosen.columns if name != _SPLIT]
    for theirs in given.values() if everything else ():
        wanted += [name for name in found[theirs].column_names if name != _SPLIT]
    wanted = list(dict.fromkeys(wanted))
    parts = [_part(origin, found[theirs], split, wanted) for split, theirs in given.items()]
    return pa.concat_tables(parts, promote_options="permissive")


def _part(origin: _Origin, rows: Any, split: str, wanted: list[str]) -> pa.Table:
    columns.check(Path(origin.shown), rows.column_names, wanted)
    table: pa.Table = rows.select_columns(wanted).with_format("arrow")[:]
    for name in wanted:
        if names := getattr(rows.features[name], "names", None):
            code = table[name].to_pylist()
            named = [names[i] if i is not None and i >= 0 else None for i in code]
            table = table.set_column(table.column_names.index(name), name, pa.array(named))
    return table.append_column(_SPLIT, pa.array([split] * len(table)))
