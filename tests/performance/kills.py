"""Kill a small run by SIGKILL again and again, resume it, and compare it with an undisturbed one.

    python -m tests.performance.kills [--kills 50] [--seed 0] [--victims launcher worker writer]

Victims are the launcher, a worker, and whoever writes (just before or after a rename or an
fsync). A run is killed and resumed until it ends by itself; then a fresh one takes its place.
Checkpoints are written as often as they can be. Prints a Markdown table.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.performance.campaign import Campaign, Tally, processes

WRITER = """
import os, signal
calls = 0
def deadly(call):
    def write(*arguments, **options):
        global calls
        calls += 1
        if calls == {last} and {before}:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*arguments, **options)
        if calls == {last}:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return write
for name in ("fsync", "rename", "replace"):
    setattr(os, name, deadly(getattr(os, name)))
"""


class Here(Campaign):
    """A run on this machine, which ends where it is killed."""

    def kill(self, victim: str) -> None:
        """Resume the run and kill a victim at a random moment; then see what is left."""
        before = self.cells()
        begun = time.monotonic()
        process, killed = getattr(self, f"kill_{victim}")()
        process.stderr.read()  # until the launcher and every orphan has ended
        process.wait()
        if not killed(process):
            self.ended(process.returncode)
            return
        tally = self.tallies.setdefault(victim, Tally())
        tally.kills += 1
        tally.seconds.append(time.monotonic() - begun)
        self.look(tally, before)

    def kill_launcher(self):
        process = self.start()
        try:
            process.wait(self.moment())
        except subprocess.TimeoutExpired:
            process.kill()
        return process, lambda ended: ended.returncode == -signal.SIGKILL

    def kill_worker(self):
        process, moment = self.start(), time.monotonic() + self.moment()
        hit = []
        while process.poll() is None:
            workers = workers_of(process.pid)
            if time.monotonic() > moment and workers:
                hit.append(int(self.rng.choice(workers)))
                os.kill(hit[0], signal.SIGKILL)
                break
            time.sleep(0.02)
        return process, lambda ended: bool(hit)

    def kill_writer(self):
        last, before = int(self.rng.integers(1, 60)), bool(self.rng.integers(2))
        place = self.home / "deadly"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(WRITER.format(last=last, before=before))
        path = f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        process = self.start(PYTHONPATH=path)
        return process, lambda ended: ended.returncode != 0

    def finish(self) -> None:
        """Let the last run end undisturbed, and judge it."""
        process = self.start()
        process.communicate()
        self.ended(process.returncode)


def workers_of(launcher: int) -> list[int]:
    """Return the processes that train: children of the launcher's fork server."""
    there = processes()
    servers = [p for p, (of, name) in there.items() if of == launcher and "forkserver" in name]
    return [p for p, (of, _) in there.items() if of in servers]


def main() -> None:
    """Kill, resume and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", nargs="+", default=["launcher", "worker", "writer"])
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        campaign = Here(Path(home), np.random.default_rng(wanted.seed))
        campaign.prepare()
        while sum(t.kills for t in campaign.tallies.values()) < wanted.kills:
            campaign.kill(str(campaign.rng.choice(wanted.victims)))
            print(campaign.table(), flush=True)
        campaign.finish()
        print(campaign.table())
        sys.exit(not campaign.lossless())


if __name__ == "__main__":
    main()
