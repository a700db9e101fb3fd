"""A small run that is killed over and over: what must be left of it, and what was found."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests import _house
from tunefair.storage import files

STEPS = 60


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
    more: tuple[str, ...] = ("--jobs", "2")
    reference: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 0
    unequal: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the suite and the undisturbed run, by the local launcher."""
        self.suite = _house.build(self.home, steps=STEPS, own=False)
        begun = time.monotonic()
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
        command = [sys.executable, "-m", "tunefair", "run", str(self.suite), *self.more]
        return subprocess.Popen(
            [*command, "--runs", str(self.folder)],
            env=os.environ | {"TUNEFAIR_CHECKPOINT_SECONDS": "0"} | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def moment(self) -> float:
        """Draw how many seconds to wait before a kill."""
        return float(self.rng.uniform(0, self.seconds))

    def cells(self) -> dict[str, bytes]:
        """Predictions of the finished cells."""
        found = self.folder.glob("small/cells/[!.]*/predictions.parquet")
        return {path.parent.name: path.read_bytes() for path in found}

    def look(self, tally: Tally, before: dict[str, bytes]) -> None:
        """Compare what is left with what was there and with the undisturbed run."""
        folders = [p for p in (self.folder / "small" / "cells").glob("[!.]*") if p.is_dir()]
        left = self.cells()
        tally.finished.append(len(left))
        tally.torn += sum(not files.is_sealed(f) for f in folders if f.name != "set-aside")
        tally.lost += lost(before, left) + lost(left, self.reference)
        with suppress(FileNotFoundError):  # a run that lives on removes them meanwhile
            tally.checkpoints += len(list(self.folder.glob("small/cells/.*.checkpoints/[0-9]*")))

    def ended(self, code: int) -> None:
        """Judge a run that nothing killed this time; a failed cell of before is run again."""
        if code == 0:
            self.unequal += self.cells() != self.reference
            self.fresh()

    def lossless(self) -> bool:
        """Whether nothing was lost, torn or changed."""
        return self.unequal == 0 and all(t.lost == t.torn == 0 for t in self.tallies.values())

    def table(self) -> str:
        """Return what was found, as Markdown."""
        lines = [
            "| killed | kills | after (s) | cells finished then | checkpoints found | "
            "finished cells lost or changed | torn cells taken for finished |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for victim, t in self.tallies.items():
            after = f"{min(t.seconds):.1f}–{max(t.seconds):.1f}"
            finished = f"{np.mean(t.finished):.1f} of {len(self.reference)}"
            cells = (victim, t.kills, after, finished, t.checkpoints, t.lost, t.torn)
            lines.append(f"| {' | '.join(map(str, cells))} |")
        lines.append(
            f"\n{self.runs - 1} runs ended by themselves, {self.unequal} of them with other "
            f"predictions than the undisturbed run (which took {self.seconds:.1f} s)."
        )
        return "\n".join(lines)


def lost(before: dict[str, bytes], after: dict[str, bytes]) -> int:
    """Return how many cells are no longer what they were."""
    return sum(after.get(cell) != content for cell, content in before.items())


def processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of every process that can be seen."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            found[int(stat.parent.name)] = parent, (stat.parent / "cmdline").read_text()
        except OSError:  # it ended meanwhile
            continue
    return found
