"""Collect what a run folder holds: evidence for the audits, facts for the report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..facts import CellFacts, RunFacts
from ..schema import Array, BadInputError, Evidence, Outcome, Predictions, Task
from . import examples, files, records

FACTS = "facts.json"
_facts = TypeAdapter(RunFacts)


def cell_folder(run: Path, cell_id: str) -> Path:
    """Return where a cell's outcome lies."""
    return run / "cells" / cell_id


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
    return replace(facts, cells=tuple(_with_status(run, cell) for cell in facts.cells))


def _with_status(run: Path, cell: CellFacts) -> CellFacts:
    folder, failure = cell_folder(run, cell.id), failure_file(run, cell.id)
    if files.is_sealed(folder):
        ledger, curve = records.read_ledger(folder), records.read_curve(folder)
        return replace(cell, status="finished", ledger=ledger, curve=curve)
    if failure.is_file():
        return replace(cell, status="failed", reason=files.read_json(failure)["reason"])
    return replace(cell, status="missing", reason="not run yet")


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
