"""Workers: each cell in a process of its own, and a dying one harms only its own."""

import os
from types import SimpleNamespace

from bench.launch.local import Launcher
from bench.worker import Job
from tests import _workers


def job(folder, label):
    return Job(
        cell=SimpleNamespace(label=label, id=label, seed=0),
        task_file=folder,
        tokens_folder=folder,
        destination=folder / label,
    )


def launch(folder, labels, workers=2):
    ended, most = {}, 0

    def watch(running):
        nonlocal most
        most = max(most, len(running))

    Launcher(
        workers=workers,
        watch=watch,
        finished=lambda job, reason: ended.update({job.cell.label: reason}),
        work=_workers.behave,
        preload=(),
    ).launch([job(folder, label) for label in labels])
    return ended, most


def test_every_way_to_die_is_told_and_harms_no_other(tmp_path):
    labels = ["well", "killed", "exits", "explains", "slow", "fine"]
    ended, most = launch(tmp_path, labels)
    assert ended == {
        "well": "",
        "slow": "",
        "fine": "",
        "killed": "killed by signal 9 at 50% of its budget",
        "exits": "ended with exit code 3",
        "explains": "out of memory at 32 rows",
    }
    assert most <= 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fine", "slow", "well"]


def test_cells_run_in_processes_of_their_own(tmp_path):
    launch(tmp_path, ["a", "b"], workers=1)
    pids = {(tmp_path / name).read_text() for name in ("a", "b")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_nothing_to_do_is_no_trouble(tmp_path):
    assert launch(tmp_path, []) == ({}, 0)
