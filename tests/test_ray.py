"""Cells on a Ray cluster: the same predictions, whether a node sees the run's folder or not."""

import shutil
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests import _cluster, _house, _tiny
from tunefair.launch import parcel, ray, worker
from tunefair.launch.queue import Queue
from tunefair.launch.worker import Job
from tunefair.schema import BadInputError
from tunefair.storage import files, records

WHY_NOT = _cluster.why_not()
needs_cluster = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A job whose inputs lie in sealed folders, and its outcome, trained here."""
    folder = tmp_path_factory.mktemp("here")
    task = _tiny.task(n=32)
    files.write_sealed(folder / "task", lambda d: records.write_task(d / "task.parquet", task))
    files.write_sealed(folder / "tokens", lambda d: _tiny.encoded(task, d))
    job = Job(
        cell=_tiny.cells("full", budget=("steps", 2))[0],
        task_file=folder / "task" / "task.parquet",
        tokens_folder=folder / "tokens",
        destination=folder / "cells" / "x",
        device="cpu",
    )
    beacon = folder / "beacon"
    beacon.touch()
    ended = ray.run_cell(job, beacon, {}, {}, None, board())
    assert (ended.code, ended.reason, ended.result) == (0, "", None)
    return job


def board():
    return SimpleNamespace(report=SimpleNamespace(remote=lambda *progress: None))


def test_a_node_without_the_run_s_folder_sends_the_same_predictions(job, tmp_path):
    task, tokens = parcel.pack(job.task_file.parent), parcel.pack(job.tokens_folder)
    gone = tmp_path / "elsewhere"
    ended = ray.run_cell(job, gone / "beacon", task, tokens, None, board())
    assert (ended.code, ended.reason) == (0, "")
    parcel.unpack(ended.result, tmp_path / "cells" / "x")
    assert files.is_sealed(tmp_path / "cells" / "x")
    here, there = (p / "predictions.parquet" for p in (job.destination, tmp_path / "cells" / "x"))
    assert here.read_bytes() == there.read_bytes()


def test_a_model_that_changed_since_the_run_was_planned_is_refused(job, tmp_path):
    planned = replace(job.cell, model_fingerprint="0" * 64)
    changed = replace(job, cell=planned, destination=tmp_path / "x")
    reason, code = worker.attempt(changed, lambda fraction, words: None)
    assert code == worker.REFUSED
    assert reason.endswith("its files changed since the run was planned; run again")


class FakeRay:
    """Ray, which notes what is cancelled."""

    def __init__(self):
        self.cancelled = []

    def cancel(self, reference, *, force):
        self.cancelled.append((reference, force))


def test_a_task_is_cancelled_when_a_node_took_too_long_for_it_not_while_it_waits(job, tmp_path):
    ended, now = {}, ray.time.monotonic()
    jobs = [replace(job, destination=tmp_path / name) for name in ("waits", "runs", "hangs")]
    launcher = ray.Launcher(
        "auto", timeout_seconds=60, finished=lambda j, r: ended.update({j.destination.name: r})
    )
    waits, runs, hangs = (ray.Running(j) for j in jobs)
    runs.started, hangs.started, hangs.fraction = now - 30, now - 90, 0.25
    launcher._running.update({"a": waits, "b": runs, "c": hangs})
    fake = FakeRay()
    launcher._end_overdue(fake, Queue(jobs))
    assert fake.cancelled == [("c", True)]
    assert ended == {"hangs": "timed out after 60 s (--cell-timeout) at 25% of its budget"}
    assert list(launcher._running) == ["a", "b"]


def test_a_task_is_timed_from_its_first_report(job):
    one = ray.Running(job)
    ray._update([one], {})
    assert one.started == float("inf")
    ray._update([one], {job.cell.id: (0.0, "starting")})
    began = one.started
    ray._update([one], {job.cell.id: (0.5, "half")})
    assert (one.started, one.fraction, one.words) == (began, 0.5, "half")


@pytest.mark.parametrize("name", ["../canary", "/tmp/canary"])
def test_a_parcel_leads_nowhere(name, tmp_path):
    with pytest.raises(OSError, match="leads out"):
        parcel.unpack({name: b"x"}, tmp_path / "cells" / "x")
    assert not list((tmp_path / "cells").iterdir())


def test_a_parcel_that_changed_on_its_way_is_set_aside(job, tmp_path):
    sent = parcel.pack(job.destination) | {"predictions.parquet": b"changed"}
    with pytest.raises(OSError, match="not what was sealed"):
        parcel.unpack(sent, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert (tmp_path / "set-aside" / "x-1").is_dir()


def test_no_address_is_one_line():
    with pytest.raises(BadInputError, match="--address"):
        ray.connect("")


def on_two_nodes(suite, runs, *more):
    return _cluster.alone(
        *(sys.executable, "-m", "tests._cluster"),
        *(sys.executable, "-m", "tunefair", "run", suite, "--runs", runs, *more),
        *("--launcher", "ray", "--address", _cluster.ADDRESS),
        capture_output=True,
        timeout=600,
    )


@pytest.mark.slow
@needs_cluster
def test_nodes_that_run_low_on_memory_end_a_run_as_out_of_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")  # every node is low from the start
    suite = _house.build(tmp_path, steps=4)
    done = on_two_nodes(suite, tmp_path / "ray", "--only", "full", "--seeds", "1")
    assert done.returncode == 1, done.stderr
    assert "full · seed 0 failed: out_of_memory: Ray killed its worker" in done.stderr


@pytest.mark.slow
@needs_cluster
def test_two_nodes_give_the_predictions_of_this_machine(tmp_path):
    suite = _house.build(tmp_path, steps=4)
    local = _house.tunefair("run", suite, "--runs", tmp_path / "local", "--jobs", "2")
    assert local.returncode == 0, local.stderr
    done = on_two_nodes(suite, tmp_path / "ray")
    assert done.returncode == 0, done.stderr
    expected = _house.predictions(tmp_path / "local" / "small")
    assert _house.predictions(tmp_path / "ray" / "small") == expected
    assert not [p for p in (tmp_path / "ray" / "small" / "cells").iterdir() if p.name[0] == "."]
    shutil.rmtree(tmp_path / "ray")


HANGS = """
import time
from dataclasses import dataclass
from tunefair.strategy import Strategy
@dataclass(frozen=True, kw_only=True)
class Hangs(Strategy):
    reference = "none"
    def adapt(self, model):
        time.sleep(3600)
"""


@pytest.mark.slow
@needs_cluster
def test_a_cell_that_hangs_on_a_node_is_timed_out_and_the_others_finish(tmp_path):
    suite = _house.build(tmp_path, steps=4, own=False)
    (tmp_path / "mine" / "hangs.py").write_text(HANGS)
    suite.write_text(suite.read_text() + "[strategies.hangs]\n")
    begun = time.monotonic()
    done = on_two_nodes(
        *(suite, tmp_path / "ray", "--only", "hangs,full", "--seeds", "1"),
        *("--cell-timeout", "90"),
    )
    assert done.returncode == 1, done.stderr
    assert "hangs · seed 0 failed: timed out after 90 s (--cell-timeout)" in done.stderr
    assert "full · seed 0 finished" in done.stderr
    assert time.monotonic() - begun < 550  # it would sleep for an hour, and be made again
    assert len(_house.predictions(tmp_path / "ray" / "small")) == 1
