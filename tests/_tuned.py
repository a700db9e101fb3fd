"""A small suite with a search, run in this process: every cell one after the other."""

import math
from pathlib import Path

from tests import _house, _in_process
from tunefair.storage import files

TUNING = "[tuning]\ntrials = 4\nselection = 'validation_log_loss'\n"


def build(folder: Path, tuning: str = TUNING, strategies: str = "[strategies.full]\n") -> Path:
    """Write the small suite with a table [tuning] and these strategies; return its file."""
    file = _house.build(folder, steps=4)
    text = file.read_text()
    text = text[: text.index("[strategies.full]")] + strategies
    file.write_text(text.replace("[audit]", f"{tuning}[audit]").replace("[0, 1]", "[0]"))
    return file


class Killed(BaseException):
    """Nothing catches it: what stands on the disk now is all that is left."""


def run(
    file: Path, *, only: tuple[str, ...] = (), reports: float = math.inf
) -> tuple[list[str], str]:
    """Run a suite; return the labels of the cells that were trained, and what was said.

    After so many `reports` of progress the run is killed.
    """
    left = [reports]

    def report(fraction: float, words: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    trained, said, _ = _in_process.run(file, only=only, report=report)
    return [job.cell.label for job in trained], said


def record(file: Path) -> dict:
    """Return the run's tuning.json."""
    return files.read_json(file.with_name("runs") / "small" / "tuning.json")
