"""Collect what a run folder holds: evidence for the audits, facts for the report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..facts import CellFacts, RunFacts
from ..schema import Array, BadInputError, Evidence, Outcome, Predictions, Task
from . import examples, files, records

FACTS = "facts.json"
CELL = "cell.json"
"""In a cell's folder: its id, strategies and seed, its definition, and what it holds."""
_facts = TypeAdapter(RunFacts)


def cell_folder(run: Path, cell_id: str) -> Path:
    """Return where a cell's outcome lies."""
    return run / "cells" / cell_id


def is_finished(folder: Path) -> bool:
    """Whether a cell's folder is as it was written, and holds the cell whose id is its name.

    A folder copied from another cell is as damaged as one with a changed file. Folders of earlier
    versions do not say which cell they hold: they count as finished.
    """
    return files.is_sealed(folder) and _owner(folder).get("id", folder.name) == folder.name


def _owner(folder: Path) -> Mapping[str, Any]:
    """Return what a cell's folder says of its cell; nothing where it says nothing."""
    path = folder / CELL
    content = files.read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def failure_file(run: Path, cell_id: str) -> Path:
    """Return where the reason of a failed cell lies."""
    return run / "failures" / f"{cell_id}.json"


def yardstick_folder(run: Path, name: str, task: str) -> Path:
    """Return where a yardstick's predictions on a task, given by its fingerprint, lie."""
    return run / "yardsticks" / f"{name}-{task[:16]}"


def write_facts(run: Path, facts: RunFacts) -> None:
    """Write what a run knows besides its numbers."""
    files.write(run / FACTS, facts_json(facts))


def facts_json(facts: RunFacts) -> bytes:
    """Return facts as JSON; equal facts are equal bytes."""
    return _facts.dump_json(facts, indent=1) + b"\n"


def read_facts(run: Path) -> RunFacts:
    """Read the facts of a run, each cell with what became of it by now.

    Raises
    ------
    BadInputError
        The folder holds no run, or one of another version.
    """
    path = run / FACTS
    if not path.is_file():
        raise BadInputError(f"{run}: no {FACTS}, so not the folder of a run; see `tunefair run`")
    try:
        facts = _facts.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadInputError(
            f"{path}: not facts of this version ({error.error_count()} errors)"
        ) from None
    uses = {strategy.label: strategy.use for strategy in facts.strategies}
    cells = (_with_status(run, cell, uses.get(cell.strategy, "")) for cell in facts.cells)
    return replace(facts, cells=tuple(cells))


def _with_status(run: Path, cell: CellFacts, use: str = "") -> CellFacts:
    folder, failure = cell_folder(run, cell.id), failure_file(run, cell.id)
    sealed = files.is_sealed(folder)
    if sealed and _is_owner(folder, cell, use):
        ledger, curve = records.read_ledger(folder), records.read_curve(folder)
        return replace(cell, status="finished", ledger=ledger, curve=curve)
    if failure.is_file():
        return replace(cell, status="failed", reason=_reason(failure))
    reason = "not run yet"
    if sealed:
        reason = f"holds another cell: {folder} was copied or renamed; run the suite again"
    elif files.stands(folder):
        reason = f"damaged: {folder} is not as it was written; run the suite again"
    return replace(cell, status="missing", reason=reason)


def _is_owner(folder: Path, cell: CellFacts, use: str) -> bool:
    """Whether a folder's own word, as far as it gives one, is that it holds this cell."""
    owner, known = (
        _owner(folder),
        {"id": cell.id, "seed": cell.seed} | ({"use": use} if use else {}),
    )
    return all(owner.get(key, value) == value for key, value in known.items())


def _reason(failure: Path) -> str:
    content = files.read_json(failure)
    reason = content.get("reason") if isinstance(content, dict) else None
    if not isinstance(reason, str):
        raise BadInputError(f"{failure}: no 'reason' of a failed cell; delete it and run again")
    return reason


def evidence(run: Path, facts: RunFacts) -> list[Evidence]:
    """Return what every strategy and yardstick left behind, in the suite's order."""
    found = []
    known = examples.read(run)
    for strategy in facts.strategies:
        if strategy.yardstick:
            folder = yardstick_folder(run, strategy.label, facts.task)
            if files.is_sealed(folder):
                answers = records.read_predictions(folder / "predictions.parquet")
                if known:
                    answers = {part: known.regrouped(p) for part, p in answers.items()}
                found.append(_yardstick(strategy.label, answers, facts.training_counts))
            continue
        done = [c for c in facts.cells if c.strategy == strategy.label and c.status == "finished"]
        if done:
            outcomes = {c.seed: records.read_outcome(cell_folder(run, c.id)) for c in done}
            if known:
                outcomes = {seed: known.of_outcome(o) for seed, o in outcomes.items()}
            found.append(_strategy(strategy.label, outcomes, facts.training_counts))
    return found


def _strategy(label: str, outcomes: Mapping[int, Outcome], counts: "Counts") -> Evidence:
    runs = list(outcomes.values())
    return Evidence(
        strategy=label,
        seeds=tuple(outcomes),
        test=tuple(run.test["original"] for run in runs),
        validation=tuple(run.validation for run in runs),
        views={
            view: tuple(run.test[view] for run in runs)
            for view in runs[0].test
            if view != "original"
        },
        start=tuple(run.start for run in runs if run.start is not None),
        ledgers=tuple(run.ledger for run in runs),
        training_counts=_arrays(counts),
    )


def _yardstick(
    label: str, answers: Mapping[tuple[str, str], Predictions], counts: "Counts"
) -> Evidence:
    return Evidence(
        strategy=label,
        seeds=(0,),
        test=(answers["test", "original"],),
        validation=(answers["validation", "original"],),
        training_counts=_arrays(counts),
    )


Counts = Mapping[str, Mapping[str, tuple[int, ...]]]


def training_counts(task: Task) -> Counts:
    """Return attribute -> group -> number of training examples of each class."""
    train = task.split == "train"
    return {
        attribute: {
            str(group): tuple(
                np.bincount(
                    task.label[train & (column == group)], minlength=len(task.classes)
                ).tolist()
            )
            for group in np.unique(column[train])
        }
        for attribute, column in task.groups.items()
    }


def _arrays(counts: Counts) -> dict[str, dict[str, Array]]:
    return {a: {g: np.array(c) for g, c in groups.items()} for a, groups in counts.items()}
