"""A strategy's code that ends its process, or never ends, is a failed cell; the rest goes on."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from tests import _house, _tiny, _workers
from tunefair.launch.local import Launcher
from tunefair.launch.slots import Slots
from tunefair.schema import CellFailedError
from tunefair.strategy import Strategy
from tunefair.training import second_stage

FILE = """
import os, sys, time
from dataclasses import dataclass
from tunefair.strategy import Strategy
@dataclass(frozen=True, kw_only=True)
class Own(Strategy):
    reference = "none"
    def {choice}(self, *given):
        {code}
"""
WAYS = {
    "leaves": ("adapt", "sys.exit()", "its code called sys.exit(None)"),
    "fails": ("objective", "sys.exit(2)", "its code called sys.exit(2)"),
    "quits": ("sampling_weights", "raise SystemExit('enough')", "sys.exit('enough')"),
    "vanishes": ("adapt", "os._exit(0)", "ended with exit code 0 before the cell was done"),
    "refuses": ("adapt", "os._exit(2)", "ended with exit code 2"),
    "fills": ("revise", "os._exit(4)", "ended with exit code 4"),
    "hangs": ("adapt", "time.sleep(600)", "timed out after 25 s (--cell-timeout) at 0% of its"),
}
AT_IMPORT = ("sys.exit()", "sys.exit(1)", "os._exit(0)", "raise SystemExit", "exit()")


def add(suite, name, text):
    (suite.parent / "mine" / f"{name}.py").write_text(text)
    suite.write_text(suite.read_text() + f"[strategies.{name}]\n")


@pytest.mark.slow
def test_every_way_to_end_a_process_fails_its_own_cell_alone(tmp_path):
    suite = _house.build(tmp_path, steps=1, own=False)
    for name, (choice, code, _) in WAYS.items():
        add(suite, name, FILE.format(choice=choice, code=code))
    only = ",".join(["full", *WAYS])
    done = _house.tunefair(
        *("run", suite, "--runs", tmp_path / "runs", "--only", only),
        *("--seeds", 1, "--jobs", 2, "--cell-timeout", 25),
    )
    assert done.returncode == 1, done.stderr
    assert "full · seed 0 finished" in done.stderr
    run = tmp_path / "runs" / "small"
    cells = json.loads((run / "report.json").read_text())["facts"]["cells"]
    reasons = {cell["strategy"]: cell["reason"] for cell in cells if cell["status"] == "failed"}
    assert reasons.keys() == WAYS.keys()
    for name, (_, _, reason) in WAYS.items():
        assert reason in reasons[name]


@pytest.mark.parametrize("code", AT_IMPORT)
def test_a_file_that_ends_the_process_when_imported_is_one_line(code, tmp_path):
    suite = _house.build(tmp_path, steps=1, own=False)
    add(suite, "ends", f"import os, sys\n{code}\n")
    done = _house.tunefair("plan", suite, "--runs", tmp_path / "runs")
    assert done.returncode == 2, done.stdout
    assert "ends.py: its code ends the process" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_worker_that_ignores_sigterm_is_killed_when_its_time_is_up(tmp_path):
    ended = {}
    began = time.monotonic()
    Launcher(
        slots=Slots(["cpu"]),
        finished=lambda job, reason: ended.update({job.cell.label: reason}),
        work=_workers.behave,
        preload=("tunefair.launch.worker",),
        timeout_seconds=15,
    ).launch([_workers.job(tmp_path, "stubborn")])
    assert ended == {"stubborn": "timed out after 15 s (--cell-timeout) at 50% of its budget"}
    assert time.monotonic() - began < 120  # it would sleep for ten minutes


class Peeks(Strategy):
    """Keeps what it was shown, and writes into it."""

    reference = "none"

    def revise(self, validation, predictions):
        SHOWN.append((validation.label.copy(), predictions.label.copy()))
        for table in (validation, predictions):
            table.label[:] = 0
            table.prediction[:] = 1 - table.prediction
        return predictions


class Forgets(Strategy):
    reference = "none"

    def revise(self, validation, predictions):
        return predictions.take(np.arange(3))


SHOWN: list = []


def test_what_revises_sees_the_labels_of_validation_alone(task, tokens, monkeypatch):
    cell = _tiny.cells("full", budget=("steps", 1))[0]
    trained = _tiny.run(cell, task, tokens)
    monkeypatch.setattr(type(cell), "strategy", lambda self: Peeks())
    SHOWN.clear()
    revised = second_stage.revised(cell, trained)
    truth = trained.validation.label
    assert len(SHOWN) == 1 + len(trained.test)
    assert all((validation == truth).all() for validation, _ in SHOWN)
    assert all((label == second_stage.UNKNOWN).all() for _, label in SHOWN)
    for view, table in revised.test.items():
        assert (table.label == trained.test[view].label).all()
        assert (table.prediction == 1 - trained.test[view].prediction).all()
    assert (revised.validation.label == truth).all()


def test_what_revises_may_not_leave_examples_out(task, tokens, monkeypatch):
    cell = replace(_tiny.cells("full", budget=("steps", 1))[0], use="forgets")
    trained = _tiny.run(_tiny.cells("full", budget=("steps", 1))[0], task, tokens)
    monkeypatch.setattr(type(cell), "strategy", lambda self: Forgets())
    with pytest.raises(CellFailedError, match="forgets: revise"):
        second_stage.revised(cell, trained)
