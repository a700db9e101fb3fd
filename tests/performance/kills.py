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
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench import files
from tests import _house

STEPS = 60
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


@dataclass
class Tally:
    """What came of killing one kind of victim."""

    kills: int = 0
    seconds: list[float] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    checkpoints: int = 0
    lost: int = 0
    torn: int = 0


@dataclass
class Campaign:
    """One suite, its undisturbed predictions, and a folder that is killed over and over."""

    home: Path
    rng: np.random.Generator
    more: tuple[str, ...] = ()
    reference: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 0
    unequal: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the suite and the undisturbed run."""
        self.suite = _house.build(self.home, steps=STEPS)
        begun = time.monotonic()
        text = self.suite.read_text()
        self.suite.write_text(text.replace("[strategies.own]", ""))
        done = _house.tunefair("run", self.suite, "--runs", self.home / "undisturbed", "--jobs", 2)
        if done.returncode:
            raise SystemExit(done.stderr)
        self.seconds = time.monotonic() - begun
        self.reference = _house.predictions(self.home / "undisturbed" / "small")
        self.fresh()

    def fresh(self) -> None:
        """Begin a run of its own folder."""
        self.runs += 1
        self.folder = self.home / f"runs{self.runs}"

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start or resume the run, all of its processes in a group of their own."""
        command = [sys.executable, "-m", "bench.cli", "run", str(self.suite), "--jobs", "2"]
        return subprocess.Popen(
            [*command, "--runs", str(self.folder), *self.more],
            env=os.environ | {"TUNEFAIR_CHECKPOINT_SECONDS": "0"} | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def cells(self) -> dict[str, bytes]:
        """Predictions of the finished cells; a folder that is none of these is torn."""
        found = _house.predictions(self.folder / "small")
        return {cell: content for cell, content in found.items() if not cell.startswith(".")}

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

    def look(self, tally: Tally, before: dict[str, bytes]) -> None:
        """Compare what is left with what was there and with the undisturbed run."""
        folders = [p for p in (self.folder / "small" / "cells").glob("[!.]*") if p.is_dir()]
        left = self.cells()
        tally.finished.append(len(left))
        tally.torn += sum(not files.is_sealed(f) for f in folders if f.name != "set-aside")
        tally.lost += sum(left.get(cell) != content for cell, content in before.items())
        tally.lost += sum(self.reference[cell] != content for cell, content in left.items())
        tally.checkpoints += len(list(self.folder.glob("small/cells/.*.checkpoints/[0-9]*")))

    def ended(self, code: int) -> None:
        """Judge a run that nothing killed this time; a failed cell of before is run again."""
        if code == 0:
            self.unequal += self.cells() != self.reference
            self.fresh()

    def moment(self) -> float:
        return float(self.rng.uniform(0, self.seconds))

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
    parent: dict[int, int] = {}
    command: dict[int, str] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            command[int(stat.parent.name)] = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        parent[int(stat.parent.name)] = int(fields[1])
    servers = [p for p, of in parent.items() if of == launcher and "forkserver" in command[p]]
    return [p for p, of in parent.items() if of in servers]


def table(campaign: Campaign) -> str:
    """Return what was found, as Markdown."""
    lines = [
        "| killed | kills | after (s) | cells finished then | checkpoints found | "
        "finished cells lost or changed | torn cells taken for finished |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for victim, t in campaign.tallies.items():
        after = f"{min(t.seconds):.1f}–{max(t.seconds):.1f}"
        finished = f"{np.mean(t.finished):.1f} of {len(campaign.reference)}"
        cells = (victim, t.kills, after, finished, t.checkpoints, t.lost, t.torn)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines.append(
        f"\n{campaign.runs - 1} runs ended in between, {campaign.unequal} of them with other "
        f"predictions than the undisturbed run (which took {campaign.seconds:.1f} s)."
    )
    return "\n".join(lines)


def main() -> None:
    """Kill, resume and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", nargs="+", default=["launcher", "worker", "writer"])
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        campaign = Campaign(Path(home), np.random.default_rng(wanted.seed))
        campaign.prepare()
        while sum(t.kills for t in campaign.tallies.values()) < wanted.kills:
            campaign.kill(str(campaign.rng.choice(wanted.victims)))
            print(table(campaign), flush=True)
        campaign.finish()
        print(table(campaign))
        good = all(t.lost == t.torn == 0 for t in campaign.tallies.values())
        sys.exit(not good or campaign.unequal > 0)


if __name__ == "__main__":
    main()
