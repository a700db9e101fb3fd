"""Workers: each cell in a process of its own, and a dying one harms only its own."""

import os

import pytest

from tests import _workers
from tunefair.launch.local import Launcher
from tunefair.launch.slots import Slots
from tunefair.schema import BadInputError


def launch(folder, labels, workers=2):
    ended, most = {}, 0

    def watch(running):
        nonlocal most
        most = max(most, len(running))

    Launcher(
        slots=Slots(["cpu"] * workers),
        watch=watch,
        finished=lambda job, reason: ended.update({job.cell.label: reason}),
        work=_workers.behave,
        preload=("tunefair.launch.worker",),
    ).launch([_workers.job(folder, label) for label in labels])
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


def test_a_first_cell_that_is_refused_ends_the_run_with_its_reason(tmp_path):
    with pytest.raises(BadInputError, match="refused: a budget too small"):
        launch(tmp_path, ["refused", "slow", "well"], workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_later_cell_that_is_refused_only_fails_itself(tmp_path):
    ended, _ = launch(tmp_path, ["well", "refused", "fine"], workers=1)
    assert ended == {"well": "", "refused": "a budget too small", "fine": ""}


def test_a_full_disk_ends_the_run_and_says_how_to_go_on(tmp_path):
    with pytest.raises(BadInputError, match="No space left on device; make room"):
        launch(tmp_path, ["well", "full", "fine"], workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["well"]


def test_cells_run_in_processes_of_their_own(tmp_path):
    launch(tmp_path, ["a", "b"], workers=1)
    pids = {(tmp_path / name).read_text() for name in ("a", "b")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_nothing_to_do_is_no_trouble(tmp_path):
    assert launch(tmp_path, []) == ({}, 0)


def test_cells_spread_over_devices(tmp_path):
    seen = []
    Launcher(
        slots=Slots(["cuda:0", "cuda:1"]),
        watch=lambda running: seen.append(sorted(r.job.device for r in running)),
        work=_workers.behave,
        preload=("tunefair.launch.worker",),
    ).launch([_workers.job(tmp_path, label) for label in ("slow", "slow2", "a", "b")])
    assert ["cuda:0", "cuda:1"] in seen
    assert all(len(devices) == len(set(devices)) for devices in seen)


@pytest.mark.parametrize(("peak", "fit"), [(2, 4), (30, 2), (79, 1)])
def test_a_first_cell_tells_how_many_fit(peak, fit):
    places = Slots(["cuda:0", "cuda:1"], grow=True)
    places.add(memory_bytes=80 * 2**30, peak_bytes=peak * 2**30)
    assert sorted(places.devices) == ["cuda:0"] * fit + ["cuda:1"] * fit
    assert not places.grow


@pytest.mark.parametrize("jobs", ["0", "-1", "two", ""])
def test_a_strange_number_of_jobs_is_refused(jobs):
    with pytest.raises(BadInputError, match="--jobs"):
        Slots.initial("cpu", jobs)


def test_one_cell_a_core_on_cpu():
    assert Slots.initial("cpu", "auto").devices == ["cpu"] * len(os.sched_getaffinity(0))
    assert Slots.initial("cpu", "3").devices == ["cpu"] * 3
