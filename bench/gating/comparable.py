"""Whether a run may be compared with a baseline at all: the same examples, labels and task."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..facts import RunFacts
from ..schema import Array, Predictions, TaskCard
from .snapshot import Snapshot, in_order, places

_RENEW = 'if it was meant to: `tunefair baseline RUN --out FOLDER --accept-worse "WHY"`'


def difference_of_tests(run: Snapshot, baseline: Snapshot) -> str:
    """Return why two snapshots cannot be compared, "" if they can.

    What the run has besides (another group column, another view) changes none of the answers that
    are compared; neither do the words of the task's card.
    """
    if reason := _data(run.facts, baseline.facts):
        return f"{reason}; {_RENEW}"
    if not run.evidence or not baseline.evidence:
        return ""
    return _examples(run, baseline)


def _data(new: RunFacts, old: RunFacts) -> str:
    if new.task == old.task:
        return ""
    if not new.content or not old.content:  # a version that did not say which part is which
        return "the task's data changed (its fingerprint differs)"
    changed = [part for part, sha in old.content.items() if new.content.get(part, sha) != sha]
    if gone := [part for part in old.content if part not in new.content]:
        return f"the task's data lack what the baseline's had: {_named(gone)}"
    return f"the task's data changed: {_named(changed)}" if changed else ""


def _named(parts: Sequence[str]) -> str:
    words = {"examples": "ids, texts, labels or splits"}
    return ", ".join(words.get(part, part.replace(":", " ", 1)) for part in parts)


def differences_of_tasks(run: Snapshot, baseline: Snapshot) -> Iterator[str]:
    """Yield a note for everything about the task that differs and makes nothing incomparable."""
    new, old = run.facts, baseline.facts
    if new.card != old.card:
        yield f"the task card changed: {_changed(new.card, old.card)}"
    if new.content and old.content and (more := [p for p in new.content if p not in old.content]):
        yield f"not judged, for the baseline has none: {_named(more)}"


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
    if gone := sorted(old.groups.keys() - new.groups.keys()):
        return f"the group attributes changed: no {', '.join(gone)}"
    changed = [g for g in old.groups if not np.array_equal(new.groups[g], old.groups[g])]
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
