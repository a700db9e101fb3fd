"""Source: which cell of a run is exported, and the plan that it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..facts import CellFacts, RunFacts
from ..planning import missing
from ..planning.plan import Cell
from ..preparing import prepare
from ..schema import BadInputError, Outcome
from ..storage import examples, files, records, run_folder
from ..suite import Suite, parse


@dataclass(frozen=True, kw_only=True)
class Source:
    """A finished cell, planned again from the run's own record."""

    run: Path
    facts: RunFacts
    chosen: CellFacts
    because: str
    """Why this seed, in words."""
    prepared: prepare.Prepared
    cell: Cell

    @property
    def trained(self) -> Cell:
        """The cell whose weights predict: this one, or the one that it only revises."""
        cell = self.cell
        while not cell.trains and cell.first:
            cell = cell.first
        return cell

    @property
    def name(self) -> str:
        """Strategy and seed in words."""
        return f"{self.chosen.strategy} seed {self.chosen.seed}"

    def outcome_of(self, cell: Cell) -> Outcome | None:
        """Return what a finished cell left, with today's groups; None where it is not finished."""
        folder = run_folder.cell_folder(self.run, cell.id)
        if not run_folder.is_finished(folder):
            return None
        return examples.of_task(self.prepared.task).of_outcome(records.read_outcome(folder))

    @cached_property
    def outcome(self) -> Outcome:
        """What the cell left."""
        found = self.outcome_of(self.cell)
        if found is None:
            raise BadInputError(f"{self.run}: {self.name} is not finished any more; run it again")
        return found


def find(run: Path, strategy: str, seed: int | None) -> Source:
    """Return the finished cell of a strategy and a seed; without one, of the median seed.

    Raises
    ------
    BadInputError
        No such run, strategy or seed, a cell that is not finished, or a run whose suite, data or
        code are no longer those that it was made with.
    """
    facts = run_folder.read_facts(run)
    cells = _cells_of(facts, run, strategy)
    chosen, because = _of_seed(cells, strategy, seed) if seed is not None else _median(cells, run)
    suite, folder = recorded_suite(run, facts)
    suite = _of_one(suite, facts, chosen)
    prepared = prepare.prepare(suite, folder=folder, cache=run.parent / ".cache")
    (cell,) = prepared.cells
    if cell.id != chosen.id:
        raise BadInputError(
            f"{run}: {strategy} seed {chosen.seed} cannot be made from what is here now "
            f"({_changed(run, chosen, cell)}); run the suite again, then export"
        )
    return Source(
        run=run, facts=facts, chosen=chosen, because=because, prepared=prepared, cell=cell
    )


def _cells_of(facts: RunFacts, run: Path, strategy: str) -> list[CellFacts]:
    """Return the cells of a strategy, at least one of them finished."""
    labels = [s.label for s in facts.strategies if not s.yardstick]
    if strategy not in labels:
        if strategy in {s.label for s in facts.strategies}:
            raise BadInputError(f"{strategy!r} is a yardstick: there is no model to export")
        raise BadInputError(f"{run}: no strategy {strategy!r}; there are: {', '.join(labels)}")
    cells = [cell for cell in facts.cells if cell.strategy == strategy]
    if not any(cell.status == "finished" for cell in cells):
        told = next((c for c in cells if c.status == "failed"), None) or next(iter(cells), None)
        reason = f"seed {told.seed} {told.status}: {told.reason}" if told else "it has no cell"
        raise BadInputError(f"{run}: {strategy!r} has no finished cell ({reason})")
    return cells


def _of_seed(cells: Sequence[CellFacts], strategy: str, seed: int) -> tuple[CellFacts, str]:
    found = next((cell for cell in cells if cell.seed == seed), None)
    known = ", ".join(str(cell.seed) for cell in cells if cell.status == "finished")
    if found is None:
        raise BadInputError(f"--seed {seed}: {strategy!r} has no such seed; finished: {known}")
    if found.status != "finished":
        raise BadInputError(
            f"--seed {seed}: the cell of {strategy!r} {found.status}: {found.reason}; "
            f"finished: {known}"
        )
    return found, "it was asked for"


def _median(cells: Sequence[CellFacts], run: Path) -> tuple[CellFacts, str]:
    """Return the cell whose validation accuracy is the median; of two in the middle the lower.

    The luckiest seed is a choice that must be asked for. Ties go by log loss, then by seed.
    """
    finished = [cell for cell in cells if cell.status == "finished"]
    ranked = sorted(finished, key=lambda cell: _validation(run, cell))
    chosen = ranked[(len(ranked) - 1) // 2]
    accuracy = _validation(run, chosen)[0]
    if len(finished) == 1:
        return chosen, "it is the only finished one"
    return chosen, f"its validation accuracy, {accuracy:.4f}, is the median of {len(finished)}"


def _validation(run: Path, cell: CellFacts) -> tuple[float, float, int]:
    """Return accuracy on validation, minus the log loss, and the seed: worse ones sort first."""
    answers = records.read_outcome(run_folder.cell_folder(run, cell.id)).validation
    accuracy = float((answers.prediction == answers.label).mean())
    if answers.probability is None:
        return accuracy, 0.0, cell.seed
    given = answers.probability[np.arange(len(answers.label)), answers.label]
    return accuracy, float(np.log(np.maximum(given, 1e-300)).mean()), cell.seed


def recorded_suite(run: Path, facts: RunFacts) -> tuple[Suite, Path]:
    """Return the suite that a run recorded, and the folder that its relative paths start from.

    Raises
    ------
    BadInputError
        The suite's file is gone.
    """
    file = run_folder.owner(run)
    if file is None:
        raise BadInputError(
            f"{run}: its suite's file is gone, which says where the data are; put it back where "
            "it was"
        )
    return parse(Suite, facts.suite_toml, str(run / run_folder.FACTS)), file.parent


def _of_one(suite: Suite, facts: RunFacts, chosen: CellFacts) -> Suite:
    """Return a suite of one strategy, as it was tuned, and one seed."""
    strategy = suite.strategies[chosen.strategy]
    if facts.tuning:
        strategy = strategy.with_options(facts.tuning.chosen[chosen.strategy])
    one = {"strategies": {chosen.strategy: strategy}, "seeds": (chosen.seed,), "tuning": None}
    return suite.model_copy(update=one)


def _changed(run: Path, chosen: CellFacts, now: Cell) -> str:
    """Return in words why the plan now gives another cell."""
    path = run_folder.cell_folder(run, chosen.id) / run_folder.CELL
    known = files.read_json(path).get("definition") if path.is_file() else None
    changes = list(dict.fromkeys(missing.changes(known, now.definition))) if known else []
    return "; ".join(changes[:3]) or "it was made by another version"
