"""Memory that runs out: a smaller part of the batch, else a reason; the machine lives on."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests import _house, _memory_group, _tiny, _workers
from tunefair.environment import memory
from tunefair.launch import local, worker
from tunefair.launch.local import Launcher, Running
from tunefair.launch.slots import Slots
from tunefair.schema import BadInputError, CellFailedError
from tunefair.storage import records

JOB = SimpleNamespace(destination=Path("cells") / "never-made")


def failure(make):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever a library raises
        make()
    return caught.value


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(2**55),
        lambda: np.empty(2**50),
        lambda: bytearray(2**60),
        lambda: (_ for _ in ()).throw(RuntimeError("can't start new thread")),
        lambda: (_ for _ in ()).throw(RuntimeError("std::bad_alloc")),
        lambda: (_ for _ in ()).throw(OSError(12, os.strerror(12))),
        lambda: (_ for _ in ()).throw(
            ImportError("libtorch_cpu.so: failed to map segment from shared object")
        ),
        lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB")),
        lambda: (_ for _ in ()).throw(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling")),
    ],
)
def test_every_library_is_understood(make):
    assert memory.ran_out(failure(make))


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(2) @ torch.ones(3),
        lambda: (_ for _ in ()).throw(OSError(28, os.strerror(28))),
        lambda: int("x"),
    ],
)
def test_other_failures_are_not_taken_for_it(make):
    assert not memory.ran_out(failure(make))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CellFailedError("diverged at 3%"), "diverged at 3%"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("can't allocate memory\n"), "out_of_memory: can't allocate memory"),
        (KeyError("x"), "KeyError: 'x'"),
        (OSError(28, "No space left on device"), "cells: No space left on device"),
        (BadInputError("budget: 1 step does not pay"), "budget: 1 step does not pay"),
        (
            BadInputError("a.parquet: Cannot allocate memory"),
            "out_of_memory: a.parquet: Cannot allocate memory",
        ),
    ],
)
def test_a_worker_gives_its_reason_in_one_line(error, reason):
    job = SimpleNamespace(destination=Path("cells") / "id")
    assert worker._reason(error, job) == reason


def test_the_dynamic_linker_ends_a_process_without_a_word():
    process = SimpleNamespace(exitcode=127)
    one = Running(job=JOB, process=process, pipe=None, fraction=0.4)
    assert local._verdict(one) == "out_of_memory: no room for a library at 40% of its budget"


@pytest.mark.parametrize(
    ("kills", "verdict"),
    [
        (7, "killed by signal 9 at 40% of its budget"),
        (8, "out_of_memory: killed by the kernel at 40% of its budget"),
    ],
)
def test_a_kill_by_the_kernel_is_told_from_another(kills, verdict, monkeypatch):
    monkeypatch.setattr(local.memory, "kernel_kills", lambda: kills)
    process = SimpleNamespace(exitcode=-signal.SIGKILL)
    one = Running(job=JOB, process=process, pipe=None, fraction=0.4, kernel_kills=7)
    assert local._verdict(one) == verdict


def test_the_kernel_says_how_often_it_killed():
    assert memory.kernel_kills() >= 0


def launched(tmp_path, work, rows):
    """Train a cell of batches so large that memory is what decides; return why it failed."""
    task = _tiny.task(n=1024)
    records.write_task(tmp_path / "task.parquet", task)
    _tiny.encoded(task, tmp_path / "tokens")
    training = {"batch_size": rows, "learning_rate": 1e-3, "precision": "fp32"}
    job = worker.Job(
        cell=_tiny.cells("full", budget=("steps", 2), training=training)[0],
        task_file=tmp_path / "task.parquet",
        tokens_folder=tmp_path / "tokens",
        destination=tmp_path / "cells" / "id",
    )
    reasons = []
    Launcher(
        slots=Slots(["cpu"]), finished=lambda job, reason: reasons.append(reason), work=work
    ).launch([job])
    return job, reasons


@pytest.mark.slow
def test_under_a_limit_a_batch_is_cut_until_it_fits(tmp_path):
    job, reasons = launched(tmp_path, _workers.with_little_memory, 32768)
    assert reasons == [""]
    ledger = records.read_ledger(job.destination)
    assert ledger.rows_at_a_time < 32768
    assert (ledger.steps, ledger.examples) == (2, 2 * 32768)


@pytest.mark.slow
def test_under_a_limit_without_any_room_the_cell_is_out_of_memory(tmp_path):
    job, reasons = launched(tmp_path, _workers.with_no_memory, 16)
    assert len(reasons) == 1
    assert reasons[0].startswith("out_of_memory")
    assert not job.destination.exists()


HUNGRY = """
from dataclasses import dataclass
import torch
from tunefair.strategy import Objective, Strategy

class Filling(Objective):
    def forward(self, output, batch):
        return super().forward(output, batch) * torch.ones(2**31).mean()  # 8 GiB

@dataclass(frozen=True, kw_only=True)
class Own(Strategy):
    reference = "none"

    def objective(self, train, hidden_size):
        return Filling()
"""


@pytest.fixture
def little_memory():
    """The file of a control group with 3 GiB that takes in a process by its id."""
    with ExitStack() as stack:
        try:
            group = stack.enter_context(_memory_group.limited(3 * 2**30))
        except (OSError, KeyError) as error:
            pytest.skip(f"NOT TESTED: no control group for memory may be made here: {error}")
        yield group


@pytest.mark.slow
def test_a_worker_that_the_kernel_kills_harms_no_other(tmp_path, little_memory):
    suite = _house.build(tmp_path, steps=4)
    (tmp_path / "mine" / "own.py").write_text(HUNGRY)
    done = _house.tunefair(
        *("run", suite, "--runs", tmp_path / "runs", "--jobs", "2"),
        preexec_fn=lambda: little_memory.write_text(str(os.getpid())),
    )
    run = tmp_path / "runs" / "small"
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()
    killed = "failed: out_of_memory: killed by the kernel at 0% of its budget"
    assert sorted(killed in line for line in said if " own · seed " in line) == [True, True]
    assert len(_house.predictions(run)) == 4
    assert "killed by the kernel" in (run / "report.html").read_text()
