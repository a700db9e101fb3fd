"""What of a plan must be trained: what is missing, what is trained again, why, and how long."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from ..schema import BadInputError
from ..storage import files, records, run_folder
from ..suite import Budget
from . import model_folder
from .plan import HIDDEN, MODEL, START, TRAIN, TRIAL, VIEW, Cell

_WORDS = {
    HIDDEN: "hidden vectors",
    START: "answers before training",
    TRAIN: "answers on the training split",
    MODEL: "weights",
}
_CHANGES = {
    "task.examples": "texts, labels, ids or splits changed",
    "task.groups": "the groups of the mitigated attribute changed",
    "task.views": "views that are trained on changed",
    "model.content": "the model's files changed",
    "sources": "its strategy's file changed",
    "training_version": "the code that trains changed",
}
_MOST_REASONS = 3
Definition = Mapping[str, Any]


class Work(NamedTuple):
    """A cell to be trained, and why."""

    cell: Cell
    """With all that it is to keep: what is asked for now, and what it held before."""
    lacking: tuple[str, ...] = ()
    """Of a finished cell: the artefacts that it lacks. It is trained again in place."""


def record(cell: Cell) -> dict[str, Any]:
    """Return what a cell's folder says of the cell, as plain JSON."""
    owner = {"id": cell.id, "use": cell.use, "seed": cell.seed}  # a copied folder is told by it
    return owner | {"definition": cell.definition, "keeps": sorted(cell.keeps)}


def held(run: Path, cell_id: str) -> frozenset[str] | None:
    """Return the artefacts that a finished cell holds; None: it is not finished."""
    folder = run_folder.cell_folder(run, cell_id)
    if not run_folder.is_finished(folder):
        return None
    known = _read(folder / run_folder.CELL)
    return frozenset(known.get("keeps", ())) if known else frozenset()


def work(cells: Iterable[Cell], run: Path) -> dict[str, Work]:
    """Return id -> what must be trained for the cells that are asked for, first stages first.

    A first stage is needed only by followers that are not finished, and for the weights of those
    that only revise.
    """
    asked = [cell for cell in cells if cell.asked]
    own = {cell.id: cell for cell in asked}
    todo: dict[str, Work] = {}
    state: dict[str, frozenset[str] | None] = {}  # looked at once: checksums cost time

    def known_of(cell: Cell) -> frozenset[str] | None:
        if cell.id not in state:
            state[cell.id] = held(run, cell.id)
        return state[cell.id]

    def need(cell: Cell) -> None:
        known = known_of(cell)
        before = todo[cell.id].cell.keeps if cell.id in todo else {}
        wanted = {**cell.keeps, **before}
        lacking = () if known is None else tuple(sorted(wanted.keys() - known))
        if known is not None and not lacking:
            first = None if cell.trains else cell.first
            if first and MODEL in first.keeps and MODEL not in (known_of(first) or ()):
                need(first)
            return
        if cell.first:
            need(cell.first)
        again = {name: "" for name in known or () if not name.startswith(VIEW)}
        todo[cell.id] = Work(own.get(cell.id, cell).keeping({**again, **wanted}), lacking)

    for cell in asked:
        need(cell)
    return todo


def previous(run: Path) -> dict[tuple[str, int], Definition]:
    """Return (label, seed) -> definition of what was finished when the run was last begun."""
    try:
        facts = run_folder.read_facts(run)
    except BadInputError:  # no run yet, or one of another version: nothing is known
        return {}
    known = {
        (cell.strategy, cell.seed): _read(run_folder.cell_folder(run, cell.id) / run_folder.CELL)
        for cell in facts.cells
        if cell.status == "finished"
    }
    return {key: cell["definition"] for key, cell in known.items() if "definition" in cell}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = files.read_json(path)
    except BadInputError:
        return {}
    return content if isinstance(content, dict) else {}


def explained(
    todo: Mapping[str, Work], run: Path, before: Mapping[tuple[str, int], Definition]
) -> Iterator[str]:
    """Yield lines that say what is trained, why, and about how long it takes."""
    reasons: dict[str, list[Cell]] = {}
    for one in todo.values():
        reasons.setdefault(reason(one, before), []).append(one.cell)
    for why, cells in reasons.items():
        yield f"{why}: {_number(len(cells))} of {_labels(cells)}"
    if todo:
        yield _duration(todo, run)
    yield from _room(todo, run)


