"""One cell: budgets, schedule, accumulation, failures, and what is left behind."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import AutoModelForSequenceClassification, TrainingArguments

from tests import _tiny
from tunefair.schema import BadInputError, CellFailedError
from tunefair.strategy import Objective
from tunefair.suite import Budget, Training
from tunefair.training import device, loop, pace
from tunefair.training import train as training
from tunefair.training.batches import BatchSampler, TrainingRows
from tunefair.training.budget import Meter
from tunefair.training.learn import build, learn
from tunefair.training.loop import Learner, Recipe
from tunefair.training.model import Classifier
from tunefair.training.pace import DivergedError, Pace
from tunefair.training.tokens import ORIGINAL

CPU = device.choose("cpu", "fp32")


def silent(fraction: float, words: str) -> None:
    """Report progress to nobody."""


pytestmark = pytest.mark.usefixtures("frozen_heap")


def run(task, tokens, use="full", **more):
    return _tiny.run(_tiny.cells(use, **more)[0], task, tokens)


@pytest.mark.parametrize(
    ("currency", "amount", "one_step"),
    [("steps", 3, 1), ("examples", 70, 16), ("tokens", 400, 16 * 15), ("flops", 1e8, 4e7)],
)
def test_budget_binds_in_every_countable_currency(currency, amount, one_step, task, tokens):
    ledger = run(task, tokens, budget=(currency, amount)).ledger
    spent = getattr(ledger, currency)
    assert amount <= spent < amount + one_step
    assert ledger.examples == 16 * ledger.steps
    assert ledger.tokens <= ledger.padded_tokens
    assert ledger.flops > 0


def test_budget_binds_in_seconds(task, tokens, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(Meter, "seconds", property(lambda meter: float(next(clock))))
    outcome = run(task, tokens, budget=("seconds", 50))
    assert outcome.ledger.seconds >= 50
    spent = [point.fraction for point in outcome.curve]
    assert spent[-2] < 1 <= spent[-1]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("steps", 0.5), ("examples", 15), ("tokens", 20), ("flops", 1e6), ("seconds", 1e-9)],
)
def test_budget_too_small_for_one_step_is_refused(currency, amount, task, tokens):
    with pytest.raises(BadInputError, match=f"{currency} do not pay for one step"):
        run(task, tokens, budget=(currency, amount))


def test_rate_follows_the_budget_and_never_is_zero(task, tokens):
    curve = run(task, tokens, budget=("steps", 20), training={"warmup": 0.2}).curve
    rates = np.array([point.learning_rate for point in curve])
    middle = (np.arange(20) + 0.5) / 20
    expected = np.minimum(middle / 0.2, (1 - middle) / 0.8) * 5e-5
    np.testing.assert_allclose(rates, expected, rtol=1e-9)
    assert [point.step for point in curve] == list(range(1, 21))
    assert [point.fraction for point in curve] == pytest.approx(np.arange(1, 21) / 20)


def test_a_strategy_brings_its_own_rate(task, tokens):
    curve = run(task, tokens, options={"learning_rate": 0.5}, budget=("steps", 1)).curve
    assert curve[0].learning_rate > 0.1


def test_reports_progress_to_the_end(task, tokens):
    seen = []
    cell = _tiny.cells("full", budget=("steps", 5))[0]
    training.train(cell, task, tokens, progress=lambda f, words: seen.append((f, words)))
    assert seen[-1][0] == 1
    assert seen[-1][1].startswith("step 5, loss ")
    assert [f for f, _ in seen] == sorted(f for f, _ in seen)


def test_data_order_is_the_strategies_common_ground(task, tokens, monkeypatch):
    """Same seed, same batches, whatever is trained or minimised."""
    seen = []
    fetch = TrainingRows.__getitems__
    monkeypatch.setattr(
        TrainingRows, "__getitems__", lambda s, n: (seen[-1].append(n), fetch(s, n))[1]
    )
    for use in ("full", "lora", "weighted", "adversarial"):
        seen.append([])
        run(task, tokens, use)
    assert all(order == seen[0] for order in seen)


def one_step(task, tokens, parts, classifier_dropout=0.0):
    """Gradient and loss of one optimiser step over 16 rows, cut into parts."""
    cell = _tiny.cells("full", budget=("steps", 1))[0]
    learner = build(cell, task, tokens.pad, CPU)
    for module in learner.modules():
        if isinstance(module, nn.Dropout):
            module.p = classifier_dropout
    kept = {}

    class Keep(Pace):
        def on_pre_optimizer_step(self, *args, **kwargs):
            super().on_pre_optimizer_step(*args, **kwargs)
            parameters = learner.named_parameters()
            kept.update({n: p.grad.clone() for n, p in parameters if p.grad is not None})

    pace = Keep(Meter(cell.budget), lambda n, t: 1.0, 0.0, silent)
    view, split = tokens.views[ORIGINAL], _tiny.split(task)
    rows = view.entries(np.flatnonzero(task.split == "train"))
    sampler = BatchSampler(view.length[rows], None, size=16, parts=parts, seed=0)
    data = TrainingRows(view, rows, split, tokens.pad)
    batches = DataLoader(data, batch_sampler=sampler, collate_fn=lambda batch: batch)
    free = Training(max_gradient_norm=1e9)
    loop.fit(learner, batches, pace, Recipe(training=free, peak_rate=1e-3, seed=0, parts=parts))
    return kept, pace.curve[0].loss, pace.meter


@pytest.mark.parametrize("parts", [2, 4, 16, 3])
def test_accumulating_parts_gives_the_whole_batch_gradient(parts, task, tokens):
    """huggingface/transformers#47688: there, loss and gradient grow with the parts."""
    whole, loss, meter = one_step(task, tokens, 1)
    cut, cut_loss, cut_meter = one_step(task, tokens, parts)
    assert cut_loss == pytest.approx(loss, rel=1e-5)
    assert cut_meter.steps == meter.steps == 1
    assert cut_meter.examples == meter.examples == 16
    for name, gradient in whole.items():
        torch.testing.assert_close(cut[name], gradient, rtol=1e-4, atol=1e-7)


