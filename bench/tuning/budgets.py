"""Learning curves over the budget: each winner, trained again at other budgets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..audit import declared
from ..facts import BudgetPoint
from ..measuring import measure
from ..planning.plan import Cell, Planner, with_seed
from ..schema import Evidence, Task
from ..storage import examples, records, run_folder
from ..storage.examples import Examples
from .on_test import Wanted

BUDGET = " · budget "
"""Stands in the label of a cell at another budget, between strategy and fraction."""
Options = Mapping[str, Mapping[str, Any]]
"""Label -> the options that were chosen, as a suite writes them."""
Place = tuple[str, float]
"""Strategy, and the fraction of the suite's budget."""


def cells(planner: Planner, chosen: Options) -> dict[Place, list[Cell]]:
    """Return the winners' cells at each budget of `[tuning] budgets`, a seed each."""
    suite, found = planner.suite, {}
    for label, options in chosen.items():
        for fraction in sorted(planner.tuning.budgets):
            whole = planner.budget
            share = whole.model_copy(update={"amount": whole.amount * fraction})
            cell = planner.of(label, options, share, {})
            named = cell.labelled(label if fraction == 1 else f"{label}{BUDGET}{fraction:g}")
            found[label, fraction] = [with_seed(named, seed) for seed in suite.seeds]
    return found


def points(
    made: Mapping[Place, Sequence[Cell]], wanted: Wanted, run: Path, task: Task
) -> Iterator[BudgetPoint]:
    """Yield what every budget came to, of the seeds that are finished; mean over seeds."""
    names = {f"{label}{BUDGET}{fraction:g}": (label, fraction) for label, fraction in made}
    known = examples.of_task(task)
    every = [_evidence(name, made[place], run, known) for name, place in names.items()]
    evidence = [one for one in every if one is not None]
    if not evidence:
        return
    metrics = tuple(wanted.metrics)
    audits = list(dict.fromkeys(declared()[metric][0][0] for metric in metrics))
    settings = replace(wanted.settings, only=metrics, intersections=())
    for m in measure.measure(evidence, settings, audits=audits).measurements:
        headline = m.seed is None and m.group in ("", "gap") and (m.view, m.posthoc) == (
            "original", ""
        )  # fmt: skip
        if headline and m.metric in metrics:
            label, fraction = names[m.strategy]
            value = None if m.undefined else m.value
            yield BudgetPoint(
                label, fraction, m.metric, m.attribute, m.group, value, m.low, m.high
            )


def _evidence(name: str, made: Sequence[Cell], run: Path, known: Examples) -> Evidence | None:
    done = {c.seed: run_folder.cell_folder(run, c.id) for c in made}
    done = {seed: folder for seed, folder in done.items() if run_folder.is_finished(folder)}
    if not done:
        return None
    answers = [records.read_predictions(f / records.PREDICTIONS) for f in done.values()]
    return Evidence(
        strategy=name,
        seeds=tuple(done),
        test=tuple(known.regrouped(each["test", "original"]) for each in answers),
        ledgers=tuple(records.read_ledger(folder) for folder in done.values()),
    )
