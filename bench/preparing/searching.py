"""What a search adds to a prepared suite: its trials, what it chose, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..facts import RunFacts, TuningFacts
from ..planning.plan import Cell
from ..tuning import budgets, record
from ..tuning.on_test import Wanted
from ..tuning.phases import Found, Search, Train, every
from .prepare import Prepared


def search(prepared: Prepared, run: Path, train: Train, only: Sequence[str] = ()) -> Search:
    """Return the search of a suite, ready to be made; `only` as for `Search`."""
    return Search(
        planner=prepared.planner,
        spaces=prepared.spaces,
        task=prepared.task,
        run=run,
        train=train,
        only=only,
    )


def known_cells(prepared: Prepared, run: Path) -> list[Cell]:
    """Return the cells of a suite as far as they are known: trials, then what they chose.

    Nothing is trained. Until the search is over, the suite's own options stand for the chosen.
    """
    found = search(prepared, run, lambda cells: None).made() if prepared.spaces else {}
    trials = [one.trial.cell for one in every(found.values())]
    if found and all(one.validation is not None for one in every(found.values())):
        prepared = with_found(prepared, found)
    others = budgets.cells(prepared.planner, prepared.chosen)
    return [*trials, *prepared.cells, *(c for those in others.values() for c in those)]


def with_found(prepared: Prepared, found: Mapping[str, Found]) -> Prepared:
    """Return the suite with the cells of the options that were chosen."""
    chosen = {label: each.options for label, each in found.items()}
    return replace(prepared, cells=tuple(prepared.planner.cells(chosen)), chosen=chosen)


def with_search(
    stated: RunFacts, prepared: Prepared, found: Mapping[str, Found], run: Path
) -> RunFacts:
    """Return the facts with what the search came to, which is written for outside checks too."""
    wanted = _wanted(stated, prepared)
    facts = record.facts_of(found, prepared.planner.tuning, wanted, run, prepared.task)
    record.write(run, facts)
    return replace(stated, tuning=facts)


def with_budgets(
    stated: RunFacts,
    prepared: Prepared,
    made: Mapping[budgets.Place, Sequence[Cell]],
    run: Path,
) -> RunFacts:
    """Return the facts with what the winners came to at other budgets."""
    points = tuple(budgets.points(made, _wanted(stated, prepared), run, prepared.task))
    tuning = replace(stated.tuning or TuningFacts(rule="", sampler=""), budgets=points)
    record.write(run, tuning)
    return replace(stated, tuning=tuning)


def _wanted(stated: RunFacts, prepared: Prepared) -> Wanted:
    """Return which test values a search is judged by."""
    return Wanted(
        performance=stated.performance_metric,
        gap=stated.gap_metric,
        settings=prepared.suite.audit.settings,
    )
