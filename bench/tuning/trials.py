"""Trials: cells that a search makes, each with a configuration, a seed and a share of a budget."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..planning.plan import TRIAL, Cell, Planner, with_seed
from ..suite import Tuning
from .spaces import Options, SearchSpace

LONGER = 3
"""Times the budget that the better trials are made again with, and one over their share."""


class Trial(NamedTuple):
    """One configuration of a strategy, to be trained once on a share of a cell's budget."""

    strategy: str
    number: int
    """From 1; the first changes nothing."""
    options: Options
    fraction: float
    """Of a cell's budget."""
    cell: Cell


def fractions(tuning: Tuning) -> tuple[float, ...]:
    """Return what a trial may spend, of a cell's budget: first all of them, then the better third.

    b, where T trials at b and ceil(T/3) at 3 b together spend T times `budget_fraction`
    (successive halving, Jamieson & Talwalkar 2016, AISTATS, with two rungs).
    """
    if not tuning.halving:
        return (tuning.budget_fraction,)
    again = LONGER * promoted(tuning.trials)
    first = tuning.budget_fraction * tuning.trials / (tuning.trials + again)
    return (first, LONGER * first)


def promoted(trials: int) -> int:
    """Return how many trials are made again with a larger budget."""
    return math.ceil(trials / LONGER)


def total(tuning: Tuning) -> float:
    """Return what the search of one strategy may spend, in budgets of a cell."""
    return tuning.trials * tuning.budget_fraction


def seeds(tuning: Tuning, taken: Sequence[int]) -> list[int]:
    """Return a seed for each trial, the same for every strategy; none of the suite's, `taken`."""
    drawn = np.random.SeedSequence(tuning.seed).generate_state(2 * tuning.trials + len(taken))
    fresh = dict.fromkeys(int(seed) for seed in drawn if int(seed) not in taken)
    return list(fresh)[: tuning.trials]


def trials(
    planner: Planner, space: SearchSpace, configurations: Sequence[Options]
) -> Iterator[Trial]:
    """Yield the trials of one strategy on the budget that all have."""
    tuning = planner.tuning
    known = seeds(tuning, planner.suite.seeds)
    for number, (options, seed) in enumerate(zip(configurations, known, strict=False), start=1):
        fraction = fractions(tuning)[0]
        cell = with_seed(_cell(planner, space, options, fraction), seed)
        yield Trial(space.label, number, options, fraction, _named(cell, space.label, number))


def longer(planner: Planner, space: SearchSpace, trial: Trial) -> Trial:
    """Return a trial made again, from the start, with a larger budget."""
    fraction = fractions(planner.tuning)[-1]
    cell = with_seed(_cell(planner, space, trial.options, fraction), trial.cell.seed)
    named = _named(cell, space.label, trial.number, ", longer")
    return trial._replace(fraction=fraction, cell=named)


def _cell(planner: Planner, space: SearchSpace, options: Options, fraction: float) -> Cell:
    """Return a trial's cell; it keeps its answers and nothing else."""
    budget = planner.budget
    share = budget.model_copy(update={"amount": budget.amount * fraction})
    return planner.of(space.label, space.written(options), share, {})


def _named(cell: Cell, label: str, number: int, more: str = "") -> Cell:
    return cell.labelled(f"{label}{TRIAL}{number}{more}")
