"""Workers that end in every way a worker can; importable by a process of its own."""

import os
import signal
import time


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
    job.destination.write_text(str(os.getpid()))
