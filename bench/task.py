"""What a source of tasks is: a record of options that loads a task and names its content."""

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import plugins
from .schema import Array, BadInputError, Task

PACKAGE = "tunefair.tasks"
FOLDER = "folder"
"""The one field that no suite sets: where relative paths start."""


@dataclass(frozen=True, kw_only=True)
class TaskSource(ABC):
    """Base of every source of tasks.

    Dataclass fields are the options: the keys of a suite's `[task]` table, strictly typed. A
    field's docstring says what it means.
    """

    folder: Path = Path()
    """Where relative paths start: the folder of the suite's file. Not an option."""

    @abstractmethod
    def load(self) -> Task:
        """Return the texts, labels, groups and splits.

        Raises
        ------
        BadInputError
            The rows cannot be read as they were meant; file, column, row and value are named.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return 64 hex digits that change whenever `load` would return something else.

        It is asked for at every start, so it reads as little as it can.
        """

    def unused(self) -> Mapping[str, Array]:
        """Return columns that the task leaves aside: name -> (n,) str, rows as those of `load`.

        The data audit looks for clusters in them.
        """
        return {}


def identity(source: TaskSource) -> str:
    """Return a source's fingerprint, and for a file of the user's own that of its code too."""
    kind = type(source)
    if kind.__module__.startswith(f"{PACKAGE}."):  # ours say by a version that they changed
        return source.fingerprint()
    code = Path(inspect.getfile(kind)).read_bytes()
    return hashlib.sha256(source.fingerprint().encode() + code).hexdigest()


def load(
    name: str, options: Mapping[str, Any], *, folder: Path, folders: Iterable[Path] = ()
) -> TaskSource:
    """Return the source that the file of that name defines, with its options checked.

    Parameters
    ----------
    name, options : what a suite's `[task]` table says
    folder : where relative paths start
    folders : the user's own task files, searched first

    Raises
    ------
    BadInputError
        No such file, a file without exactly one source, an unknown option or a wrong type.
    """
    kind = plugins.find(PACKAGE, name, TaskSource, folders)
    return plugins.with_options(kind, options, where=f"task: {name}", given={FOLDER: folder})


def check(task: Task) -> None:
    """Refuse a task that cannot be trained or audited, naming what is wrong."""
    for split in ("train", "validation", "test"):
        rows = task.split == split
        if not rows.any():
            raise BadInputError(f"task {task.name!r}: no {split} examples")
        if len(np.unique(task.label[rows])) < 2:  # noqa: PLR2004
            raise BadInputError(f"task {task.name!r}: label: only one class in {split}")
    for attribute, groups in task.groups.items():
        if (groups == "").all():
            raise BadInputError(f"task {task.name!r}: no example has a group in {attribute!r}")
    empty = np.array([not text.strip() for text in task.text])
    if empty.any():
        raise BadInputError(f"task {task.name!r}: text is empty at {task.example_id[empty][0]}")
