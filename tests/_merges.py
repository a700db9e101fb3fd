"""Merges: a project with a real tiny model, a baseline of it, and changes that somebody makes."""

import csv
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from tests import _house, _in_process, _tiny
from tunefair.cli import app as command_line
from tunefair.schema import BadInputError

SUITE = """
name = "small"
seeds = [0, 1, 2]
yardsticks = ["tfidf"]
strategy_path = ["mine"]
[task]
source = "files"
path = "planted.csv"
groups = ["group", "second"]
split = "split"
id = "id"
[model]
source = "{model}"
max_tokens = 32
[budget]
currency = "steps"
amount = 120
[training]
batch_size = 32
learning_rate = 3e-3
[audit]
audits = ["accuracy", "group_fairness"]
replicates = 200
intersections = [["group", "second"]]
[strategies.full]
[strategies.own]
{rules}
"""
RULES = """
[[gate]]
metric = "true_positive_rate"
attribute = "*"
group = "*"
max_loss = 0.10
"""
"""About groups alone, so that a setting which hides groups would hide everything."""
OWN = """
import os, sys, time
from dataclasses import dataclass, replace
import numpy as np
import torch
from tunefair.strategy import Strategy
@dataclass(frozen=True, kw_only=True)
class Own(Strategy):
    reference = "none"
    needs_groups_in = frozenset({{"inference"}})
{choice}
"""
GOOD = """
    def revise(self, validation, predictions):  # changes nothing; it shares the training of full
        return predictions
"""
WORSE = """
    def revise(self, validation, predictions):  # in group a, a third of the positives is missed
        missed = (np.arange(len(predictions.prediction)) % 3 == 0) & (predictions.prediction == 1)
        missed &= predictions.groups["group"] == "a"
        chances = predictions.probability
        return predictions.with_probability(np.where(missed[:, None], chances[:, ::-1], chances))
"""
COLLAPSES = """
    def sampling_weights(self, train):  # these seeds see one class only
        odds = (train.label == 1).astype(float)
        return odds if torch.initial_seed() in {seeds} else None
"""


def build(folder: Path) -> Path:
    """Write data, suite and a strategy of one's own; return the folder."""
    folder.mkdir(parents=True)
    of = _tiny.task(n=400, aligned=0.6)
    second = [str(len(text) % 2) for text in of.text]
    with (folder / "planted.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "group", "second", "split"])
        columns = (of.example_id, of.text, of.label, of.groups["group"], second, of.split)
        writer.writerows(zip(*columns, strict=True))
    (folder / "mine").mkdir()
    own(folder, GOOD)
    (folder / "small.toml").write_text(SUITE.format(model=_tiny.model_folder(), rules=RULES))
    return folder


def own(project: Path, choice: str) -> None:
    """Change the strategy."""
    (project / "mine" / "own.py").write_text(OWN.format(choice=choice))


def edit(file: Path, *changes: tuple[str, str]) -> None:
    """Change a file; what is to be changed must be there."""
    text = file.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


def copy(project: Path, to: Path) -> Path:
    """Return a copy that a test may corrupt."""
    return Path(shutil.copytree(project, to))


@contextmanager
def at_home() -> Iterator[None]:
    """Train cells in this process, and write no page."""
    with _in_process.launcher(), mock.patch.object(command_line, "_report"):
        yield


def called(project: Path, *arguments: object) -> tuple[int, str]:
    """Call the command line in the project's folder; return its exit code and all it said."""
    before = Path.cwd()
    for name in [n for n in sys.modules if n.startswith("user_plugin_")]:
        del sys.modules[name]  # each command is a process of its own, which reads files again
    os.chdir(project)
    try:
        made = CliRunner().invoke(command_line.app, list(map(str, arguments)))
    finally:
        os.chdir(before)
    if isinstance(made.exception, BadInputError):
        return 2, f"tunefair: {made.exception}"  # as tunefair.cli.app.main has it
    if made.exception is not None and not isinstance(made.exception, SystemExit):
        raise made.exception
    return made.exit_code, " ".join(made.output.split())


def run(project: Path, *more: object, code: int = 0) -> str:
    """Run the suite, each cell in this process; return what was said."""
    with at_home(), _tiny.frozen_heap():
        found, said = called(project, "run", "small.toml", *more)
    assert found == code, said
    return said


def run_as_jobs_do(project: Path, *more: object, code: int = 0) -> str:
    """Run the suite in processes of its own."""
    done = _house.tunefair("run", "small.toml", "--jobs", "2", *more, cwd=project)
    assert done.returncode == code, done.stderr
    return done.stderr


def gate(project: Path, *more: object) -> tuple[int, str]:
    """Judge the project's run against its committed baseline."""
    return called(project, "gate", "runs/small", "--baseline", "baseline", *more)
