"""Checkpoints: interrupted at any step and resumed, a cell ends as if nothing had happened."""

import random
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import _house, _tiny
from tunefair import plugins
from tunefair.launch import worker
from tunefair.schema import BadInputError
from tunefair.storage import files
from tunefair.training import checkpoints, device, selection
from tunefair.training.batches import TrainingRows
from tunefair.training.budget import Meter
from tunefair.training.checkpoints import Checkpoints
from tunefair.training.loop import Learner

CPU = device.choose("cpu", "fp32")
NAMES = plugins.names("tunefair.strategies")
STEPS = 6


class Interrupted(BaseException):
    """What no handler on the way expects: the power goes."""


pytestmark = pytest.mark.usefixtures("frozen_heap")


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setenv(checkpoints.SECONDS, "0")
    monkeypatch.setattr(checkpoints, "_WORK_BETWEEN", 0)


def cell(use="full", **more):
    return _tiny.cells(use, **{"budget": ("steps", STEPS)} | more)[0]


def training(**more):
    return {"batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"} | more


def run(of, task, tokens, folder, **more):
    return _tiny.run(of, task, tokens, checkpoints=folder, **more)


def interrupt(of, task, tokens, folder, at, **more):
    """Train until the forward pass number `at`, and count those that were made."""
    forward, made = Learner.forward, 0

    def failing(self, inputs, batch):
        nonlocal made
        made += self.optimised
        if made == at:
            raise Interrupted
        return forward(self, inputs, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "optimised", 0, raising=False)  # measuring the cost is no training
        start = Checkpoints.on_train_begin

        def begin(self, *args, **kwargs):
            self._run.learner.optimised = 1
            start(self, *args, **kwargs)

        patch.setattr(Checkpoints, "on_train_begin", begin)
        patch.setattr(Learner, "forward", failing)
        with pytest.raises(Interrupted):
            run(of, task, tokens, folder, **more)


def same(one, other):
    assert one.curve == other.curve
    assert one.test.keys() == other.test.keys()
    tables = [(one.validation, other.validation)]
    tables += zip(one.test.values(), other.test.values(), strict=True)
    for table, twin in tables:
        assert (table.probability == twin.probability).all()
        assert (table.prediction == twin.prediction).all()
    counted = ("flops", "tokens", "padded_tokens", "examples", "steps", "rows_at_a_time")
    counted += ("kept_fraction", "kept_because")
    assert [getattr(one.ledger, c) for c in counted] == [getattr(other.ledger, c) for c in counted]


def undisturbed(of, task, tokens):
    return _tiny.run(of, task, tokens)


