"""Processes that we start: the fork server, and processes with limits on memory and time.

A tokenizer or a configuration that others made can ask for any amount of both. It is read in a
process with limits, so that only that process ends.
"""

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from ..schema import BadInputError
from . import memory

PRELOAD = ("tunefair.training.train",)
"""Modules that take seconds to import; the fork server imports them once."""
_FREE_SHARE = 0.8
"""Of the memory that is free now, so much at most may be granted."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a process may take."""

    seconds: float
    memory_bytes: int
    """Besides what the process has when it starts; no file that it writes may be larger."""


def context(preload: Sequence[str] = PRELOAD, threads: int = 1) -> ForkServerContext:
    """Return what starts processes from a fork server, which is started if there is none yet."""
    _limit_threads(threads)
    started = multiprocessing.get_context("forkserver")
    started.set_forkserver_preload(list(preload))
    _start_fork_server()
    return started


def _limit_threads(threads: int) -> None:
    """Set the number of threads before the fork server starts: libraries read it only once."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin slow the others down
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _start_fork_server() -> None:
    """Start the fork server so that it ignores Ctrl-C: the launcher ends the workers.

    A terminal sends Ctrl-C to all processes. A signal that is blocked while the fork server
    starts stays blocked in it and in its workers. The fork server starts with `python -c`, which
    would import from the current directory, where a file may be called torch.py.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    resource_tracker.ensure_running()  # else the fork server starts it, and that unblocks
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def limited(
    function: Callable[..., Any],
    *arguments: Any,
    limits: Limits,
    where: str,
    preload: Sequence[str] = PRELOAD,
) -> Any:
    """Return what a function returns that runs in a process of its own, within limits.

    Parameters
    ----------
    function, arguments : both, and the result, can be pickled; the function's module is ours
    where : the input that is read, for messages
    preload : modules that the fork server imports once, if it is not started yet

    Raises
    ------
    BadInputError
        The function raises, takes more than it may, or ends its process.
    """
    started = context(preload)
    ours, theirs = started.Pipe(duplex=False)
    granted = min(limits.memory_bytes, int(_FREE_SHARE * memory.available_bytes()))
    process = started.Process(
        target=_child, args=(theirs, granted, where, function, arguments), daemon=True
    )
    process.start()
    theirs.close()
    try:
        in_time = ours.poll(limits.seconds)
        reason, result = _received(ours) if in_time else ("", None)
    finally:
        process.kill()
        process.join()
        ours.close()
    if reason is None:
        return result
    if not in_time:
        reason = f"{where}: reading it takes more than {limits.seconds:g} s; it is refused"
    raise BadInputError(reason or _unexplained(where, process.exitcode, granted))


def _received(pipe: Connection) -> tuple[str | None, Any]:
    """Return why a process failed and None, or None and its result; "" if it did not say."""
    try:
        received: tuple[str | None, Any] = pipe.recv()
    except (EOFError, OSError):
        return "", None
    return received


def _unexplained(where: str, code: int | None, granted: int) -> str:
    """Return that a process ended without a reason; libraries abort when memory runs out."""
    if code == -signal.SIGABRT:
        return _too_much(where, granted)
    return f"{where}: the process that reads it ended with exit code {code}; it is refused"


def _too_much(where: str, granted: int) -> str:
    amount = f"{granted / 2**30:.1f} GiB of memory"
    return f"{where}: reading it takes more than {amount}; it is refused"


def _child(
    pipe: Connection,
    granted: int,
    where: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    """Run a function; send why it failed and None, or None and its result."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if not os.environ.get("TUNEFAIR_TRACEBACK"):
        _silence()  # a library that aborts prints a trace; the caller says why in one line
    allowed = _address_space() + granted
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_FSIZE, (granted, granted))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        result = function(*arguments)
    except BaseException as error:  # the tokenizers' panics are no Exceptions
        if os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        with suppress(BaseException):
            pipe.send((_reason(error, where, granted), None))
        sys.exit(1)
    pipe.send((None, result))


def _silence() -> None:
    """Let nothing more be printed by this process, by libraries in other languages too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _reason(error: BaseException, where: str, granted: int) -> str:
    if isinstance(error, BadInputError):
        return str(error)
    if memory.ran_out(error):
        return _too_much(where, granted)
    return f"{where}: {type(error).__name__}: {memory.line(error)[:300]}"


def _address_space() -> int:
    """Return the bytes of address space that this process has (Linux), else its memory."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
