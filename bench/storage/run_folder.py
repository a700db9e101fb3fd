"""Read a run's folder: evidence for the audits, facts for the report."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..facts import CellFacts, RunFacts
from ..schema import Array, BadInputError, Evidence, Outcome, Predictions, Task
from ..suite import SUITES, is_shipped
from . import examples, files, mixture, records

FACTS, OWNER, CELL = "facts.json", "suite.json", "cell.json"
"""In a cell's folder: its id, strategies and seed, its definition, and what it holds."""
MODELS, MODEL = "models", "model"
"""Folder of links to kept weights; folder of the weights within a cell's."""
_facts = TypeAdapter(RunFacts)


def cell_folder(run: Path, cell_id: str) -> Path:
    """Return the folder of a cell's outcome."""
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
    """Return the file with the reason of a failed cell."""
    return run / "failures" / f"{cell_id}.json"


def yardstick_folder(run: Path, name: str, task: str) -> Path:
    """Return the folder of a yardstick's predictions; `task` is the task's fingerprint."""
    return run / "yardsticks" / f"{name}-{task[:16]}"


def name_models(run: Path, cells: Iterable[tuple[str, int, str]]) -> None:
    """Give kept weights names: `models/STRATEGY-seed-N` is a link to a cell's folder.

    Parameters
    ----------
    cells : label, seed and id of each; what only revises has no weights of its own
    """
    shelf = run / MODELS
    for link in shelf.glob("*"):
        if link.is_symlink():
            link.unlink()
    for label, seed, cell_id in cells:
        if (cell_folder(run, cell_id) / MODEL).is_dir():
            shelf.mkdir(exist_ok=True)
            plain = re.sub(r"[^\w+.-]", "_", label).lstrip(".")
            name = f"{plain}-seed-{seed}"
            link = shelf / name
            if link.is_symlink():  # two labels that differ in marks alone
                link = shelf / f"{name}-{cell_id}"
            link.symlink_to(Path("..") / "cells" / cell_id / MODEL)


def write_owner(run: Path, suite: Path) -> None:
    """Note which suite's file a run is of, relative to the run: both may be moved together."""
    place = suite.name if is_shipped(suite) else os.path.relpath(suite.resolve(), run.resolve())
    files.write(run / OWNER, files.to_json({"shipped": is_shipped(suite), "suite": place}))


def owner(run: Path) -> Path | None:
    """Return the file of the suite that a run is of; None where it is gone or not known."""
    try:
        noted = files.read_json(run / OWNER)
        place = (SUITES if noted["shipped"] else run) / noted["suite"]
    except (BadInputError, KeyError, TypeError):
        return None
    return place if place.is_file() else None


def write_facts(run: Path, facts: RunFacts) -> None:
    """Write what is known of a run besides its numbers."""
    files.write(run / FACTS, facts_json(facts))


def facts_json(facts: RunFacts) -> bytes:
    """Return facts as JSON; equal facts are equal bytes."""
    return _facts.dump_json(facts, indent=1) + b"\n"


def read_facts(run: Path) -> RunFacts:
    """Read the facts of a run, with the present state of each cell.

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
    cells = tuple(_with_status(run, cell, uses.get(cell.strategy, "")) for cell in facts.cells)
    finished = [cell_folder(run, cell.id) for cell in cells if cell.status == "finished"]
    made_with = [mixture.made_with(folder) for folder in finished]
    return replace(facts, cells=cells, mixture=mixture.sentences(made_with))


def _with_status(run: Path, cell: CellFacts, use: str = "") -> CellFacts:
    folder, failure = cell_folder(run, cell.id), failure_file(run, cell.id)
    sealed = files.is_sealed(folder)
    if sealed and _is_owner(folder, cell, use):
        ledger, curve = records.read_ledger(folder), records.read_curve(folder)
        return replace(cell, status="finished", ledger=ledger, curve=curve)
    if failure.is_file():
        return replace(cell, status="failed", reason=failure_reason(failure))
    reason = "not run yet"
    if sealed:
        reason = f"holds another cell: {folder} was copied or renamed; run the suite again"
    elif files.stands(folder):
        reason = f"damaged: {folder} is not as it was written; run the suite again"
    return replace(cell, status="missing", reason=reason)


def _is_owner(folder: Path, cell: CellFacts, use: str) -> bool:
    """Whether a folder's own word, as far as it gives one, is that it holds this cell."""
    owner = _owner(folder)
    known = {"id": cell.id, "seed": cell.seed} | ({"use": use} if use else {})
    return all(owner.get(key, value) == value for key, value in known.items())


