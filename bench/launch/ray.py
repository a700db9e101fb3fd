"""Run cells on a Ray cluster: one task per cell, repeated when its worker or its node dies.

A node that shares the run's folder writes results there; other nodes send them through Ray's
object store. The cluster is the user's: tunefair starts none, so it opens no port.
"""

import math
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..environment import memory
from ..schema import BadInputError
from . import parcel, worker
from .queue import Queue
from .worker import Job

RETRIES = 3
"""How often a task is made again after its worker or node died."""


@dataclass
class Running:
    """A cell that became a task, and the last progress that it reported."""

    job: Job
    fraction: float = 0.0
    words: str = "waiting for a node"
    started: float = math.inf
    """When a node began with it, by the launcher's clock."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a task ended."""

    reason: str = ""
    """Why it failed, "" if it did not."""
    code: int = 0
    """The exit code that a local worker would have had."""
    result: parcel.Parcel | None = None
    """The sealed folder, from a node that does not see the run's."""


@dataclass
class Launcher:
    """Turns every job that may run into a task, at most `most` at once."""

    address: str
    most: int | None = None
    timeout_seconds: float = math.inf
    """A cell that takes longer, loading included but not waiting for a node, fails."""
    watch: Callable[[Sequence[Running]], None] = lambda running: None
    finished: Callable[[Job, str], None] = lambda job, reason: None
    """Called with each job that ended and the reason it failed, "" if it did not."""
    _running: dict[Any, Running] = field(default_factory=dict)
    _ended: int = 0

    def launch(self, jobs: Sequence[Job]) -> None:
        """Run every job; a failure is reported to `finished` and stops only the job's followers.

        Raises
        ------
        BadInputError
            Ray is not installed or not to be reached, the first cell to end was refused, or one
            could not be written. Finished cells are kept.
        """
        ray = connect(self.address)
        beacon = jobs[0].destination.parent / f".seen-{uuid.uuid4().hex}"
        try:
            beacon.parent.mkdir(parents=True, exist_ok=True)
            beacon.touch()
            self._launch(ray, jobs, beacon)
        finally:
            beacon.unlink(missing_ok=True)
            ray.shutdown()

    def _launch(self, ray: Any, jobs: Sequence[Job], beacon: Path) -> None:
        queue, board = Queue(jobs), _board(ray)
        gpus = int(jobs[0].device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0)
        task = ray.remote(
            num_cpus=jobs[0].threads, num_gpus=gpus, max_retries=RETRIES, max_calls=1
        )(run_cell)
        task_file = ray.put(parcel.pack(jobs[0].task_file.parent))
        tokens = ray.put(parcel.pack(jobs[0].tokens_folder))
        while queue.unfinished:
            while self.most is None or len(self._running) < self.most:
                job = queue.take("cuda:0" if gpus else "cpu")
                if job is None:
                    break
                first = ray.put(parcel.pack(job.after) if job.after else None)
                self._running[task.remote(job, beacon, task_file, tokens, first, board)] = Running(
                    job
                )
            self._listen(ray, queue, board)

    def _listen(self, ray: Any, queue: Queue, board: Any) -> None:
        ready, _ = ray.wait(list(self._running), timeout=1)
        for reference in ready:
            one = self._running.pop(reference)
            self._end(one, _result(ray, reference), queue)
        with suppress(ray.exceptions.RayError):  # a board whose node died does not answer
            _update(self._running.values(), ray.get(board.read.remote(), timeout=5))
        self._end_overdue(ray, queue)
        self.watch(list(self._running.values()))

    def _end_overdue(self, ray: Any, queue: Queue) -> None:
        for reference, one in list(self._running.items()):
            if time.monotonic() - one.started > self.timeout_seconds:
                ray.cancel(reference, force=True)
                del self._running[reference]
                reason = worker.timed_out(self.timeout_seconds, one.fraction)
                self._end(one, Ended(reason=reason, code=1), queue)

    def _end(self, one: Running, ended: Ended, queue: Queue) -> None:
        if ended.code == worker.REFUSED and not self._ended:
            raise BadInputError(f"{one.job.cell.label}: {ended.reason}")
        if ended.code == worker.NO_ROOM:
            raise BadInputError(f"{ended.reason}; make room, and the same command goes on")
        if ended.result is not None:
            parcel.unpack(ended.result, one.job.destination)
        self._ended += 1
        for job, reason in queue.end(one.job, ended.reason):
            self.finished(job, reason)


