"""The data before any training: counts, copies, lengths, and what a group says about the label.

Numbers and group names only: no text leaves this module.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from ..schema import Array, Task
from ..statistics.association import CramersV, cramers_v
from ..tasks import _near_duplicates

SPLITS = ("train", "validation", "test")
MOST_COMPARED = 200_000
"""Rows up to which near-duplicates are looked for; it takes about a minute there."""
_BINARY = 2


class Count(NamedTuple):
    """Examples of one group (attribute "": all) in one split."""

    split: str
    attribute: str
    group: str
    n: int
    by_class: tuple[int, ...]
    base_rate: float
    """Share of the positive class; NaN where there are more than two, or no example."""
    low: float
    high: float
    """95 % Wilson interval of the base rate."""


class Copies(NamedTuple):
    """How many examples of `split` also occur in `other` (in itself: occur again)."""

    split: str
    other: str
    n: int
    identical: int
    """The same words, whatever the case and the marks (a question mark counts)."""
    contradicting: int
    """Of these, with another label somewhere in `other`."""
    near: int | None
    """In one cluster of near-duplicates, identical ones included; None: too many to compare."""


class Length(NamedTuple):
    """How long the texts of a group are, both texts of a pair together."""

    attribute: str
    group: str
    unit: str
    """"characters" or "words"."""
    mean: float
    median: float
    p95: float
    longest: int


class Missing(NamedTuple):
    """Examples in which something is not said."""

    column: str
    n: int
    share: float


class Association(NamedTuple):
    """How much a group attribute says about the label, over all splits."""

    attribute: str
    n: int
    strength: CramersV


class Weight(NamedTuple):
    """What reweighing gives each training example of a group and class.

    P(group) P(class) / P(group, class), Kamiran & Calders 2012, equation 4 (Knowledge and
    Information Systems 33); NaN where training holds no such example.
    """

    attribute: str
    group: str
    label: str
    n: int
    """Training examples."""
    weight: float


@dataclass(frozen=True, kw_only=True)
class DataAudit:
    """Everything that was counted in a task."""

    classes: tuple[str, ...]
    counts: tuple[Count, ...]
    copies: tuple[Copies, ...]
    lengths: tuple[Length, ...]
    missing: tuple[Missing, ...]
    associations: tuple[Association, ...]
    weights: tuple[Weight, ...]


def audit(task: Task) -> DataAudit:
    """Return the audit of a task's data: pure, without randomness, texts unseen in the result."""
    return DataAudit(
        classes=task.classes,
        counts=tuple(_counts(task)),
        copies=tuple(_copies(task)),
        lengths=tuple(_lengths(task)),
        missing=tuple(_missing(task)),
        associations=tuple(_associations(task)),
        weights=tuple(_weights(task)),
    )


def _parts(task: Task) -> Iterator[tuple[str, str, Array]]:
    """Return all examples, then each group of each attribute, as a mask."""
    yield "", "", np.ones(len(task.label), bool)
    for attribute, column in task.groups.items():
        for group in np.unique(column).tolist():
            yield attribute, group, column == group


def _counts(task: Task) -> Iterator[Count]:
    for attribute, group, rows in _parts(task):
        for split in SPLITS:
            label = task.label[rows & (task.split == split)]
            by_class = np.bincount(label, minlength=len(task.classes)).tolist()
            rate = low = high = float("nan")
            if len(by_class) == _BINARY and len(label):
                rate = by_class[1] / len(label)
                interval = binomtest(by_class[1], len(label)).proportion_ci(method="wilson")
                low, high = float(interval.low), float(interval.high)
            yield Count(split, attribute, group, len(label), tuple(by_class), rate, low, high)


def _copies(task: Task) -> Iterator[Copies]:
    identities = [_near_duplicates.identity(" ".join(row)) for row in _whole(task)]
    number: dict[str, int] = {}
    text = np.array([number.setdefault(identity, len(number)) for identity in identities])
    near = _near_duplicates.clusters(identities) if len(text) <= MOST_COMPARED else None
    labelled = text * len(task.classes) + task.label
    pairs = [*combinations(reversed(SPLITS), 2), *((split, split) for split in SPLITS)]
    for split, other in pairs:
        ours, theirs = task.split == split, task.split == other
        itself = int(split == other)
        again = _occurrences(text, ours, theirs)
        same_label = _occurrences(labelled, ours, theirs)
        clustered = None if near is None else _occurrences(near, ours, theirs)
        yield Copies(
            split=split,
            other=other,
            n=int(ours.sum()),
            identical=int((again > itself).sum()),
            contradicting=int((again > same_label).sum()),
            near=None if clustered is None else int((clustered > itself).sum()),
        )


def _occurrences(code: Array, ours: Array, theirs: Array) -> Array:
    """Return how often each of our rows' code occurs among their rows."""
    counted: Array = np.bincount(code[theirs], minlength=int(code.max()) + 1)[code[ours]]
    return counted


def _whole(task: Task) -> Iterator[tuple[str, ...]]:
    columns = (task.text,) if task.text_pair is None else (task.text, task.text_pair)
    return zip(*(column.tolist() for column in columns), strict=True)


def _lengths(task: Task) -> Iterator[Length]:
    units: dict[str, Callable[[str], int]] = {
        "characters": len,
        "words": lambda text: len(text.split()),
    }
    for unit, measure in units.items():
        length = np.array([sum(measure(text) for text in row) for row in _whole(task)])
        for attribute, group, rows in _parts(task):
            chosen = length[rows]
            median, p95 = np.percentile(chosen, [50, 95]).tolist()
            mean, longest = float(chosen.mean()), int(chosen.max())
            yield Length(attribute, group, unit, mean, median, p95, longest)


def _missing(task: Task) -> Iterator[Missing]:
    columns = {"text": task.text, "text_pair": task.text_pair, **task.groups}
    for name, column in columns.items():
        if column is not None:
            n = sum(not value.strip() for value in column.tolist())
            yield Missing(name, n, n / len(column))


def _table(task: Task, attribute: str, rows: Array) -> tuple[list[str], Array]:
    """Return the groups, and the (groups, classes) counts of the given rows."""
    groups, code = np.unique(task.groups[attribute], return_inverse=True)
    shape = (len(groups), len(task.classes))
    cell = np.ravel_multi_index((code[rows], task.label[rows]), shape)
    return groups.tolist(), np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)


def _associations(task: Task) -> Iterator[Association]:
    for attribute, column in task.groups.items():
        _, counts = _table(task, attribute, column != "")
        yield Association(attribute, int(counts.sum()), cramers_v(counts))


def _weights(task: Task) -> Iterator[Weight]:
    for attribute in task.groups:
        groups, counts = _table(task, attribute, task.split == "train")
        if not counts.any():
            continue
        expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
        for row, group in enumerate(groups):
            for column, label in enumerate(task.classes):
                n = int(counts[row, column])
                weight = expected[row, column] / n if n else float("nan")
                yield Weight(attribute, group, label, n, float(weight))