def failure_reason(failure: Path) -> str:
    """Return why a cell failed, as its file says.

    Raises
    ------
    BadInputError
        The file is damaged.
    """
    with records.damage_named(failure):
        reason = files.read_json(failure)["reason"]
        if not isinstance(reason, str):
            raise TypeError(f"reason is {type(reason).__name__}, not text")
        return reason


def evidence(run: Path, facts: RunFacts) -> list[Evidence]:
    """Return the evidence of every strategy and yardstick, in the suite's order.

    Raises
    ------
    BadInputError
        A cell is damaged, or its examples are not those of the others.
    """
    strategies = []
    known = examples.read(run)
    for strategy in facts.strategies:
        if strategy.yardstick:
            folder = yardstick_folder(run, strategy.label, facts.task)
            if files.is_sealed(folder):
                answers = records.read_predictions(folder / records.PREDICTIONS)
                if known:
                    answers = {part: known.regrouped(p) for part, p in answers.items()}
                with records.damage_named(folder):
                    yardstick = _yardstick(strategy.label, answers, facts.training_counts)
                strategies.append(yardstick)
            continue
        done = [c for c in facts.cells if c.strategy == strategy.label and c.status == "finished"]
        if done:
            outcomes = {c.seed: records.read_outcome(cell_folder(run, c.id)) for c in done}
            if known:
                outcomes = {seed: known.of_outcome(o) for seed, o in outcomes.items()}
            folders = [cell_folder(run, c.id) for c in done]
            _check_alike(folders, list(outcomes.values()))
            strategies.append(_strategy(strategy.label, outcomes, facts.training_counts))
    _check_same_test(run, strategies)
    return strategies


def _check_alike(folders: Sequence[Path], outcomes: Sequence[Outcome]) -> None:
    """Refuse seeds of one strategy that did not answer the same examples of the same views."""
    first = outcomes[0]
    for folder, other in zip(folders, outcomes, strict=True):
        tables = [(first.validation, other.validation), *_pairs(first.test, other.test)]
        if first.test.keys() != other.test.keys() or not all(_alike(*pair) for pair in tables):
            raise BadInputError(f"{folder}: its examples are not those of {folders[0].name}")


def _pairs(
    one: Mapping[str, Predictions], two: Mapping[str, Predictions]
) -> list[tuple[Predictions, Predictions]]:
    return [(one[view], two[view]) for view in one if view in two]


def _alike(one: Predictions, two: Predictions) -> bool:
    return (
        one.classes == two.classes
        and one.groups.keys() == two.groups.keys()
        and np.array_equal(one.example_id, two.example_id)
        and (one.probability is None) == (two.probability is None)
    )


def _check_same_test(run: Path, strategies: Sequence[Evidence]) -> None:
    first = strategies[0].test[0] if strategies else None
    for other in strategies[1:]:
        same = first is not None and first.classes == other.test[0].classes
        if (
            first is None
            or not same
            or not np.array_equal(first.example_id, other.test[0].example_id)
        ):
            raise BadInputError(
                f"{run}: {other.strategy!r} and {strategies[0].strategy!r} did not predict the "
                "same test examples"
            )


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
        validation=tuple(table for (split, _), table in answers.items() if split == "validation"),
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
