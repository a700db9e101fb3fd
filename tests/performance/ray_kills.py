"""Kill workers and nodes of a Ray cluster under a small run, which must end as if nothing was.

    python -m tests.performance.ray_kills [--kills 20] [--seed 0] [--victims worker node]

Two nodes on loopback, in a network namespace; SIGKILL at random moments at which the victim
trains a cell, as long as the run lasts. A node is killed by its raylet; another takes its place.
Each run must end by itself, with the predictions of the local launcher. Prints a Markdown table.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests import _cluster
from tests.performance.campaign import Campaign, Tally, lost, processes

PATIENCE_SECONDS = 300


@dataclass(kw_only=True)
class OnRay(Campaign):
    """Runs on a cluster, one after another, each of which outlives a kill."""

    cluster: _cluster.Cluster
    more: tuple[str, ...] = ("--launcher", "ray", "--address", _cluster.ADDRESS)
    took: list[float] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)

    def round(self, victim: str = "", most: int = 0) -> None:
        """Begin a run, kill victims while it lasts, and judge what became of it."""
        begun = time.monotonic()
        process = self.start()
        held: dict[str, bytes] = {}
        tally = self.tallies.get(victim, Tally())
        earlier = tally.kills
        while tally.kills < most and self.strike(process, victim):
            self.tallies[victim] = tally
            tally.kills += 1
            tally.seconds.append(time.monotonic() - begun)
            self.look(tally, held)
            print(self.table(), flush=True)
            held = self.cells()
            if victim == "node":
                self.cluster.add()
        self.judge(process)
        tally.lost += lost(held, self.cells())
        self.took.append(time.monotonic() - begun)
        if tally.kills == earlier:
            self.seconds = self.took[-1]  # the machine may be busier or freer than it was
        self.fresh()

    def strike(self, process: subprocess.Popen[str], victim: str) -> bool:
        """Wait for a moment and kill a victim; False: the run ended before."""
        moment = time.monotonic() + self.moment()
        while process.poll() is None:
            found = getattr(self, f"{victim}s")() if time.monotonic() > moment else []
            if found:
                os.kill(int(self.rng.choice(found)), signal.SIGKILL)
                return True
            time.sleep(0.02)
        return False

    def workers(self) -> list[int]:
        """Return the processes that train a cell."""
        return [pid for pid, (_, command) in processes().items() if _trains(command)]

    def nodes(self) -> list[int]:
        """Return the raylet of the newest node if it trains a cell."""
        there = processes()
        busy = {parent for parent, command in there.values() if _trains(command)}
        address = f"--node_ip_address={self.cluster.newest}"
        return [p for p in busy if p in there and address in there[p][1]]

    def judge(self, process: subprocess.Popen[str]) -> None:
        """Wait for the run's end and compare all predictions."""
        try:
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        if process.returncode:
            self.unended.append(f"run {self.runs}, code {process.returncode}: {said[-2000:]}")
        self.unequal += self.cells() != self.reference

    def table(self) -> str:
        """Return what was found, as Markdown."""
        took = ", ".join(f"{seconds:.0f}" for seconds in self.took)
        return (
            f"{super().table()} They took {took} s; "
            f"{len(self.unended)} did not end well. {' '.join(self.unended)}"
        )


def _trains(command: str) -> bool:
    return command.startswith("ray::run_cell")


def inside(kills: int, seed: int, victims: list[str]) -> int:
    """Kill so many of each kind of victim and tell."""
    os.environ["TUNEFAIR_CHECKPOINT_SECONDS"] = "0"  # the nodes hand it to their workers
    campaign = OnRay(Path.home(), np.random.default_rng(seed), cluster=_cluster.Cluster())
    campaign.prepare()
    campaign.round()
    for victim in victims:
        while victim not in campaign.tallies or campaign.tallies[victim].kills < kills:
            campaign.round(victim, kills)
            print(campaign.table(), flush=True)
    return int(not campaign.lossless() or bool(campaign.unended))


def main() -> None:
    """Go where only this cluster is, and kill there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", nargs="+", default=["worker", "node"])
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        sys.exit(inside(wanted.kills, wanted.seed, wanted.victims))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the cluster is cleared away
    if why_not := _cluster.why_not():
        sys.exit(why_not)
    again = (sys.executable, "-m", "tests.performance.ray_kills", *sys.argv[1:], "--inside")
    sys.exit(_cluster.alone(*again).returncode)


if __name__ == "__main__":
    main()
