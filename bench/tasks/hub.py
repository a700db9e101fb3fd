"""A data set of the Hugging Face Hub at a pinned revision, or a local folder of the same form."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from ..reading import columns
from ..schema import BadInputError, Task, TaskCard
from . import _tabular

_SPLIT = "split"  # our name of the column that says which split a row was in


def load(  # noqa: PLR0913 - the keys of a suite's [task] table
    *,
    name: str,
    revision: str = "",
    config: str = "",
    train: str = "train",
    validation: str = "validation",
    test: str = "test",
    text: str = "text",
    text_pair: str = "",
    label: str = "label",
    groups: tuple[str, ...] = (),
    id: str = "",
    positive: str = "",
    label_threshold: float | None = None,
    group_threshold: float | None = None,
    incomplete: Literal["refuse", "leave_out"] = "refuse",
    lexicon: str = "",
    label_kept_in: tuple[str, ...] = (),
    label_meaning: str = "not stated",
    licence: str = "not stated",
    folder: Path = Path(),
) -> Task:
    """Return the rows of a data set as a task; no code of the data set is run.

    Parameters
    ----------
    name, config : the data set and its configuration; or a folder, relative to `folder`, of CSV,
        Parquet or JSON Lines files named after their splits
    revision : commit of the data set (40 digits); needed unless it is a folder
    train, validation, test : names of its splits; with the last two empty, `train` is dealt
        70 : 10 : 20 with near-duplicates kept together
    text, text_pair, label, groups, id : columns; named classes get their names
    positive, label_threshold, group_threshold, incomplete, lexicon, label_kept_in : as for a file
    label_meaning, licence : what the task card says

    Raises
    ------
    BadInputError
        No revision, no such data set, split or column, or a value that cannot be read.
    """
    roles = _tabular.Roles(
        text=text,
        text_pair=text_pair,
        label=label,
        groups=groups,
        split=_SPLIT if validation or test else "",
        id=id,
        positive=positive,
        label_threshold=label_threshold,
        group_threshold=group_threshold,
        incomplete=incomplete,
        lexicon=folder / lexicon if lexicon else None,
        label_kept_in=label_kept_in,
    )
    origin = _Origin(name=name, revision=revision, folder=folder)
    splits = {"train": train, "validation": validation, "test": test}
    source = columns.Source(Path(origin.shown), _read(origin, config, splits, roles))
    card = TaskCard(
        title=f"{name} {config}".strip(),
        label_meaning=label_meaning,
        source=origin.shown,
        licence=licence,
        fingerprint=origin.content,
    )
    return _tabular.task(source, roles, name=card.title, card=card)


def fingerprint(
    *, name: str, revision: str = "", lexicon: str = "", folder: Path = Path(), **options: Any
) -> str:
    """Return the identity of the rows: the revision (of a folder: its bytes) and the options."""
    origin = _Origin(name=name, revision=revision, folder=folder)
    terms = [_tabular.sha256(folder / lexicon)] if lexicon else []
    return _tabular.fingerprint([origin.content, *terms], options)


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


def _read(
    origin: _Origin, config: str, splits: Mapping[str, str], roles: _tabular.Roles
) -> pa.Table:
    """Return the wanted columns of all splits under one another, named classes as names."""
    import datasets

    datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(
            str(origin.path) if origin.is_local else origin.name,
            config or None,
            revision=None if origin.is_local else origin.revision,
        )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInputError(f"{origin.shown}: cannot be loaded: {reason}") from None
    given = {split: theirs for split, theirs in splits.items() if theirs}
    for split, theirs in given.items():
        if theirs not in found:
            known = ", ".join(found)
            raise BadInputError(
                f"{origin.shown}: {split} = {theirs!r}: no such split; there are: {known}"
            )
    parts = [_part(origin, found[theirs], split, roles) for split, theirs in given.items()]
    return pa.concat_tables(parts, promote_options="permissive")


def _part(origin: _Origin, rows: Any, split: str, roles: _tabular.Roles) -> pa.Table:
    wanted = [name for name in roles.columns if name != _SPLIT]
    columns.check(Path(origin.shown), rows.column_names, wanted)
    table: pa.Table = rows.select_columns(wanted).with_format("arrow")[:]
    for name in wanted:
        if names := getattr(rows.features[name], "names", None):
            code = table[name].to_pylist()
            named = [names[i] if i is not None and i >= 0 else None for i in code]
            table = table.set_column(table.column_names.index(name), name, pa.array(named))
    return table.append_column(_SPLIT, pa.array([split] * len(table)))
