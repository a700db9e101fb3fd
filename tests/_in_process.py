"""Suites run as the command line runs them, but every cell is trained in this process."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from rich.console import Console

from tunefair import run as stages
from tunefair import suite
from tunefair.launch import worker
from tunefair.launch.worker import Job

Report = Callable[[float, str], None]


def silent(fraction: float, words: str) -> None:
    """Report to nobody."""


@contextmanager
def launcher(report: Report = silent) -> Iterator[list[Job]]:
    """Let no process start; give the jobs that are trained meanwhile, in order."""
    trained: list[Job] = []

    def made(wishes, slots, watch, finished):
        def launch(jobs):
            for job in jobs:
                trained.append(job)
                finished(job, worker.attempt(job, report)[0])

        return SimpleNamespace(launch=launch)

    with mock.patch.object(stages, "_launcher", made):
        yield trained


def run(
    file: Path, *, only: tuple[str, ...] = (), report: Report = silent
) -> tuple[list[Job], str, int]:
    """Run a suite in `runs` beside it; return what was trained, what was said, what failed."""
    console = Console(file=io.StringIO(), width=300)
    wishes = stages.Wishes(
        file=file,
        text=file.read_text(),
        runs=file.with_name("runs"),
        only=only,
        jobs="1",
        device="cpu",
        processes=1,
        cell_timeout_seconds=math.inf,
        launcher="local",
        address="",
        console=console,
    )
    with launcher(report) as trained:
        failed = stages.run(suite.read(file), wishes)
    return trained, console.file.getvalue(), failed