@pytest.mark.parametrize("use", [*NAMES, "lora+adversarial", "balanced+group_dro"])
def test_every_strategy_ends_as_if_nothing_had_happened(use, task, tokens, tmp_path):
    of = cell(use)
    of = of if of.trains else of.first
    more = {"first": _tiny.stored(_tiny.run(of.first, task, tokens))} if of.first else {}
    at = random.Random(use).randint(2, STEPS // 2 if of.first else STEPS)
    interrupt(of, task, tokens, tmp_path / "c", at, **more)
    assert files.is_sealed(tmp_path / "c" / str(at - 1))
    words = []
    more["progress"] = lambda fraction, said: words.append(said)
    resumed = _tiny.train(of, task, tokens, checkpoints=tmp_path / "c", **more)
    assert f"resumed at step {at - 1}" in words[-1]
    same(resumed, _tiny.train(of, task, tokens, **more))


@pytest.mark.parametrize(
    ("use", "more"),
    [
        ("adversarial", {"training": training(selection="validation_log_loss", checkpoints=3)}),
        ("full", {"training": training(selection="validation_dto", checkpoints=2)}),
        ("lora", {"options": {"init": "pissa"}}),
        ("lora", {"options": {"use_dora": True}}),
        ("peft", {"options": {"method": "VERA"}}),
        ("full", {"budget": ("flops", 2.4e8)}),
        ("full", {"budget": ("tokens", 900)}),
    ],
)
def test_so_does_every_kind_of_state(use, more, task, tokens, tmp_path):
    of = cell(use, **more)
    for at in (2, 3):  # interrupted twice: at step 1, then two steps later
        interrupt(of, task, tokens, tmp_path / "c", at)
    assert files.is_sealed(tmp_path / "c" / "3")
    same(run(of, task, tokens, tmp_path / "c"), undisturbed(of, task, tokens))


def test_a_best_checkpoint_from_before_is_remembered(task, tokens, tmp_path, monkeypatch):
    seen = []

    def score(metric, answers, attribute):
        seen.append(answers.probability)
        return float(np.abs(answers.probability - seen[1]).sum()) if len(seen) > 1 else 9.0, ""

    monkeypatch.setattr(selection, "_score", score)
    of = cell(training=training(selection="validation_log_loss", checkpoints=STEPS))
    expected = undisturbed(of, task, tokens)
    assert expected.ledger.kept_fraction == 2 / STEPS
    interrupt(of, task, tokens, tmp_path / "c", 5)
    same(run(of, task, tokens, tmp_path / "c"), expected)


def test_a_decoder_too(task, tmp_path):
    tokens = _tiny.encoded(task, tmp_path / "tokens", "llama")
    of = cell("adversarial", architecture="llama")
    interrupt(of, task, tokens, tmp_path / "c", 4)
    same(run(of, task, tokens, tmp_path / "c"), undisturbed(of, task, tokens))


def test_consumed_batches_are_not_padded_again(task, tokens, tmp_path, monkeypatch):
    of = cell()
    interrupt(of, task, tokens, tmp_path / "c", 5)
    seen = []
    fetch = TrainingRows.__getitems__
    monkeypatch.setattr(
        TrainingRows, "__getitems__", lambda s, n: (seen.append(n), fetch(s, n))[1]
    )
    run(of, task, tokens, tmp_path / "c")
    resumed = list(seen)
    seen.clear()
    undisturbed(of, task, tokens)
    assert resumed == seen[4:]


def forgetful(monkeypatch, limit):
    """Let memory hold no more than some rows; return the numbers of rows that were tried."""
    forward, tried = Learner.forward, []

    def short(self, inputs, batch):
        tried.append(len(batch.label))
        if len(batch.label) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, inputs, batch)

    monkeypatch.setattr(Learner, "forward", short)
    return tried


def test_a_resumed_cell_keeps_its_smaller_parts(task, tokens, tmp_path, monkeypatch):
    of = cell("adversarial")
    tried = forgetful(monkeypatch, 4)
    interrupt(of, task, tokens, tmp_path / "c", 4 * 3 + 2)
    assert 16 in tried
    tried.clear()
    resumed = run(of, task, tokens, tmp_path / "c")
    assert 16 not in tried
    assert resumed.ledger.rows_at_a_time == 4
    same(resumed, undisturbed(of, task, tokens))


def test_memory_that_runs_short_later_starts_afresh_with_smaller_parts(
    task, tokens, tmp_path, monkeypatch
):
    """A checkpoint of larger parts is no beginning for smaller ones."""
    of = cell()
    interrupt(of, task, tokens, tmp_path / "c", 3)
    forgetful(monkeypatch, 8)
    resumed = run(of, task, tokens, tmp_path / "c")
    assert resumed.ledger.rows_at_a_time == 8
    same(resumed, undisturbed(of, task, tokens))


@pytest.mark.parametrize("name", ["state.json", "learner.safetensors", "optimiser.safetensors"])
def test_a_damaged_checkpoint_is_ignored_with_a_word(name, task, tokens, tmp_path):
    of = cell()
    interrupt(of, task, tokens, tmp_path / "c", 4)
    file = tmp_path / "c" / "3" / name
    file.write_bytes(file.read_bytes()[:-1])
    words = []
    outcome = _tiny.train(
        of, task, tokens, progress=lambda f, w: words.append(w), checkpoints=tmp_path / "c"
    )
    assert words[-1].endswith("from the start: the checkpoint is damaged")
    same(outcome, undisturbed(of, task, tokens))


def foreign_cell(of, monkeypatch):
    return replace(of, seed=1)


def other_torch(of, monkeypatch):
    monkeypatch.setattr(checkpoints, "version", lambda name: "0.0")
    return of


