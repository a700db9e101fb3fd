"""Whether a run may be compared with a baseline at all: the same examples, labels and task."""

import numpy as np

from ..schema import Array, Predictions, TaskCard
from .snapshot import Snapshot, in_order, places


def difference_of_tests(run: Snapshot, baseline: Snapshot) -> str:
    """Return why two snapshots cannot be compared, "" if they can."""
    if run.facts.task != baseline.facts.task:
        return "the task's data changed (its fingerprint differs)"
    if run.facts.card != baseline.facts.card:
        return f"the task card changed: {_changed(run.facts.card, baseline.facts.card)}"
    if not run.evidence or not baseline.evidence:
        return ""
    return _examples(run, baseline)


def _changed(new: TaskCard | None, old: TaskCard | None) -> str:
    if new is None or old is None:
        return "one side has none"
    return ", ".join(name for name, value in vars(new).items() if value != getattr(old, name))


def _examples(run: Snapshot, baseline: Snapshot) -> str:
    new, old = run.evidence[0].test[0], baseline.evidence[0].test[0]
    if new.classes != old.classes:
        return "the label set changed"
    if reason := _ids(new.example_id, old.example_id):
        return reason
    old = in_order(baseline.evidence[0], new.example_id).test[0]
    if moved := int((new.label != old.label).sum()):
        return f"{moved:,} test examples have another label"
    return _columns(new, old)


def _columns(new: Predictions, old: Predictions) -> str:
    if new.groups.keys() != old.groups.keys():
        return "the group attributes changed"
    changed = [g for g in new.groups if not np.array_equal(new.groups[g], old.groups[g])]
    if changed:
        return f"test examples changed their group: {', '.join(changed)}"
    if new.cluster is None or old.cluster is None:
        return ""  # the side that knows them says for both which examples are not independent
    return (
        "" if np.array_equal(new.cluster, old.cluster) else "test examples changed their cluster"
    )


def _ids(new: Array, old: Array) -> str:
    if np.array_equal(new, old):
        return ""
    shared = int((places(new, old) >= 0).sum())
    if shared == len(new) == len(old):
        return ""
    return f"other test examples: {shared:,} ids are shared by {len(new):,} and {len(old):,}"
