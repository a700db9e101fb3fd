"""Workers that end in every way a worker can; importable by a process of its own."""

import os
import resource
import signal
import time
from pathlib import Path
from types import SimpleNamespace

from tunefair.launch import worker
from tunefair.launch.worker import Job


def behave(job, pipe):
    """Do what the job's cell is called."""
    name = job.cell.label
    pipe.send((0.5, "half"))
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "exits":
        os._exit(3)
    if name == "explains":
        pipe.send("out of memory at 32 rows")
        os._exit(1)
    if name == "refused":
        pipe.send("a budget too small")
        os._exit(2)
    if name == "full":
        pipe.send("cells: No space left on device")
        os._exit(4)
    if name == "slow":
        time.sleep(0.5)
    if name == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    job.destination.write_text(str(os.getpid()))


def job(folder, label):
    """A job of a cell that is called `label`."""
    return Job(
        cell=SimpleNamespace(label=label, id=label, seed=0),
        task_file=folder,
        tokens_folder=folder,
        destination=folder / label,
    )


def with_little_memory(job, pipe):
    """Train with less than a batch of tens of thousands needs."""
    _within(2**30, job, pipe)


def with_no_memory(job, pipe):
    """Train with nothing to spare."""
    _within(2**20, job, pipe)


def _within(more, job, pipe):
    import tunefair.training.train  # noqa: F401 - what is imported is not what runs out

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
    worker.main(job, pipe)
