"""The search of a suite: trials are trained, then the better third on more, then one is chosen."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..planning.plan import Cell, Planner
from ..schema import Task
from ..storage import examples, records, run_folder
from ..storage.examples import Examples
from ..suite import Tuning
from . import trials as making
from .choice import Scored, merit, ranked, scored
from .search import configurations
from .spaces import SearchSpace
from .trials import Trial

Train = Callable[[Sequence[Cell]], object]
"""Trains the cells that are not finished; those that fail leave a reason in the run's folder."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The search of one strategy."""

    space: SearchSpace
    first: tuple[Scored, ...] = ()
    """Every trial, at the budget that all have."""
    longer: tuple[Scored, ...] = ()
    """The better ones again, with a larger budget."""
    chosen: Scored | None = None
    """None: no trial has a value, so the strategy is trained as the suite says."""

    @property
    def options(self) -> dict[str, object]:
        """The options that the strategy is trained with, as a suite writes them."""
        return self.space.written(self.chosen.trial.options if self.chosen else {})


@dataclass(frozen=True, kw_only=True)
class Search:
    """What all strategies of a suite are searched with."""

    planner: Planner
    spaces: Mapping[str, SearchSpace]
    task: Task
    run: Path
    """The run's folder, which holds the finished trials."""
    train: Train

    only: Sequence[str] = ()
    """Train trials of these strategies alone; of all where empty."""

    @property
    def tuning(self) -> Tuning:
        """How it is searched."""
        return self.planner.tuning

    def made(self) -> dict[str, Found]:
        """Return label -> what the search found, everything missing trained on the way.

        All of it follows from the suite and the trials' answers on validation, so a run that is
        interrupted and begun again finds the same.
        """
        known = examples.of_task(self.task)
        first: dict[str, list[Scored]] = {label: [] for label in self.spaces}
        while any(len(those) < self.tuning.trials for those in first.values()):
            new = {label: self._new(label, first[label]) for label in self.spaces}
            for label, those in self._scored(new, known).items():
                first[label] += those
        again = {label: self._promoted(label, first[label]) for label in self.spaces}
        longer = self._scored(again, known)
        return {
            label: Found(
                space=space,
                first=tuple(first[label]),
                longer=tuple(longer[label]),
                chosen=next(iter(ranked(longer[label] or first[label], self.tuning)), None),
            )
            for label, space in self.spaces.items()
        }

    def _new(self, label: str, made: Sequence[Scored]) -> list[Trial]:
        """Return the trials of a strategy that can be made now."""
        told = [merit(one.validation, self.tuning) for one in made]
        space = self.spaces[label]
        known = configurations(space, self.tuning, told)
        return list(making.trials(self.planner, space, known))[len(made) :]

    def _promoted(self, label: str, made: Sequence[Scored]) -> list[Trial]:
        if not self.tuning.halving:
            return []
        best = ranked(made, self.tuning)[: making.promoted(self.tuning.trials)]
        return [making.longer(self.planner, self.spaces[label], one.trial) for one in best]

    def _scored(
        self, wanted: Mapping[str, Sequence[Trial]], known: Examples
    ) -> dict[str, list[Scored]]:
        """Train trials of all strategies together; return each with its value on validation."""
        labels = self.only or tuple(wanted)
        cells = [t.cell for label in labels for t in wanted[label]]
        if cells:
            self.train(cells)
        return {label: [self._score(t, known) for t in those] for label, those in wanted.items()}

    def _score(self, trial: Trial, known: Examples) -> Scored:
        folder = run_folder.cell_folder(self.run, trial.cell.id)
        if not run_folder.is_finished(folder):
            return Scored(trial, None, _why(run_folder.failure_file(self.run, trial.cell.id)))
        answers = records.read_predictions(folder / records.PREDICTIONS)
        validation = known.regrouped(answers["validation", "original"])
        return scored(trial, validation, self.tuning, self.planner.attribute)


def _why(failure: Path) -> str:
    return run_folder.failure_reason(failure) if failure.is_file() else "not run yet"


def every(found: Iterable[Found]) -> list[Scored]:
    """Return all trials of all strategies, at both budgets."""
    return [one for each in found for one in (*each.first, *each.longer)]
