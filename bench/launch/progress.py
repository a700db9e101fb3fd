"""What a person sees while cells run: live on a terminal, a line a cell elsewhere."""

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
    """A cell at work, wherever it runs, and the last thing that it said."""

    job: Job
    fraction: float
    words: str


@dataclass
class _Bar:
    """A cell's line, and what it was first heard to have spent: a resumed cell begins late."""

    line: TaskID
    at: float = 0.0
    since: float = 0.0
    """When that was heard."""


class Watch:
    """Shows what is left of every running cell's budget and time, and of the whole suite's."""

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
        """Budgets of these cells that earlier runs spent."""
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
        """Take in what the workers said last."""
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
        """Say that a cell ended, and why if it failed."""
        self.ended += 1
        name = f"{job.cell.label} · seed {job.cell.seed}"
        if job.cell.id in self.by_cell:
            self.bars.remove_task(self.by_cell.pop(job.cell.id).line)
        fate = f"[red]failed[/]: {reason}" if reason else "[green]finished[/]"
        self.console.print(f"{self.ended}/{self.cells} {name} {fate}", highlight=False)


def _budget_left(cell: Cell, fraction: float) -> str:
    """Return what a cell that spent a fraction of its own part has left of its whole budget."""
    budget = cell.budget
    own = budget.amount - (cell.first.budget.amount if cell.first else 0.0)
    return f"{_number(own * (1 - fraction))} of {_number(budget.amount)} {budget.currency} left"


def _number(amount: float) -> str:
    return f"{amount:,.0f}" if amount < _LONG else f"{amount:.3g}"


def _time_left(seconds: float, done: float, left: float) -> str:
    """Return how long the rest takes if it goes on as it did; "" while nobody can know."""
    if done <= 0 or left <= 0:
        return ""
    return f"{timedelta(seconds=round(seconds * left / done))} left"
