"""What a search will cost, said before anything is trained."""

from collections.abc import Iterator

from ..suite import Budget, Suite, Tuning
from . import trials


def lines(suite: Suite, budget: Budget) -> Iterator[str]:
    """Yield what tuning costs beside training, where `budget` binds a cell; nothing without it."""
    tuning = suite.tuning
    if tuning is None:
        return
    search = trials.total(tuning)
    train = float(len(suite.seeds))
    others = len(suite.seeds) * sum(b for b in tuning.budgets if b != 1)
    parts = {"tuning": search, "training": train, "other budgets": others}
    named = [f"{name} {cost * budget.amount:.4g}" for name, cost in parts.items() if cost]
    yield f"trials: {_rungs(tuning)}"
    whole = search + train + others
    yield (
        f"each of {len(suite.strategies)} strategies: {', '.join(named)}, in all "
        f"{whole * budget.amount:.4g} {budget.currency}; tuning is {search / whole:.0%} of it"
    )


def _rungs(tuning: Tuning) -> str:
    first, *more = trials.fractions(tuning)
    text = f"{tuning.trials} a strategy at {first:.3g} of a cell's budget"
    again = (
        f", then the best {trials.promoted(tuning.trials)} again at {more[0]:.3g}" if more else ""
    )
    return f"{text}{again}"
