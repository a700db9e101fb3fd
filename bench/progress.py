"""What a person sees while cells run: live on a terminal, a line a cell elsewhere."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining

from bench.worker import Job


class Running(Protocol):
    """A cell at work, wherever it runs, and the last thing that it said."""

    job: Job
    fraction: float
    words: str


class Watch:
    """Shows every running cell's share of its budget, and how far the whole suite is."""

    def __init__(self, console: Console, cells: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
        )
        self.bars = Progress(*columns, TimeElapsedColumn(), Remaining(), console=console)
        self.bars.live.auto_refresh = console.is_terminal
        self.console = console
        self.total = self.bars.add_task("all cells", total=cells, words=f"0/{cells}")
        self.cells = cells
        self.ended = 0
        self.by_cell: dict[str, TaskID] = {}

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
        self.bars.stop()

    def update(self, running: Sequence[Running]) -> None:
        """Take in what the workers said last."""
        for one in running:
            cell = one.job.cell
            if cell.id not in self.by_cell:
                self.by_cell[cell.id] = self.bars.add_task(
                    f"{cell.label} · seed {cell.seed}", total=1.0, words=one.words
                )
            self.bars.update(self.by_cell[cell.id], completed=one.fraction, words=one.words)
        done = self.ended + sum(one.fraction for one in running)
        self.bars.update(self.total, completed=done, words=f"{self.ended}/{self.cells}")

    def end(self, job: Job, reason: str) -> None:
        """Say that a cell ended, and why if it failed."""
        self.ended += 1
        name = f"{job.cell.label} · seed {job.cell.seed}"
        if job.cell.id in self.by_cell:
            self.bars.remove_task(self.by_cell.pop(job.cell.id))
        fate = f"[red]failed[/]: {reason}" if reason else "[green]finished[/]"
        self.console.print(f"{self.ended}/{self.cells} {name} {fate}", highlight=False)
