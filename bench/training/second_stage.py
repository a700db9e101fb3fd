"""The second stage of a cell: it revises the first stage's predictions and adds up both costs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..planning import compose
from ..planning.plan import Cell
from ..schema import BadInputError, CellFailedError, CurvePoint, Outcome, Predictions
from ..suite import Budget

UNKNOWN = -1
"""In place of each label in the predictions that a strategy revises."""
_SUMS = ("flops", "tokens", "padded_tokens", "examples", "steps", "seconds", "revision_seconds")


def revised(cell: Cell, trained: Outcome) -> Outcome:
    """Return the outcome of a training with its predictions revised by the cell's strategy.

    The strategy reads the labels of validation alone. The time this takes is charged; hidden
    vectors are dropped if nobody reads them.

    Raises
    ------
    CellFailedError
        The strategy returned other examples than it was given.
    """
    strategy = cell.strategy()
    begun = time.perf_counter()

    def revise(table: Predictions) -> Predictions:
        validation = visible(trained.validation, cell.attribute)
        revised = strategy.revise(validation, unlabelled(table, cell.attribute))
        if not np.array_equal(revised.example_id, table.example_id):
            raise CellFailedError(
                f"{cell.use}: revise() returned other examples than it was given"
            )
        hidden = revised.hidden if cell.hidden else None
        return replace(revised, label=table.label, groups=table.groups, hidden=hidden)

    validation = revise(trained.validation)
    test = {view: revise(table) for view, table in trained.test.items()}
    ledger = trained.ledger
    if "revise" in compose.claims(strategy):
        spent = time.perf_counter() - begun
        seconds = {name: getattr(ledger, name) + spent for name in ("seconds", "revision_seconds")}
        ledger = replace(ledger, **seconds)
    train = trained.train if cell.answers_training else None
    return replace(trained, validation=validation, test=test, ledger=ledger, train=train)


def visible(table: Predictions, attribute: str) -> Predictions:
    """Return copies, of the mitigated attribute alone: a strategy may write into them."""
    groups = {a: column.copy() for a, column in table.groups.items() if a == attribute}
    hidden = None if table.hidden is None else table.hidden.astype(np.float32)
    return replace(
        table,
        label=table.label.copy(),
        groups=groups,
        prediction=table.prediction.copy(),
        probability=None if table.probability is None else table.probability.copy(),
        hidden=hidden,
    )


def unlabelled(table: Predictions, attribute: str) -> Predictions:
    """Return what a strategy may see of the predictions that it revises."""
    return replace(visible(table, attribute), label=np.full_like(table.label, UNKNOWN))


def budget_left(cell: Cell, first: Outcome | None) -> Budget:
    """Return the budget of a cell's own training: what its first stage has left.

    Raises
    ------
    BadInputError
        The first stage spent the whole budget.
    """
    if first is None:
        return cell.budget
    left = cell.budget.amount - getattr(first.ledger, cell.budget.currency)
    if left <= 0:
        raise BadInputError(
            f"budget: the first stage of {cell.use} spends all "
            f"{cell.budget.amount:g} {cell.budget.currency}; give a larger amount"
        )
    return cell.budget.model_copy(update={"amount": left})


def charged(cell: Cell, first: Outcome, second: Outcome) -> Outcome:
    """Return the second stage's outcome with the costs of both stages and both curves."""
    one, two = first.ledger, second.ledger
    sums = {name: getattr(one, name) + getattr(two, name) for name in _SUMS}
    spent = getattr(one, cell.budget.currency) / cell.budget.amount
    known = one.energy_joules is not None and two.energy_joules is not None
    ledger = replace(
        two,
        **sums,
        peak_memory_bytes=max(one.peak_memory_bytes, two.peak_memory_bytes),
        kept_fraction=spent + two.kept_fraction * (1 - spent),
        energy_joules=(one.energy_joules or 0) + (two.energy_joules or 0) if known else None,
    )
    return replace(second, ledger=ledger, curve=tuple(_joined(cell, first, second.curve)))


def _joined(cell: Cell, first: Outcome, then: Sequence[CurvePoint]) -> Iterator[CurvePoint]:
    """Yield the points of both curves, as steps and fractions of the whole budget."""
    whole = cell.budget.amount
    spent = getattr(first.ledger, cell.budget.currency) / whole
    share = cell.first.budget.amount / whole if cell.first else 0.0
    for point in first.curve:
        yield point._replace(fraction=point.fraction * share)
    for point in then:
        fraction = spent + point.fraction * (1 - spent)
        yield point._replace(step=point.step + first.ledger.steps, fraction=fraction)