def _room(todo: Mapping[str, Work], run: Path) -> Iterator[str]:
    """Yield how much disk the weights take that are kept, and how much is free."""
    kept = [one.cell for one in todo.values() if one.cell.keep_model]
    if kept:
        needed = sum(model_folder.weights_bytes(cell.model) for cell in kept)
        parent = next(p for p in (run.absolute(), *run.absolute().parents) if p.is_dir())
        free = shutil.disk_usage(parent).free
        few = "; that is too little: make room, or leave keep_models out" if needed > free else ""
        yield (
            f"keep_models: weights of {_number(len(kept))} take up to {needed / 1e6:,.0f} MB, "
            f"{free / 1e6:,.0f} MB are free{few}"
        )


def _labels(cells: Sequence[Cell]) -> str:
    """Return the labels of cells, each once; trials are counted instead."""
    trials = Counter(c.label.partition(TRIAL)[0] for c in cells if TRIAL in c.label)
    counted = [f"{label} ({_number(n, 'trial')})" for label, n in trials.items()]
    own = dict.fromkeys(cell.label for cell in cells if TRIAL not in cell.label)
    return ", ".join([*own, *counted])


def reason(one: Work, before: Mapping[tuple[str, int], Definition]) -> str:
    """Return in words why a cell is trained."""
    if one.lacking:
        asked = [f"{artefact(name)} ({one.cell.keeps[name]})" for name in one.lacking]
        return f"to be trained again, its predictions stay as they are, for {', '.join(asked)}"
    old = before.get((one.cell.label, one.cell.seed))
    if old is None:
        return "to be trained"
    changed = list(dict.fromkeys(changes(old, one.cell.definition)))
    shown = "; ".join(changed[:_MOST_REASONS])
    more = f" and {len(changed) - _MOST_REASONS} more" if len(changed) > _MOST_REASONS else ""
    return f"to be trained again ({shown}{more})" if changed else "to be trained"


def artefact(name: str) -> str:
    """Return an artefact in words."""
    if name.startswith(VIEW):
        return f"answers on view {name.removeprefix(VIEW).rpartition(':')[0]}"
    return _WORDS.get(name, name)


def changes(old: Definition, new: Definition) -> Iterator[str]:
    """Yield what differs between two definitions, in words."""
    before, after = dict(_flat(old)), dict(_flat(new))
    differing = [k for k in sorted(before.keys() | after.keys()) if before.get(k) != after.get(k)]
    own = [key for key in differing if not key.startswith("first")]
    if differing and not own:
        yield "its first stage changed"
    for key in own:
        then, now = before.get(key), after.get(key)
        known = next((words for name, words in _CHANGES.items() if key.startswith(name)), "")
        yield known or f"{key}: {_shown(then)} → {_shown(now)}"


def _shown(value: Any) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _duration(todo: Mapping[str, Work], run: Path) -> str:
    known = _finished(run)
    estimates = [_seconds(one.cell, known) for one in todo.values()]
    measured = [seconds for seconds in estimates if seconds is not None]
    if not measured:
        return "how long this takes is not known: no cell of this run is finished"
    total = mean(measured) * len(estimates)
    return f"about {_in_words(total)} of training one after another, as finished cells took"


class _Spent(NamedTuple):
    """How long a finished cell trained."""

    id: str
    use: str
    seconds: float
    budget: Mapping[str, Any]

    def scaled(self, budget: Budget) -> "_Spent":
        """Return how long it would have trained on another budget of the same currency."""
        known = self.budget.get("currency") == budget.currency and self.budget.get("amount")
        return self._replace(seconds=self.seconds * budget.amount / known) if known else self


def _finished(run: Path) -> list[_Spent]:
    """Return every finished cell of the run's folder, whatever suite it was made for."""
    spent = []
    for folder in sorted((run / "cells").glob("[!.]*")):
        definition = _read(folder / run_folder.CELL).get("definition", {})
        if definition and run_folder.is_finished(folder):
            ledger = records.read_ledger(folder)
            revises = (definition["first"] or {}).get("budget") == definition["budget"]
            seconds = ledger.revision_seconds if revises else ledger.seconds
            use, budget = definition["use"], definition["budget"]
            spent.append(_Spent(folder.name, use, seconds, budget))
    return spent


def _seconds(cell: Cell, known: Sequence[_Spent]) -> float | None:
    """Return how long a cell may take: as itself before, else its kind, else any that trains."""
    if not cell.trains:
        return mean([s.seconds for s in known if s.use == cell.use] or [0.0])
    known = [s.scaled(cell.budget) for s in known]
    same = [s.seconds for s in known if s.id == cell.id]
    alike = same or [s.seconds for s in known if s.use == cell.use]
    alike = alike or [s.seconds for s in known if s.seconds > 1]
    return mean(alike) if alike else None


def _in_words(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _number(count: int, noun: str = "cell") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
