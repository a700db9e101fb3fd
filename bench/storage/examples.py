"""The groups and clusters of a task's examples, by id: predictions are read with today's.

A cell stores the groups that the task had when it was trained. A column added since changes no
prediction, so it is looked up here instead of training the cell again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..schema import Array, Outcome, Predictions, Task
from . import files, records

FILE = "examples.parquet"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Ids in ascending order, their groups and clusters, and the views of the test split."""

    example_id: Array  # (n,) str
    groups: Mapping[str, Array]  # attribute -> (n,) str
    views: frozenset[str]
    cluster: Array | None = None  # (n,) str

    def regrouped(self, predictions: Predictions) -> Predictions:
        """Return predictions with these groups; as they are where an id is not known."""
        ids = predictions.example_id
        place = np.searchsorted(self.example_id, ids).clip(max=len(self.example_id) - 1)
        if not np.array_equal(self.example_id[place], ids):
            return predictions
        groups = {name: column[place] for name, column in self.groups.items()}
        cluster = None if self.cluster is None else self.cluster[place]
        return replace(predictions, groups=groups, cluster=cluster)

    def of_outcome(self, outcome: Outcome) -> Outcome:
        """Return an outcome with these groups, without views that the task no longer has."""
        known = {"original", *self.views}
        test = {v: self.regrouped(p) for v, p in outcome.test.items() if v in known}
        train, start = outcome.train, outcome.start
        return replace(
            outcome,
            test=test,
            validation=self.regrouped(outcome.validation),
            train=None if train is None else self.regrouped(train),
            start=None if start is None else self.regrouped(start),
        )


def of_task(task: Task) -> Examples:
    """Return the groups and views of a task."""
    order = np.argsort(task.example_id)
    return Examples(
        example_id=task.example_id[order],
        groups={name: column[order] for name, column in task.groups.items()},
        views=frozenset(task.views),
        cluster=None if task.cluster is None else task.cluster[order],
    )


def write(run: Path, task: Task) -> None:
    """Write what a run needs of its task to read its cells: no texts."""
    known = of_task(task)
    columns = {"example_id": known.example_id}
    columns |= {records.GROUP + name: column for name, column in known.groups.items()}
    if known.cluster is not None:
        columns[records.CLUSTER] = known.cluster
    records.write_table(run / FILE, columns, {"views": sorted(known.views)})


def checksum(run: Path) -> str:
    """Return the sha256 of what `write` wrote; "" where a run has no such file."""
    return files.checksum(run / FILE) if (run / FILE).is_file() else ""


def read(run: Path) -> Examples | None:
    """Read what `write` wrote; None where a run has no such file."""
    if not (run / FILE).is_file():
        return None
    columns, facts = records.read_table(run / FILE)
    with records.damage_named(run / FILE):
        return Examples(
            example_id=columns["example_id"],
            groups={
                name.removeprefix(records.GROUP): column
                for name, column in columns.items()
                if name.startswith(records.GROUP)
            },
            views=frozenset(facts["views"]),
            cluster=columns.get(records.CLUSTER),
        )
