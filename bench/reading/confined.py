"""Run a reader of untrusted files in a process that may take little memory and time.

What a compressed file says of its own size can be a lie, so it is not believed: the reader runs
in a child with limits on memory, processor time and the size of what it writes, and hands the
table back as an Arrow file. Python and Arrow are started once; each reading is a fork of that
process, which takes about ten milliseconds.
"""

import atexit
import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..schema import BadInputError
from .unpacked import MOST as _MOST

_MEMORY_BYTES = 2**30  # above what Python and Arrow take, and more for a large file
_SECONDS = 30.0  # of processor time, and more for a large file
_BYTES_A_SECOND = 5e6  # what the slowest honest file is read at
_WAITS = 4  # times the processor time, for a busy machine
_OK, _REFUSED = "ok", "refused"
_MAIN = "from tunefair.reading import confined; confined.serve()"
Reader = Callable[[Path, Sequence[str]], pa.Table]


class Server:
    """The process that readings are forked from; started by the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def read(self, path: Path, columns: Sequence[str]) -> pa.Table:
        """Return columns of a Parquet file.

        Raises
        ------
        BadInputError
            It cannot be read, or not within the memory and the time that a file of its size needs.
        """
        with tempfile.TemporaryDirectory(prefix="tunefair-") as folder, self._lock:
            out = Path(folder) / "table.arrow"
            request = {"path": str(path), "columns": [*columns], "out": str(out)}
            outcome, message = self._ask(request, _seconds(path) * _WAITS)
            if outcome != _OK:
                raise BadInputError(message)
            with pa.memory_map(str(out)) as mapped:
                return pa.ipc.open_file(mapped).read_all()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None and self._owner == os.getpid():
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process = None

    def _ask(self, request: dict[str, Any], seconds: float) -> tuple[str, str]:
        process = self._started()
        question, reply = process.stdin, process.stdout
        if question is None or reply is None:  # both are pipes
            raise OSError("no pipe to the reading process")
        question.write(json.dumps(request) + "\n")
        question.flush()
        ready, _, _ = select.select([reply], [], [], seconds)
        answer = reply.readline() if ready else ""
        if not answer:
            self.stop()
            return _REFUSED, f"{request['path']}: reading takes longer than {seconds:.0f} s"
        outcome, message = json.loads(answer)
        return outcome, message

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            pool = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env=os.environ | quiet | pool,
            )
            self._owner = os.getpid()
        return self._process


_server = Server()
atexit.register(_server.stop)
read = _server.read


def serve() -> None:
    """Answer requests, one a line, until the input ends; what the child process runs."""
    from . import parquet_tables

    for line in sys.stdin:
        request = json.loads(line)
        answer = _forked(request, parquet_tables.read)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _forked(request: dict[str, Any], reader: Reader) -> tuple[str, str]:
    """Read in a fork of this process, and say how it ended."""
    path = Path(request["path"])
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        answer = _limited(path, request, reader)
        os.write(into, json.dumps(answer).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        written = pipe.read()
    _, status = os.waitpid(child, 0)
    if written:
        outcome, message = json.loads(written)
        return outcome, message
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return _REFUSED, f"{path}: reading takes longer than {_seconds(path):.0f} s"
    return _REFUSED, _out_of_memory(path)


def _limited(path: Path, request: dict[str, Any], reader: Reader) -> tuple[str, str]:
    """Read within the limits, and write the table."""
    try:
        _set_limits(path)
        table = reader(path, request["columns"])
        with pa.OSFile(request["out"], "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)
    except BadInputError as error:
        return _REFUSED, str(error)
    except BaseException as error:  # whatever happens is told: there is nobody to raise it to
        return _REFUSED, _reason(path, error)
    return _OK, ""


def _reason(path: Path, error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: {error.strerror}"
    text = str(error)
    if isinstance(error, MemoryError) or "alloc" in text or "memory" in text:
        return _out_of_memory(path)
    if isinstance(error, pa.ArrowException | OSError):
        return f"{path}: not a complete Parquet file; write it again"
    return f"{path}: cannot be read ({type(error).__name__})"


def _set_limits(path: Path) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    memory = _memory(path)
    seconds = int(_seconds(path))
    for kind, limit in (
        (resource.RLIMIT_AS, taken + memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (limit if most < 0 else min(limit, most), most))
    pa.set_cpu_count(1)  # each thread would take memory of its own
    pa.set_io_thread_count(1)


def _memory(path: Path) -> int:
    return max(_MEMORY_BYTES, 3 * _MOST * path.stat().st_size)


def _seconds(path: Path) -> float:
    return float(_SECONDS + path.stat().st_size / _BYTES_A_SECOND)


def _out_of_memory(path: Path) -> str:
    return (
        f"{path}: {path.stat().st_size} bytes that take more than {_memory(path) / 2**30:.0f} GiB "
        "of memory to read; write it again, for example as CSV"
    )
