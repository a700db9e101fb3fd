"""Your own rows: a CSV, Parquet or JSON Lines file with a text, a label and group columns."""

from pathlib import Path
from typing import Any, Literal

from ..reading import tables
from ..reading.columns import Source
from ..schema import Task, TaskCard
from . import _tabular


def load(  # noqa: PLR0913 - the keys of a suite's [task] table
    *,
    path: str,
    text: str = "text",
    text_pair: str = "",
    label: str = "label",
    groups: tuple[str, ...] = (),
    split: str = "",
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
    """Return the rows of a file as a task.

    Parameters
    ----------
    path : the file, whose ending says what it is
    text, text_pair, label, groups : columns; `text_pair` for tasks on two texts
    split : column that says train, validation or test; without it near-duplicates stay together
        and are dealt 70 : 10 : 20 within each label and combination of groups
    id : column of ids; without it the hash of the texts
    positive : which of two labels is the positive class
    label_threshold, group_threshold : where set, those columns hold scores, and a row is
        positive (a member) from there on
    incomplete : what becomes of rows without a text, label or group
    lexicon : JSON file of counterfactual views: {"gender": {"she": "he", "he": "she"}} makes the
        view `swap:gender`, in which whole words of `text` are replaced
    label_kept_in : views of the lexicon whose texts have the same label, so that a strategy may
        train on them
    label_meaning, licence : what the task card says
    folder : where relative paths start from

    Raises
    ------
    BadInputError
        The file cannot be read as it was meant; the message names column, row and value.
    """
    file = folder / path
    roles = _tabular.Roles(
        text=text,
        text_pair=text_pair,
        label=label,
        groups=groups,
        split=split,
        id=id,
        positive=positive,
        label_threshold=label_threshold,
        group_threshold=group_threshold,
        incomplete=incomplete,
        lexicon=folder / lexicon if lexicon else None,
        label_kept_in=label_kept_in,
    )
    source = Source(file, tables.read(file, roles.columns))
    card = TaskCard(
        title=file.name,
        label_meaning=label_meaning,
        source=file.name,
        licence=licence,
        fingerprint=_tabular.sha256(file),
    )
    return _tabular.task(source, roles, name=file.stem, card=card)


def fingerprint(*, path: str, lexicon: str = "", folder: Path = Path(), **options: Any) -> str:
    """Return the identity of the rows: the files' bytes and the options, not their names."""
    files = [folder / name for name in (path, lexicon) if name]
    return _tabular.fingerprint([_tabular.sha256(file) for file in files], options)
