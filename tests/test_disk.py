"""A disk that fills up, is read-only or damaged, and a clock that goes back: nothing is lost."""

import errno
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests import _house, _models, _runs, _tiny
from tunefair.gating import baseline, snapshot
from tunefair.launch import worker
from tunefair.storage import files, records, run_folder

WRITING = (
    (tempfile, "mkstemp"), (tempfile, "mkdtemp"), (os, "fsync"), (os, "mkdir"),
    (Path, "chmod"), (Path, "rename"), (Path, "replace"),
)  # fmt: skip


class FullDisk:
    """Lets so many writing calls pass and fails every later one."""

    def __init__(self, monkeypatch, left):
        self.left = left
        for owner, name in WRITING:
            monkeypatch.setattr(owner, name, self.guarded(getattr(owner, name)))

    def guarded(self, call):
        def guard(*arguments, **options):
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **options)

        return guard


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What a cell leaves behind."""
    rng = np.random.default_rng(0)
    test = _models.examples(120, rng)
    folder = tmp_path_factory.mktemp("run")
    _runs.write(folder, [_models.strategy(test, rng, seeds=1)])
    return records.read_outcome(run_folder.cell_folder(folder, "full-0")), folder


@pytest.mark.parametrize("left", range(40))
def test_a_cell_is_whole_or_absent_whichever_write_fails(left, outcome, tmp_path, monkeypatch):
    cell = tmp_path / "cells" / "one"
    fill = partial(records.write_outcome, outcome=outcome[0])
    with monkeypatch.context() as patch:
        disk = FullDisk(patch, left)
        try:
            files.write_sealed(cell, fill)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            assert not cell.exists()
        else:
            assert files.is_sealed(cell)
            assert disk.left >= 0
    files.write_sealed(cell, fill)
    assert files.is_sealed(cell)
    assert [p.name for p in cell.parent.iterdir()] == ["one"]


def test_the_forty_failures_cover_every_write(outcome, tmp_path, monkeypatch):
    disk = FullDisk(monkeypatch, 1000)
    files.write_sealed(
        tmp_path / "cells" / "one", partial(records.write_outcome, outcome=outcome[0])
    )
    assert 10 < 1000 - disk.left < 40


@pytest.mark.parametrize("left", range(0, 60, 3))
def test_a_baseline_stays_the_old_one_or_becomes_the_new(left, outcome, tmp_path, monkeypatch):
    run_of = snapshot.of_run(outcome[1])
    kept, folder = baseline.Baseline(snapshot=run_of), tmp_path / "base"
    baseline.write(folder, kept, [])
    with monkeypatch.context() as patch:
        FullDisk(patch, left)
        try:
            baseline.write(folder, kept, [])
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        if not folder.exists():  # the disk was full even for putting the old one back
            assert files.is_sealed(tmp_path / ".base.old")
    assert not folder.exists() or files.is_sealed(folder)
    baseline.write(folder, kept, [])
    assert baseline.read(folder).snapshot.facts.suite == run_of.facts.suite
    assert [p.name for p in tmp_path.iterdir()] == ["base"]


def test_a_worker_without_room_says_so(tmp_path, monkeypatch):
    said = []
    pipe = type("Pipe", (), {"send": lambda self, message: said.append(message)})()

    def full(job, progress):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(worker, "execute", full)
    job = worker.Job(
        cell=_tiny.cells("full")[0],
        task_file=tmp_path,
        tokens_folder=tmp_path,
        destination=tmp_path / "cells" / "x",
    )
    with pytest.raises(SystemExit) as ended:
        worker.main(job, pipe)
    assert ended.value.code == worker.NO_ROOM
    assert said == [f"{tmp_path / 'cells'}: No space left on device"]


def test_a_damaged_folder_is_set_aside_when_it_is_written_again(tmp_path):
    folder = tmp_path / "task"
    files.write_sealed(folder, lambda draft: files.write(draft / "a", "1"))
    (folder / "a").write_text("2")
    files.write_sealed(folder, lambda draft: files.write(draft / "a", "1"))
    assert files.is_sealed(folder)
    assert (tmp_path / "set-aside" / "task-1" / "a").read_text() == "2"


def test_a_damaged_yardstick_or_prepared_task_is_made_again(tmp_path):
    suite = _house.build(tmp_path, steps=1)
    suite.write_text(suite.read_text().replace("[strategies.own]", ""))
    command = ("run", suite, "--runs", tmp_path / "runs", "--seeds", "1", "--only", "full")
    assert _house.tunefair(*command).returncode == 0
    damaged = [
        *(tmp_path / "runs" / "small" / "yardsticks").glob("majority*/predictions.parquet"),
        *(tmp_path / "runs" / ".cache").glob("task-*/task.parquet"),
    ]
    assert len(damaged) == 2
    before = [path.read_bytes() for path in damaged]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-1])
    again = _house.tunefair(*command)
    assert again.returncode == 0, again.stderr
    assert [path.read_bytes() for path in damaged] == before
    assert len(list(tmp_path.glob("runs/**/set-aside/*"))) == 2


@pytest.mark.parametrize("runs", ["/proc/runs", "{file}"])
def test_a_folder_that_cannot_be_written_is_one_line(runs, tmp_path):
    (tmp_path / "file").write_text("")
    suite = _house.build(tmp_path)
    done = _house.tunefair("run", suite, "--runs", runs.format(file=tmp_path / "file"))
    assert done.returncode == 2
    assert "choose another folder with --runs" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_clock_that_goes_back_changes_nothing(tmp_path, monkeypatch):
    task = _tiny.task(n=32)
    tokens = _tiny.encoded(task, tmp_path / "tokens")
    cell = _tiny.cells("full", budget=("seconds", 0.3))[0]
    hours = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: next(hours))
    outcome = _tiny.run(cell, task, tokens)
    assert outcome.ledger.seconds >= 0.3
    assert outcome.ledger.steps >= 1
    fractions = [point.fraction for point in outcome.curve]
    assert fractions == sorted(fractions)
