"""What a person sees while cells run: live bars on a terminal, elsewhere a line per cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from ..planning.plan import Cell
from .worker import Job

_LONG = 1e6
"""From here on a number is written with its power of ten."""


class Running(Protocol):
    """A cell that is being trained, wherever it runs, and the progress it reported last."""

    job: Job
    fraction: float
    words: str


@dataclass
class _Bar:
    """A cell's line, and its first report: a resumed cell has spent a part of its budget."""

    line: TaskID
    at: float = 0.0
    """Fraction of the budget that was spent at the first report."""
    since: float = 0.0
    """Time of the first report."""


class Watch:
    """Show what is left of the budget and the time of every running cell, and of the suite."""

    def __init__(self, console: Console, cells: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(12),
            TextColumn("{task.fields[budget]}"),
            TextColumn("{task.fields[time]}"),
            TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True, ratio=1)),
        )
        self.bars = Progress(*columns, console=console, expand=True)
        self.bars.live.auto_refresh = console.is_terminal
        self.console = console
        self.cells = cells
        self.ended = 0
        self.resumed = 0.0
        """Parts of these cells' budgets that earlier runs spent."""
        self.by_cell: dict[str, _Bar] = {}
        self.began = self.bars.get_time()
        self.total = self._line(f"0/{cells} cells", cells)

    def _line(self, name: str, total: float) -> TaskID:
        return self.bars.add_task(name, total=total, budget="", time="", words="")

    def __enter__(self) -> "Watch":
        """Begin to draw."""
        if self.console.is_terminal:
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing."""
        if self.console.is_terminal:
            self.bars.stop()

    def update(self, running: Sequence[Running]) -> None:
        """Show what the workers reported last."""
        for one in running:
            self._update(one)
        done = self.ended + sum(one.fraction for one in running)
        left = self.cells - done
        self.bars.update(
            self.total,
            completed=done,
            budget=f"{left / self.cells:.0%} of all budgets left",
            time=_time_left(self.bars.get_time() - self.began, done - self.resumed, left),
            description=f"{self.ended}/{self.cells} cells",
        )

    def _update(self, one: Running) -> None:
        cell, now = one.job.cell, self.bars.get_time()
        if cell.id not in self.by_cell:
            self.by_cell[cell.id] = _Bar(self._line(f"{cell.label} · seed {cell.seed}", 1.0))
        bar = self.by_cell[cell.id]
        if not bar.since and one.fraction:
            bar.at, bar.since = one.fraction, now
            self.resumed += one.fraction
        self.bars.update(
            bar.line,
            completed=one.fraction,
            budget=_budget_left(cell, one.fraction),
            time=_time_left(now - bar.since, one.fraction - bar.at, 1 - one.fraction),
            words=one.words,
        )

    def end(self, job: Job, reason: str) -> None:
        """Print that a cell ended, and why if it failed."""
        self.ended += 1
        name = f"{job.cell.label} · seed {job.cell.seed}"
        if job.cell.id in self.by_cell:
            self.bars.remove_task(self.by_cell.pop(job.cell.id).line)
        fate = f"[red]failed[/]: {reason}" if reason else "[green]finished[/]"
        self.console.print(f"{self.ended}/{self.cells} {name} {fate}", highlight=False)


def _budget_left(cell: Cell, fraction: float) -> str:
    """Return what a cell has left of its budget, in words; `fraction` is of its own training."""
    budget = cell.budget
    own = budget.amount - (cell.first.budget.amount if cell.first else 0.0)
    return f"{_number(own * (1 - fraction))} of {_number(budget.amount)} {budget.currency} left"


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount < _LONG else f"{amount:.3g}"


def _time_left(seconds: float, done: float, left: float) -> str:
    """Return how long the rest takes at the speed so far; "" while that is not known."""
    if done <= 0 or left <= 0:
        return ""
    return f"{timedelta(seconds=round(seconds * left / done))} left"
