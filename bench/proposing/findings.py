"""The main lines of the data audit, for somebody who meets the data for the first time."""

from collections.abc import Iterator

import numpy as np

from ..data_audit import counts
from ..schema import Array, Task

_SHOWN = 8
Line = tuple[str, str]
"""A word and a sentence."""


def lines(task: Task, rows: int, length: Array, max_tokens: int) -> Iterator[Line]:
    """Yield what is in a task; counts and names of classes and groups, never a text.

    Parameters
    ----------
    rows : of the table, those that were left out included
    length : tokens of the texts, or of some of them; empty where it is not known
    """
    found = counts.audit(task)
    used = len(task.label)
    left_out = f"; {rows - used:,} without a text or a label are left out" if used < rows else ""
    yield "rows", f"{used:,} of {rows:,}{left_out}"
    sides = ", ".join(f"{(task.split == side).sum():,} {side}" for side in counts.SPLITS)
    yield "split", sides
    shares = np.bincount(task.label, minlength=len(task.classes)) / used
    named = [f"{name} {share:.0%}" for name, share in zip(task.classes, shares, strict=True)]
    positive = f" (positive: {task.classes[1]})" if len(task.classes) == 2 else ""  # noqa: PLR2004
    yield "classes", _some(named) + positive
    for attribute, column in task.groups.items():
        values, number = np.unique(column[column != ""], return_counts=True)
        order = np.argsort(-number, kind="stable")
        yield attribute, _some([f"{values[i]} {number[i]:,}" for i in order])
    yield from _copies(found)
    yield from _length(length, max_tokens)
    for missing in found.missing:
        if missing.n:
            yield "missing", f"{missing.n:,} rows say nothing in {missing.column!r}"


def _some(named: list[str]) -> str:
    more = f", … ({len(named)})" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more


def _copies(found: counts.DataAudit) -> Iterator[Line]:
    own = [copies for copies in found.copies if copies.split == copies.other]
    leak = next(c.identical for c in found.copies if (c.split, c.other) == ("test", "train"))
    within, other = (sum(getattr(c, n) for c in own) for n in ("identical", "contradicting"))
    contradicting = f", {other:,} of them with another label" if other else ""
    leaking = f"; {leak:,} test texts are in train too" if leak else ""
    yield "copies", f"{within:,} texts occur again in their split{contradicting}{leaking}"


def _length(length: Array, most: int) -> Iterator[Line]:
    if len(length):
        cut, longest = int((length > most).sum()), int(length.max())
        longer = f"{cut:,} of {len(length):,} are longer than max_tokens = {most} and are cut"
        yield "length", f"{int(np.median(length))} tokens, {longest} the longest text; {longer}"
