"""One cell in its own process: read the prepared task, train, write a sealed folder."""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..environment import memory, provenance
from ..planning import missing, model_folder
from ..planning.plan import Cell
from ..schema import BadInputError, CellFailedError, Outcome, Task
from ..storage import examples, files, records, run_folder

if TYPE_CHECKING:
    from ..training.ranks import Ranks
    from ..training.tokens import Tokens

REFUSED = 2
"""Exit code of a worker whose input a person must correct; it counts with a reason only."""
NO_ROOM = 4
"""Exit code of a worker that cannot write: no other could; it counts with a reason only."""
_SAME = 1e-6
"""Probabilities that differ by no more are those of the same training."""
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell, the paths of its inputs, and where its outcome is written."""

    cell: Cell
    task_file: Path
    tokens_folder: Path
    destination: Path
    after: Path | None = None
    """Destination of the job whose outcome this one starts from."""
    device: str = "auto"
    again: bool = False
    """Whether it is finished and trained again in place, to keep more of it."""
    threads: int = 1
    processes: int = 1
    """Processes that train the cell together, each on its part of every batch."""
    meeting: Path | None = None
    """A new file through which the processes connect."""

    @property
    def checkpoints(self) -> Path:
        """Folder with the state of an unfinished cell."""
        return self.destination.with_name(f".{self.destination.name}.checkpoints")


def main(job: Job, pipe: Connection) -> None:
    """Run a worker process: it sends its progress, and why it failed, through the pipe.

    If the launcher died, the pipe is broken and the worker ends at its next report.
    """
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    try:
        reason, code = attempt(job, lambda fraction, words: pipe.send((fraction, words)))
        if reason:
            pipe.send(reason)
    except BrokenPipeError:
        code = 1
    sys.exit(code)


def attempt(job: Job, progress: Callable[[float, str], None]) -> tuple[str, int]:
    """Train one cell; return why it failed, "" if it did not, and the exit code that says so."""
    try:
        execute(job, progress)
    except SystemExit as end:  # a strategy's code is run here
        return f"{job.cell.use}: its code called sys.exit({end.code!r})", 1
    except Exception as error:
        code = _exit_code(error)
        if code == 1 and os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        return _reason(error, job), code
    return "", 0


def timed_out(seconds: float, fraction: float) -> str:
    """Return why a cell failed that took longer than it may; its last checkpoint is kept."""
    return f"timed out after {seconds:g} s (--cell-timeout) at {fraction:.0%} of its budget"


def _exit_code(error: Exception) -> int:
    """Return the exit code: REFUSED and NO_ROOM mean that other cells would end alike."""
    if memory.ran_out(error):
        return 1
    if isinstance(error, BadInputError):
        return REFUSED
    return NO_ROOM if isinstance(error, OSError) and error.errno in _CANNOT_WRITE else 1


def _reason(error: Exception, job: Job) -> str:
    """Return why a cell failed, as one line."""
    line = memory.line(error)
    if isinstance(error, CellFailedError):
        return line
    if memory.ran_out(error):
        return f"{memory.REASON}: {line}" if line else memory.REASON
    if isinstance(error, BadInputError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or job.destination.parent}: {error.strerror or error}"
    return f"{type(error).__name__}: {line}"


def assist(job: Job, rank: int) -> None:
    """Run one of the other processes of a cell; the first one reports what went wrong."""
    os.environ["OMP_NUM_THREADS"] = str(job.threads)
    try:
        inputs = _inputs(job)
        from ..training import train
        from ..training.tokens import TokenisedTask

        data = TokenisedTask(inputs.task, inputs.tokens)
        ranks = _ranks(job, rank)
        train.assist(job.cell, data, ranks, first=inputs.first, device=job.device)
    except (Exception, SystemExit):
        if os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        sys.exit(1)


def _ranks(job: Job, rank: int) -> "Ranks":
    """Return which process of the cell this one is, once all are connected."""
    from ..training.ranks import ALONE, Ranks, join

    if job.meeting is None:
        return ALONE
    ranks = Ranks(rank, job.processes)
    join(job.meeting, ranks, cuda=job.device.startswith("cuda"))
    return ranks


class _Inputs(NamedTuple):
    """What a job reads."""

    task: Task
    tokens: "Tokens"
    first: Outcome | None
    """The outcome of the job that this one starts from."""


def _inputs(job: Job) -> _Inputs:
    import torch

    from ..training.tokens import Tokens

    torch.set_num_threads(job.threads)
    task = records.read_task(job.task_file)
    first = (
        examples.of_task(task).of_outcome(records.read_outcome(job.after)) if job.after else None
    )
    return _Inputs(task, Tokens.open(job.tokens_folder), first)


def _check_model(cell: Cell) -> None:
    """Refuse a model whose files changed since the run was planned: its record would be wrong."""
    if model_folder.fingerprint(cell.model) != cell.model_fingerprint:
        raise BadInputError(
            f"model.source = {cell.model.source!r}: its files changed since the run was planned; "
            "run again"
        )


def execute(job: Job, progress: Callable[[float, str], None]) -> None:
    """Train one cell and seal its folder; only this part needs torch and transformers."""
    from ..training.train import train

    task, tokens, first = _inputs(job)
    ranks = _ranks(job, 0)
    if job.cell.trains:
        _check_model(job.cell)

    def fill(folder: Path) -> None:
        model_folder = folder / run_folder.MODEL if job.cell.keep_model else None
        outcome = train(
            job.cell,
            task,
            tokens,
            first=first,
            device=job.device,
            progress=progress,
            model_folder=model_folder,
            checkpoints=job.checkpoints,
            ranks=ranks,
        )
        if job.again:
            _check_same(records.read_outcome(job.destination), outcome)
        records.write_outcome(folder, outcome)
        files.write(folder / run_folder.CELL, files.to_json(missing.record(job.cell)))
        files.write(folder / "environment.json", files.to_json(provenance.environment()))

    (files.replace_sealed if job.again else files.write_sealed)(job.destination, fill)
    shutil.rmtree(job.checkpoints, ignore_errors=True)


def _check_same(before: Outcome, now: Outcome) -> None:
    """Refuse other answers of a cell that is trained again: what is finished stays.

    Raises
    ------
    CellFailedError
        A probability moved by more than rounding does.
    """
    moved, n = 0, 0
    for view, old in [("validation", before.validation), *before.test.items()]:
        new = now.validation if view == "validation" else now.test.get(view)
        if new is None or old.probability is None or new.probability is None:
            continue
        differs = np.abs(old.probability - new.probability).max(axis=1) > _SAME
        moved, n = moved + int(differs.sum()), n + len(differs)
    if moved:
        then, here = (", ".join(map(str, o.hardware.values())) for o in (before, now))
        raise CellFailedError(
            f"trained again, {moved:,} of {n:,} answers differ, so the finished cell stays as it "
            f"is (made on {then}; now on {here}); use that machine, or delete the cell's folder"
        )
