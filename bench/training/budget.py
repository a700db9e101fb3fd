"""The budget: a meter of all that a cell spends, and the learning rate that depends on it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..suite import Budget

Cost = Callable[[int, int], float]
"""(rows, padded length) -> floating point operations of one batch."""
_COUNTED = ("flops", "tokens", "padded_tokens", "examples", "steps")


@dataclass
class Meter:
    """What a cell has spent so far, in every currency; its budget is in one of them."""

    budget: Budget
    flops: float = 0.0
    tokens: int = 0
    padded_tokens: int = 0
    examples: int = 0
    steps: int = 0
    started: float = field(default_factory=time.perf_counter)

    def start(self) -> None:
        """Start the clock: loading and setting up are not charged."""
        self.started = time.perf_counter()

    def spent(self) -> dict[str, float]:
        """Return what was spent so far, in every currency."""
        return {name: getattr(self, name) for name in (*_COUNTED, "seconds")}

    def restore(self, spent: Mapping[str, Any]) -> None:
        """Continue from what `spent` returned, the clock included."""
        for name in _COUNTED:
            setattr(self, name, spent[name])
        self.started = time.perf_counter() - spent["seconds"]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock for a while: that time is not charged."""
        begun = time.perf_counter()
        yield
        self.started += time.perf_counter() - begun

    @property
    def seconds(self) -> float:
        """Wall-clock time since the clock was started."""
        return time.perf_counter() - self.started

    @property
    def fraction(self) -> float:
        """Fraction of the budget that is spent; above 1 after the step that overshoots."""
        return float(getattr(self, self.budget.currency)) / self.budget.amount

    def total(self, amount: float) -> float:
        """Return the sum over all processes that train together; here there is one."""
        return amount

    def charge(self, *, rows: int, length: int, tokens: int, cost: Cost) -> None:
        """Charge one batch of `rows` texts padded to `length`, holding `tokens` real tokens."""
        self.flops += cost(rows, length)
        self.tokens += tokens
        self.padded_tokens += rows * length
        self.examples += rows


def learning_rate_factor(fraction: float, warmup: float) -> float:
    """Return the rate, relative to its peak, when `fraction` of the budget is spent.

    It rises linearly from 0 during `warmup`, then falls linearly to 0 at 1, whatever the
    currency (Li, Yumer & Ramanan 2020, Budgeted Training, ICLR).
    """
    if fraction < warmup:
        return fraction / warmup
    return max(0.0, (1 - fraction) / (1 - warmup))
