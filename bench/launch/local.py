"""Run cells on this machine: a worker process a cell, so a dying one harms only its own."""

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..environment import memory
from ..schema import BadInputError
from . import worker
from .queue import Queue
from .slots import Slots
from .worker import Job

_DYNAMIC_LINKER = 127
"""Exit code of a process whose dynamic linker gave up, which it does only for want of memory."""


@dataclass
class Running:
    """A worker at work, and the last thing it said."""

    job: Job
    process: BaseProcess
    pipe: Connection
    others: tuple[BaseProcess, ...] = ()
    """That train the same cell with it."""
    fraction: float = 0.0
    words: str = "starting"
    reason: str = ""
    kernel_kills: int = field(default_factory=memory.kernel_kills)
    """When it started, of the whole machine."""

    @property
    def abandoned(self) -> bool:
        """Whether another process of its cell was killed, so that it waits in vain."""
        return any((other.exitcode or 0) < 0 for other in self.others)

    def stop(self) -> None:
        """End all processes of the cell."""
        for process in (self.process, *self.others):
            process.terminate()
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
    """What a worker process does."""
    preload: tuple[str, ...] = ("tunefair.training.train",)
    """Imports of some seconds, paid once by the fork server."""
    _running: list[Running] = field(default_factory=list)
    _ended: int = 0

    def launch(self, jobs: Sequence[Job]) -> None:
        """Run every job; a failed one is told to `finished` and stops none but its followers.

        Raises
        ------
        BadInputError
            The first cell to end was refused, or one could not be written: so it would be with
            the others, and nothing is lost.
        """
        _limit_threads(jobs)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(self.preload))
        _start_fork_server()
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
        self._running.append(Running(job=job, process=process, pipe=ours, others=tuple(others)))

    def _listen(self, queue: Queue) -> None:
        ready = wait([o for r in self._running for o in (r.pipe, r.process.sentinel)], timeout=1)
        for one in list(self._running):
            if one.pipe in ready:
                _read(one)
            if one.abandoned:
                one.process.terminate()
            if one.process.sentinel in ready:
                self._end(one, queue)
        self.watch(self._running)

    def _end(self, one: Running, queue: Queue) -> None:
        one.process.join()
        _read(one)
        one.stop()
        one.pipe.close()
        self._running.remove(one)
        if one.process.exitcode == worker.REFUSED and not self._ended:
            raise BadInputError(f"{one.job.cell.label}: {one.reason}")
        if one.process.exitcode == worker.NO_ROOM:
            raise BadInputError(f"{one.reason}; make room, and the same command goes on")
        self._ended += 1
        for job, reason in queue.end(one.job, _verdict(one)):
            self.finished(job, reason)


def _start_fork_server() -> None:
    """Start it deaf to Ctrl-C, which a terminal sends to all: the launcher ends the workers.

    What is blocked here is blocked there for ever, and reaches the launcher when it is done.
    It starts with `python -c`, which would import from the current directory: a file there that
    is called torch.py is not ours to run.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    resource_tracker.ensure_running()  # else the fork server starts it, and that unblocks
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _read(one: Running) -> None:
    """Take in everything a worker said: its progress, or why it gives up."""
    with suppress(EOFError, OSError):
        while one.pipe.poll():
            message = one.pipe.recv()
            if isinstance(message, str):
                one.reason = message
            else:
                one.fraction, one.words = message


def _verdict(one: Running) -> str:
    code = one.process.exitcode
    if code == 0:
        return ""
    if code == -signal.SIGKILL and memory.kernel_kills() > one.kernel_kills:
        return f"{memory.REASON}: killed by the kernel at {one.fraction:.0%} of its budget"
    if one.abandoned and code != 1:
        return f"another of its processes was killed at {one.fraction:.0%} of its budget"
    if code is not None and code < 0:
        return f"killed by signal {-code} at {one.fraction:.0%} of its budget"
    if code == _DYNAMIC_LINKER and not one.reason:
        return f"{memory.REASON}: no room for a library at {one.fraction:.0%} of its budget"
    return one.reason or f"ended with exit code {code}"


def _limit_threads(jobs: Sequence[Job]) -> None:
    """Divide the machine before the fork server starts: libraries read these only once."""
    threads = str(jobs[0].threads if jobs else 1)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # else busy threads starve one another
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
