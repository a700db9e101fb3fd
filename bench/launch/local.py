"""Run cells on this machine: one worker process per cell, so that a crash harms no other cell."""

import math
import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..environment import memory, processes
from ..schema import BadInputError
from ..storage import files
from . import worker
from .queue import Queue
from .slots import Slots
from .worker import Job

_DYNAMIC_LINKER = 127
"""Exit code of a process whose dynamic linker gave up, which it does only when memory is short."""
_GRACE_SECONDS = 5
"""How long a worker may take to end after SIGTERM."""


@dataclass
class Running:
    """A worker process, and the last progress that it reported."""

    job: Job
    process: BaseProcess
    pipe: Connection
    others: tuple[BaseProcess, ...] = ()
    """The further processes of the same cell."""
    fraction: float = 0.0
    words: str = "starting"
    reason: str = ""
    timeout_seconds: float = math.inf
    started: float = field(default_factory=time.monotonic)
    timed_out: bool = False
    """It was ended because it was overdue."""
    kernel_kills: int = field(default_factory=memory.kernel_kills)
    """The kernel's count for the whole machine when the worker started."""

    @property
    def abandoned(self) -> bool:
        """Whether another process of its cell was killed: it would wait for that one for ever."""
        return any((other.exitcode or 0) < 0 for other in self.others)

    @property
    def overdue(self) -> bool:
        """Whether it took longer than a cell may."""
        return time.monotonic() - self.started > self.timeout_seconds

    def stop(self) -> None:
        """End all processes of the cell, those that ignore SIGTERM too."""
        for process in (self.process, *self.others):
            process.terminate()
            process.join(_GRACE_SECONDS)
            process.kill()
            process.join()
        if self.job.meeting is not None:
            shutil.rmtree(self.job.meeting.parent, ignore_errors=True)


@dataclass
class Launcher:
    """Keeps a cell running in every slot and tells `watch` whenever something changed."""

    slots: Slots
    watch: Callable[[Sequence[Running]], None] = lambda running: None
    finished: Callable[[Job, str], None] = lambda job, reason: None
    """Called with each job that ended and the reason it failed, "" if it did not."""
    work: Callable[[Job, Connection], None] = worker.main
    """What a worker process runs."""
    timeout_seconds: float = math.inf
    """A cell that takes longer, loading included, fails."""
    preload: tuple[str, ...] = processes.PRELOAD
    """Modules that take seconds to import; the fork server imports them once."""
    _running: list[Running] = field(default_factory=list)
    _ended: int = 0

    def launch(self, jobs: Sequence[Job]) -> None:
        """Run every job; a failure is reported to `finished` and stops only the job's followers.

        Raises
        ------
        BadInputError
            The first cell to end was refused, or one could not be written: the others would end
            alike. Finished cells are kept.
        """
        context = processes.context(self.preload, jobs[0].threads if jobs else 1)
        queue = Queue(jobs)
        try:
            while queue.unfinished:
                while free := self._free():
                    job = queue.take(free[0])
                    if job is None:
                        break
                    self._start(job, context)
                self._listen(queue)
        finally:
            for one in self._running:
                one.stop()

    def _free(self) -> list[str]:
        """Return the devices of the slots that no cell occupies."""
        left = list(self.slots.devices)
        for one in self._running:
            if one.job.device in left:
                left.remove(one.job.device)
        return left

    def _start(self, job: Job, context: multiprocessing.context.BaseContext) -> None:
        ours, theirs = context.Pipe(duplex=False)
        others: list[BaseProcess] = []
        if job.processes > 1:
            job = replace(job, meeting=Path(tempfile.mkdtemp(prefix="tunefair-")) / "meeting")
            ranks = range(1, job.processes)
            others = [
                context.Process(target=worker.assist, args=(job, rank), daemon=True)  # type: ignore[attr-defined]
                for rank in ranks
            ]
        process = context.Process(target=self.work, args=(job, theirs), daemon=True)  # type: ignore[attr-defined]
        for each in (process, *others):
            each.start()
        theirs.close()
        running = Running(
            job=job,
            process=process,
            pipe=ours,
            others=tuple(others),
            timeout_seconds=self.timeout_seconds,
        )
        self._running.append(running)

    def _listen(self, queue: Queue) -> None:
        ready = wait([o for r in self._running for o in (r.pipe, r.process.sentinel)], timeout=1)
        for one in list(self._running):
            if one.pipe in ready:
                _read(one)
            if one.abandoned:
                one.process.terminate()
            if one.process.sentinel in ready:
                self._end(one, queue)
            elif one.overdue:
                one.timed_out = True
                one.stop()
                self._end(one, queue)
        self.watch(self._running)

    def _end(self, one: Running, queue: Queue) -> None:
        one.process.join()
        _read(one)
        one.stop()
        one.pipe.close()
        self._running.remove(one)
        stated = one.reason and not one.timed_out
        code = one.process.exitcode if stated else None  # a strategy may exit with any code
        if code == worker.REFUSED and not self._ended:
            raise BadInputError(f"{one.job.cell.label}: {one.reason}")
        if code == worker.NO_ROOM:
            raise BadInputError(f"{one.reason}; make room, and the same command goes on")
        self._ended += 1
        for job, reason in queue.end(one.job, _verdict(one)):
            self.finished(job, reason)


def _read(one: Running) -> None:
    """Read all messages of a worker: its progress, or why it failed."""
    with suppress(EOFError, OSError):
        while one.pipe.poll():
            message = one.pipe.recv()
            if isinstance(message, str):
                one.reason = message
            else:
                one.fraction, one.words = message


def _verdict(one: Running) -> str:
    """Return why a worker failed, "" if its cell is finished."""
    code = one.process.exitcode or 0
    if files.stands(one.job.destination):
        return ""
    if one.timed_out:
        return worker.timed_out(one.timeout_seconds, one.fraction)
    if code < 0 or (one.abandoned and code != 1):
        return _killed(one, -code)
    if code == _DYNAMIC_LINKER and not one.reason:
        return f"{memory.REASON}: no room for a library at {one.fraction:.0%} of its budget"
    before = "" if code else " before the cell was done"
    return one.reason or f"ended with exit code {code}{before}"


def _killed(one: Running, number: int) -> str:
    """Return in words who ended a worker by which signal."""
    at = f"at {one.fraction:.0%} of its budget"
    if number == signal.SIGKILL and memory.kernel_kills() > one.kernel_kills:
        return f"{memory.REASON}: killed by the kernel {at}"
    if one.abandoned:
        return f"another of its processes was killed {at}"
    return f"killed by signal {number} {at}"
