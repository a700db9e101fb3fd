"""Several processes train one cell as one would: two real ones, over gloo."""

import json
import multiprocessing
from functools import cache
from itertools import chain

import numpy as np
import pytest

from tests import _ranks, _tiny
from tunefair import run, suite
from tunefair.launch import slots as places
from tunefair.launch import worker
from tunefair.launch.local import Launcher
from tunefair.launch.slots import Slots
from tunefair.schema import BadInputError
from tunefair.storage import records
from tunefair.training.budget import Meter
from tunefair.training.ranks import Ranks
from tunefair.training.tokens import ORIGINAL

SIZE = 2
STEPS = 6


def cell(use="full", **more):
    return _tiny.cells(use, **{"budget": ("steps", STEPS)} | more)[0]


def selecting(rule):
    training = {"batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"}
    return training | {"selection": rule, "checkpoints": 3}


CELLS = {
    "full": cell(),
    "odd": cell(training={"batch_size": 13, "learning_rate": 1e-3, "precision": "fp32"}),
    "adversarial": cell("adversarial"),
    "lora": cell("lora"),
    "head_only": cell("head_only"),
    "l2_sp": cell("l2_sp"),
    "balanced+weighted": cell("balanced+weighted"),
    "selected": cell(training=selecting("validation_log_loss")),
}
ACROSS = {name: cell(name) for name in ("group_dro", "contrastive", "group_difference")}
"""Objectives that compare examples: within a process's part, so not as one process would."""
OTHERS = {"flops": cell(budget=("flops", 2e8)), "seconds": cell(budget=("seconds", 0.3))}


pytestmark = pytest.mark.usefixtures("frozen_heap")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every cell, trained by two processes that meet once."""
    folder = tmp_path_factory.mktemp("ranks")
    task = _tiny.task(n=96)
    records.write_task(folder / "task.parquet", task)
    _tiny.encoded(task, folder / "tokens")
    context = multiprocessing.get_context("forkserver")
    everything = CELLS | ACROSS | OTHERS
    both = [
        context.Process(target=_ranks.together, args=(rank, SIZE, everything, str(folder)))
        for rank in range(SIZE)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(timeout=300)
    assert [process.exitcode for process in both] == [0] * SIZE
    return folder


@pytest.fixture(scope="module")
def both(folder, tmp_path_factory):
    """Name -> what two processes left behind, and what one leaves behind."""

    @cache
    def outcomes(name):
        into = tmp_path_factory.mktemp("alone")
        _ranks.alone((CELLS | ACROSS | OTHERS)[name], folder, into)
        return records.read_outcome(folder / name), records.read_outcome(into), into

    return outcomes


def seen(folder, rank):
    return json.loads((folder / f"seen-{rank}.json").read_text())


@pytest.mark.parametrize("name", CELLS)
def test_two_learn_what_one_learns_from_the_same_examples(name, folder, both):
    two, one, into = both(name)
    for batch, *parts in zip(
        seen(into, 0)[:STEPS], *(seen(folder / name, r)[:STEPS] for r in range(SIZE)), strict=True
    ):
        assert sorted(batch) == sorted(chain(*parts))
        assert abs(len(parts[0]) - len(parts[1])) <= 1
    np.testing.assert_allclose(
        two.test[ORIGINAL].probability, one.test[ORIGINAL].probability, atol=2e-4
    )
    losses = [[point.loss for point in outcome.curve] for outcome in (two, one)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert two.ledger.kept_fraction == one.ledger.kept_fraction


@pytest.mark.parametrize("name", [*CELLS, *ACROSS, "flops"])
def test_the_budget_counts_the_examples_of_all(name, both):
    two, one, _ = both(name)
    for currency in ("steps", "examples", "tokens"):
        assert getattr(two.ledger, currency) == getattr(one.ledger, currency)
    assert two.ledger.flops == pytest.approx(one.ledger.flops, rel=0.05)  # less is padded
    assert two.ledger.padded_tokens <= one.ledger.padded_tokens
    assert two.ledger.rows_at_a_time == -(-one.ledger.rows_at_a_time // SIZE)
    assert np.isfinite(two.test[ORIGINAL].probability).all()
    assert (two.hardware["processes"], "processes" in one.hardware) == ("2", False)


def test_all_stop_at_once_when_the_first_ones_clock_says_so(folder):
    outcome = records.read_outcome(folder / "seconds")
    assert outcome.ledger.seconds >= 0.3
    fed = [len(seen(folder / "seconds", rank)) for rank in range(SIZE)]
    assert fed[0] - fed[1] in (0, 1)  # accelerate alone fetches one ahead


def job(folder, **more):
    return worker.Job(
        cell=CELLS["full"],
        task_file=folder / "task.parquet",
        tokens_folder=folder / "tokens",
        destination=folder / "cells" / "id",
        processes=SIZE,
        **more,
    )


def launched(folder):
    reasons = []
    Launcher(slots=Slots(["cpu"]), finished=lambda job, reason: reasons.append(reason)).launch(
        [job(folder)]
    )
    return reasons


@pytest.mark.slow
def test_the_launcher_starts_both_and_one_seals_the_cell(folder):
    assert launched(folder) == [""]
    assert [p.name for p in (folder / "cells").iterdir()] == ["id"]
    assert records.read_ledger(folder / "cells" / "id").examples == 16 * STEPS


@pytest.mark.slow
def test_a_killed_other_ends_the_cell_with_a_reason(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "assist", _ranks.killed)
    for name in ("task.parquet", "tokens"):
        (tmp_path / name).symlink_to(folder / name)
    assert launched(tmp_path) == ["another of its processes was killed at 0% of its budget"]


def test_each_takes_the_device_after_the_others():
    assert [Ranks(r, 3).device("cuda:3") for r in range(3)] == ["cuda:3", "cuda:4", "cuda:5"]
    assert Ranks(1, 2).device("cuda") == "cuda:1"
    assert Ranks(1, 2).device("cpu") == "cpu"


def test_a_cell_of_several_processes_takes_several_places(monkeypatch):
    monkeypatch.setattr(places.os, "sched_getaffinity", lambda _: range(6))
    assert Slots.initial("cpu", "auto", 4).devices == ["cpu"]
    assert Slots.initial("cpu", "2", 4).devices == ["cpu", "cpu"]
    monkeypatch.setattr(places, "_devices", lambda _: [f"cuda:{i}" for i in range(5)])
    assert Slots.initial("auto", "auto", 2).devices == ["cuda:0", "cuda:2"]
    with pytest.raises(BadInputError, match="--processes-per-cell 6: each needs an accelerator"):
        Slots.initial("auto", "auto", 6)


def test_more_processes_than_examples_of_a_batch_are_refused():
    small = suite.read(suite.find("smoke"))
    run.check_processes(small, small.training.batch_size)
    with pytest.raises(BadInputError, match="--processes-per-cell 9999: a batch has"):
        run.check_processes(small, 9999)


def test_one_process_adds_nothing_up():
    assert Meter(CELLS["full"].budget).total(3.5) == 3.5