def connect(address: str) -> Any:
    """Return ray, connected to the cluster at an address, its usage statistics switched off.

    Raises
    ------
    BadInputError
        No address, no ray, or no cluster there.
    """
    if not address:
        raise BadInputError("--launcher ray: give the cluster's --address, for example auto")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # without it Ray never gives up
    try:
        import ray
    except ModuleNotFoundError:
        raise BadInputError("--launcher ray: pip install 'tunefair[ray]'") from None
    try:
        # Ray's workers import from the current directory: let that be an empty one.
        with tempfile.TemporaryDirectory() as empty, chdir(empty):
            ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        line = memory.line(error)[:200]
        raise BadInputError(f"--address {address}: no Ray cluster answers ({line})") from None
    return ray


class Board:
    """The last progress that each running cell reported."""

    def __init__(self) -> None:
        self.progress: dict[str, tuple[float, str]] = {}

    def report(self, cell: str, fraction: float, words: str) -> None:
        """Store a cell's progress."""
        self.progress[cell] = (fraction, words)

    def read(self) -> dict[str, tuple[float, str]]:
        """Return each cell's progress, by its id."""
        return self.progress


def _update(running: Iterable[Running], progress: Mapping[str, tuple[float, str]]) -> None:
    for one in running:
        if one.job.cell.id in progress:
            one.fraction, one.words = progress[one.job.cell.id]
            one.started = min(one.started, time.monotonic())


def _board(ray: Any) -> Any:
    """Return a board on the launcher's own node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as Here

    here = Here(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0)(Board).options(scheduling_strategy=here).remote()


def _result(ray: Any, reference: Any) -> Ended:
    try:
        ended: Ended = ray.get(reference)
    except ray.exceptions.OutOfMemoryError:
        cause = "Ray killed its worker, and each that followed, because a node ran low on memory"
        return Ended(reason=f"{memory.REASON}: {cause}", code=1)
    except ray.exceptions.RayError as error:
        line = memory.line(error)[:200]
        return Ended(reason=f"died {RETRIES + 1} times: {type(error).__name__}: {line}", code=1)
    return ended


def run_cell(  # noqa: PLR0913, PLR0917 - Ray fetches each argument by itself
    job: Job,
    beacon: Path,
    task: parcel.Parcel,
    tokens: parcel.Parcel,
    first: parcel.Parcel | None,
    board: Any,
) -> Ended:
    """Train a cell in a process of its own on some node."""

    def progress(fraction: float, words: str) -> None:
        board.report.remote(job.cell.id, fraction, words)

    progress(0.0, "starting")
    with tempfile.TemporaryDirectory() as scratch:
        shared = beacon.exists()
        here = job if shared else _own(job, Path(scratch), _Inputs(task, tokens, first))
        reason, code = worker.attempt(here, progress)
        sent = code == 0 and here is not job
        return Ended(
            reason=reason, code=code, result=parcel.pack(here.destination) if sent else None
        )


class _Inputs(NamedTuple):
    """What a job reads, as it is sent."""

    task: parcel.Parcel
    tokens: parcel.Parcel
    first: parcel.Parcel | None


def _own(job: Job, scratch: Path, sent: _Inputs) -> Job:
    """Return the job with its inputs unpacked on this node's own storage."""
    parcel.unpack(sent.task, scratch / "task")
    parcel.unpack(sent.tokens, scratch / "tokens")
    if sent.first is not None:
        parcel.unpack(sent.first, scratch / "first")
    return replace(
        job,
        task_file=scratch / "task" / job.task_file.name,
        tokens_folder=scratch / "tokens",
        after=scratch / "first" if sent.first is not None else None,
        destination=scratch / "cells" / job.destination.name,
    )