def other_threads(of, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    return of


@pytest.mark.parametrize("change", [foreign_cell, other_torch, other_threads])
def test_a_foreign_checkpoint_is_ignored_with_a_word(change, task, tokens, tmp_path, monkeypatch):
    interrupt(cell(), task, tokens, tmp_path / "c", 4)
    of = change(cell(), monkeypatch)
    found = Checkpoints(tmp_path / "c", of, CPU)
    assert (found.steps, found.parts) == (0, 1)
    assert "other versions or hardware" in found.note


def test_what_an_interrupted_write_left_is_no_checkpoint(task, tokens, tmp_path, monkeypatch):
    of = cell()
    interrupt(of, task, tokens, tmp_path / "c", 3)
    monkeypatch.setattr(checkpoints, "save_file", lambda *args: (_ for _ in ()).throw(Interrupted))
    with pytest.raises(Interrupted):
        run(of, task, tokens, tmp_path / "c")
    monkeypatch.undo()
    (tmp_path / "c" / ".4.draft-x").mkdir()
    found = Checkpoints(tmp_path / "c", of, CPU)
    assert found.steps == 2
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["2"]


def test_a_full_disk_costs_the_checkpoint_and_not_the_cell(task, tokens, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    words = []
    outcome = _tiny.train(
        cell(), task, tokens, progress=lambda f, w: words.append(w), checkpoints=tmp_path / "c"
    )
    assert "no checkpoint: [Errno 28] No space left" in words[-1]
    same(outcome, undisturbed(cell(), task, tokens))


def test_only_the_newest_is_kept_and_none_without_pickle(task, tokens, tmp_path):
    interrupt(cell(), task, tokens, tmp_path / "c", 6)
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["5"]
    kinds = {p.suffix for p in (tmp_path / "c" / "5").iterdir()}
    assert kinds == {".json", ".safetensors"}


def test_nothing_is_written_before_it_is_time(task, tokens, tmp_path, monkeypatch):
    monkeypatch.delenv(checkpoints.SECONDS)
    run(cell(), task, tokens, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_strange_number_of_seconds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(checkpoints.SECONDS, "soon")
    with pytest.raises(BadInputError, match="TUNEFAIR_CHECKPOINT_SECONDS = 'soon': not a number"):
        Checkpoints(tmp_path, cell(), CPU)


def test_the_clock_goes_on_where_it_was():
    meter = Meter(cell().budget)
    meter.restore(
        {"seconds": 100.0}
        | dict.fromkeys(("flops", "tokens", "padded_tokens", "examples", "steps"), 7)
    )
    assert 100 <= meter.seconds < 101
    assert (meter.steps, meter.flops) == (7, 7)


def test_a_worker_that_seals_its_cell_leaves_no_checkpoint(task, tmp_path, monkeypatch):
    from tunefair.storage import records

    records.write_task(tmp_path / "task.parquet", task)
    _tiny.encoded(task, tmp_path / "tokens")
    job = worker.Job(
        cell=cell(),
        task_file=tmp_path / "task.parquet",
        tokens_folder=tmp_path / "tokens",
        destination=tmp_path / "cells" / "id",
        device="cpu",
    )
    seen = []
    worker.execute(job, lambda f, w: seen.append(job.checkpoints.is_dir()))
    assert any(seen)
    assert [p.name for p in (tmp_path / "cells").iterdir()] == ["id"]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path):
    """The launcher dies by SIGKILL once a checkpoint lies there; the same command ends the run."""
    suite = _house.build(tmp_path, steps=400)
    options = ("--only", "full", "--seeds", "1", "--jobs", "1", "--device", "cpu")
    running = _house.start("run", suite, "--runs", tmp_path / "killed", *options)
    pattern = "killed/small/cells/.*.checkpoints/*/checksums.json"
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(pattern)) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.kill()
    running.communicate()
    (seal,) = list(tmp_path.glob(pattern))[:1]
    assert 0 < int(seal.parent.name) < 400
    for runs in ("killed", "undisturbed"):
        done = _house.tunefair("run", suite, "--runs", tmp_path / runs, *options)
        assert done.returncode == 0, done.stderr
    both = [_house.predictions(tmp_path / runs / "small") for runs in ("killed", "undisturbed")]
    assert len(both[0]) == 1
    assert both[0] == both[1]
    assert not list(tmp_path.glob("*/small/cells/.*"))