def test_an_adversary_learns_at_the_suites_rate_whatever_the_adapters_rate_is(
    task, tokens, monkeypatch
):
    rates = {}
    plain = loop._Loop.create_optimizer

    def create(self, model=None):
        optimizer = plain(self, model)
        for name, parameter in self.learner.named_parameters():
            of = [g for g in optimizer.param_groups if any(p is parameter for p in g["params"])]
            rates.update({name.split(".")[0]: group["peak_rate"] for group in of})
        return optimizer

    monkeypatch.setattr(loop._Loop, "create_optimizer", create)
    suites = _tiny.cells("lora+adversarial")[0].training.learning_rate
    lora = {"lora": {"learning_rate": 7e-3}}
    run(task, tokens, "lora+adversarial", options=lora, budget=("steps", 1))
    assert rates == {"classifier": 7e-3, "objective": suites}


def test_objective_and_classifier_are_clipped_apart(task, tokens):
    """A strong adversary's gradient must not shrink the classifier's step."""
    weak, strong = (
        run(task, tokens, "adversarial", options={"strength": 0.0, "width": width})
        for width in (8, 512)
    )
    full = run(task, tokens)
    for outcome in (weak, strong):
        assert (outcome.test["original"].probability == full.test["original"].probability).all()


def test_out_of_memory_is_met_with_smaller_parts(task, tokens, monkeypatch):
    forward = Learner.forward
    tried = []

    def forgetful(self, inputs, batch):
        tried.append(len(batch.label))
        if len(batch.label) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, inputs, batch)

    monkeypatch.setattr(Learner, "forward", forgetful)
    ledger = run(task, tokens, budget=("steps", 2)).ledger
    assert (ledger.steps, ledger.examples) == (2, 32)
    assert [size for size, _ in itertools.groupby(tried) if size > 4] == [16, 8]


def test_out_of_memory_at_one_row_fails_with_the_sizes_tried(task, tokens, monkeypatch):
    def hopeless(*args):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    monkeypatch.setattr(Learner, "forward", hopeless)
    with pytest.raises(
        CellFailedError, match=r"^out_of_memory: 16, 8, 4, 2, 1 rows at a time on cpu: Default"
    ):
        run(task, tokens)


def test_other_errors_are_not_taken_for_memory(task, tokens, monkeypatch):
    def broken(*args):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Learner, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(task, tokens)


def test_divergence_fails_the_cell_with_its_step(task, tokens, monkeypatch):
    monkeypatch.setattr(
        Objective, "forward", lambda self, output, batch: output.logits.sum() * float("nan")
    )
    with pytest.raises(
        CellFailedError, match=r"^diverged at 25% of its budget: the loss .* step 1$"
    ):
        run(task, tokens)


def test_weights_that_diverged_in_the_last_step_fail_the_cell_too(task, tokens, monkeypatch):
    monkeypatch.setattr(pace, "learning_rate_factor", lambda *args: float("inf"))
    with pytest.raises(
        CellFailedError, match=r"^diverged: the model's outputs are not finite numbers"
    ):
        run(task, tokens, budget=("steps", 1))


def test_prediction_takes_fewer_rows_where_memory_is_short(task, tokens, monkeypatch):
    expected = run(task, tokens)
    forward, tried = Classifier.forward, []

    def short(self, inputs):
        tried.append(len(inputs["input_ids"]))
        if not torch.is_grad_enabled() and tried[-1] > 20:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")
        return forward(self, inputs)

    monkeypatch.setattr(Classifier, "forward", short)
    outcome = run(task, tokens)
    assert {64, 32, 16} <= set(tried)
    np.testing.assert_allclose(
        outcome.test[ORIGINAL].probability, expected.test[ORIGINAL].probability, atol=1e-6
    )


