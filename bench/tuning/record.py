"""What a search is remembered by: `tuning.json` in the run's folder, and the report's facts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..facts import SearchedOption, TrialFacts, TuningFacts
from ..measuring.validation_score import RULES
from ..schema import Task
from ..storage import files, records, run_folder
from ..suite import Tuning
from . import on_test
from .choice import Scored
from .on_test import Values, Wanted
from .phases import Found
from .spaces import Dimension, SearchSpace

FILE = "tuning.json"


def facts_of(
    found: Mapping[str, Found], tuning: Tuning, wanted: Wanted, run: Path, task: Task
) -> TuningFacts:
    """Return all that a report says of a search; test values are read only here."""
    first = {label: each.first for label, each in found.items()}
    values = on_test.values(first, wanted, run, task)
    points, crossed = on_test.curves(first, values, wanted, tuning)
    performance = _performance(values, wanted)
    return TuningFacts(
        rule=RULES[tuning.selection],
        sampler=tuning.sampler,
        trials=tuple(
            _trial(one, each, performance, run)
            for each in found.values()
            for one in (*each.first, *each.longer)
        ),
        options=tuple(
            _searched(each.space, dimension)
            for each in found.values()
            for dimension in each.space.dimensions
        ),
        curves=tuple(points),
        crossings=tuple(crossed),
        chosen={label: each.options for label, each in found.items()},
        notes=tuple(_notes(found)),
    )


def write(run: Path, facts: TuningFacts) -> None:
    """Write the rows that outside checks read: an object a row, by the names of its columns."""
    tables: dict[str, Sequence[Any]] = {
        "trials": facts.trials,
        "curve": facts.curves,
        "crossings": facts.crossings,
        "options": facts.options,
        "budgets": facts.budgets,
    }
    rows = {name: [row._asdict() for row in table] for name, table in tables.items()}
    files.write(run / FILE, files.to_json(rows | {"rule": facts.rule, "notes": facts.notes}))


def _performance(values: Values, wanted: Wanted) -> dict[tuple[str, int], float]:
    """Return (strategy, trial) -> the performance metric on test examples, of the first trials."""
    return {
        (label, row + 1): float(of[row, 0])
        for place, strategies in values.items()
        if (place.metric, place.group) == (wanted.performance, "")
        for label, of in strategies.items()
        for row in range(len(of))
    }


def _trial(
    one: Scored, found: Found, test: Mapping[tuple[str, int], float], run: Path
) -> TrialFacts:
    trial = one.trial
    folder = run_folder.cell_folder(run, trial.cell.id)
    finished = run_folder.is_finished(folder)
    ledger = records.read_ledger(folder) if finished else None
    rung = [each.trial.cell.id for each in found.first]
    value = test.get((trial.strategy, trial.number)) if trial.cell.id in rung else None
    return TrialFacts(
        strategy=trial.strategy,
        trial=trial.number,
        options={_name(found.space, d): _value(one, d) for d in found.space.dimensions},
        budget_fraction=trial.fraction,
        validation=one.validation,
        chosen=one is found.chosen,
        test=value,
        seed=trial.cell.seed,
        cell=trial.cell.id,
        flops=ledger.flops if ledger else 0.0,
        seconds=ledger.seconds if ledger else 0.0,
        reason=one.reason,
    )


def _name(space: SearchSpace, dimension: Dimension) -> str:
    several = len(space.parts) > 1
    return f"{dimension.part}.{dimension.option}" if several else dimension.option


def _value(one: Scored, dimension: Dimension) -> Any:
    return one.trial.options.get(dimension.part, {}).get(dimension.option, dimension.default)


def _searched(space: SearchSpace, d: Dimension) -> SearchedOption:
    low, high = (None, None) if d.choices else (d.low, d.high)
    return SearchedOption(space.label, _name(space, d), low, high, d.log, d.choices)


def _notes(found: Mapping[str, Found]) -> Iterator[str]:
    for label, each in found.items():
        if each.space.size == 1:
            yield f"{label}: nothing to tune; its trials are other seeds of the same options"
        if each.chosen is None:
            yield f"{label}: no trial has a value; it is trained as the suite says"