def test_every_view_holds_the_test_rows_it_changes(task, tokens):
    outcome = run(task, tokens)
    test = task.split == "test"
    assert list(outcome.test) == [ORIGINAL, "swap:other"]
    assert set(outcome.test[ORIGINAL].example_id) == set(task.example_id[test])
    changed = test & (task.views["swap:other"] != "")
    assert set(outcome.test["swap:other"].example_id) == set(task.example_id[changed])
    assert set(outcome.validation.example_id) == set(task.example_id[task.split == "validation"])


def test_hidden_vectors_are_kept_only_when_asked_for(task, tokens):
    cell = _tiny.cells("full")[0]
    assert _tiny.run(cell, task, tokens).test[ORIGINAL].hidden is None
    kept = _tiny.run(cell.keeping({"hidden": "a test"}), task, tokens)
    hidden = kept.test[ORIGINAL].hidden
    assert hidden.shape == (64, 32)
    assert hidden.dtype == np.float32


def test_kept_model_lies_in_its_folder(task, tokens, tmp_path):
    outcome = _tiny.run(_tiny.cells("full")[0], task, tokens, model_folder=tmp_path / "model")
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert sum(p.numel() for p in loaded.parameters()) == outcome.ledger.trainable_parameters
    assert outcome.ledger.stored_bytes == 4 * outcome.ledger.trainable_parameters


def test_the_adversary_is_not_counted_as_the_classifiers(task, tokens):
    ledgers = [run(task, tokens, use).ledger for use in ("full", "adversarial")]
    assert ledgers[0].trainable_parameters == ledgers[1].trainable_parameters
    assert ledgers[0].flops < ledgers[1].flops


def test_several_classes_and_pairs_train(tmp_path):
    task = _tiny.task(n=48, classes=3)
    task = replace(task, text_pair=task.text[::-1])
    tokens = _tiny.encoded(task, tmp_path)
    outcome = run(task, tokens, "weighted")
    assert outcome.test[ORIGINAL].probability.shape == (48, 3)


def test_hardware_says_what_can_change_the_last_digit(task, tokens):
    facts = run(task, tokens).hardware
    assert facts["precision"] == "fp32"
    assert set(facts) == {"device", "name", "precision", "threads", "attention"}


def test_bf16_is_autocast_over_fp32_weights(task, tokens):
    cell = _tiny.cells("full", training={"precision": "bf16", "batch_size": 16})[0]
    learner = learn(cell, task, tokens, device.choose("cpu", "bf16"), silent)[0]
    assert {p.dtype for p in learner.parameters()} == {torch.float32}
    with learner.machine.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_devices_that_are_not_there_are_refused():
    for name in ("tpu", "nonsense", f"cuda:{torch.cuda.device_count()}"):
        with pytest.raises(BadInputError, match=f"--device {name}"):
            device.choose(name, "auto")


def test_auto_precision_goes_by_feature(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert not device.choose("cpu", "auto").bf16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert device.choose("cpu", "auto").bf16


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_gpu_learns_what_the_cpu_learns(task, tokens):
    cell = _tiny.cells("full", budget=("steps", 30))[0]
    cpu, gpu = (_tiny.run(cell, task, tokens, device=d) for d in ("cpu", "cuda"))
    assert gpu.ledger.flops == cpu.ledger.flops
    assert gpu.hardware["attention"] == "sdpa"
    assert 0 < gpu.ledger.peak_memory_bytes < 2**30
    difference = np.abs(cpu.test[ORIGINAL].probability - gpu.test[ORIGINAL].probability)
    assert difference.mean() < 0.05


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second accelerator")
def test_a_cell_stays_on_the_device_it_was_given(task, tokens):
    cell = _tiny.cells("full")[0]
    learner = learn(cell, task, tokens, device.choose("cuda:1", "auto"), silent)[0]
    assert {str(p.device) for p in learner.parameters()} == {"cuda:1"}
    assert torch.cuda.memory_allocated(0) == 0


def test_the_trainer_is_given_the_cells_device(monkeypatch, tmp_path):
    """Alone it would take the first device, or all of them."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to="none", use_cpu=True)
    loop._one_device(arguments, torch.device("cuda", 1))
    assert str(arguments.device) == "cuda:1"
    assert arguments.n_gpu == 1
    assert chosen == [torch.device("cuda", 1)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_gpu_repeats_itself(task, tokens):
    cell = _tiny.cells("adversarial", training={"precision": "auto", "batch_size": 16})[0]
    first, second = (_tiny.run(cell, task, tokens, device="cuda") for _ in range(2))
    assert (first.test[ORIGINAL].probability == second.test[ORIGINAL].probability).all()


def test_curve_notes_divergence_only_where_it_is(task):
    pace = Pace(Meter(Budget(currency="steps", amount=2)), lambda n, t: 1.0, 0.0, silent)
    pace.meter.steps, pace.rate = 1, 0.1
    pace._loss = torch.tensor(float("inf"))
    with pytest.raises(DivergedError, match="inf by step 1"):
        pace._add_point(0.5)
