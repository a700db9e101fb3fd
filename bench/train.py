"""Train: one cell becomes predictions, a ledger and a learning curve."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import set_seed

from bench import compose
from bench import model as models
from bench.budget import Cost, Meter
from bench.plan import Cell
from bench.schema import Ledger, Outcome, Predictions, Split, Task
from bench.strategy import Batch
from bench.training import device as devices
from bench.training import flops
from bench.training.batches import BatchSampler, TrainingRows
from bench.training.device import Machine
from bench.training.loop import Learner, Recipe, fit
from bench.training.pace import DivergedError, Pace, Progress
from bench.training.predict import predict
from bench.training.selection import Kept, Selection
from bench.training.tokens import ORIGINAL, Tokens


class CellFailedError(Exception):
    """A cell that could not be trained, and why; the other cells go on."""


class Trained(NamedTuple):
    """A learner that spent its budget, and how."""

    learner: Learner
    pace: Pace
    seconds: float
    rows_at_a_time: int
    kept: Kept


def train(  # noqa: PLR0913 - the one entry: what, from what, where, and who is told
    cell: Cell,
    task: Task,
    tokens: Tokens,
    *,
    device: str = "auto",
    progress: Progress,
    model_folder: Path | None = None,
) -> Outcome:
    """Train one cell, then predict validation, test and every view of test.

    Parameters
    ----------
    cell, task, tokens : what is trained, on which examples, already tokenised
    device : "auto", "cpu", "cuda" or "cuda:N"
    progress : called now and then with the fraction of the budget spent and a few words
    model_folder : where the trained weights are kept (safetensors); None: nowhere

    Raises
    ------
    BadInputError
        The task is none for the strategy, or the budget does not pay for one step.
    CellFailedError
        The loss diverged, or not even one example at a time fits the memory.
    """
    machine = devices.choose(device, cell.training.precision)
    energy = devices.energy_joules(machine)
    try:
        trained = learn(cell, task, tokens, machine, progress)
    except DivergedError as error:
        raise CellFailedError(str(error)) from None
    if energy is not None:
        energy = (devices.energy_joules(machine) or energy) - energy
    if model_folder is not None:
        models.save(trained.learner.classifier.model, cell.model, model_folder)
    validation, test = predicted(cell, task, tokens, trained.learner)
    return Outcome(
        test=test,
        validation=validation,
        ledger=_ledger(trained, energy),
        curve=tuple(trained.pace.curve),
        hardware=machine.facts(),
    )


def training_split(task: Task, attribute: str) -> Split:
    """Return what a strategy may know of the training split; one group where there are none."""
    rows = task.split == "train"
    label = task.label[rows].astype(np.int64)
    if not attribute:
        return Split(label, np.zeros_like(label), len(task.classes), 1)
    names, group = np.unique(task.groups[attribute][rows], return_inverse=True)
    return Split(label, group.astype(np.int64), len(task.classes), len(names))


def learn(cell: Cell, task: Task, tokens: Tokens, machine: Machine, progress: Progress) -> Trained:
    """Train, in ever smaller parts of a batch while the memory is too small for the whole."""
    tried = []
    for parts in _powers_of_two(cell.training.batch_size):
        tried.append(_rows_at_a_time(cell, parts))
        try:
            learner = build(cell, task, tokens.pad, machine)
            pace = Pace(
                Meter(cell.budget), step_cost(learner, tokens.pad), cell.training.warmup, progress
            )
            return _fit(learner, pace, cell, (task, tokens), parts)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
    sizes = ", ".join(map(str, tried))
    raise CellFailedError(f"out of memory on {machine.device} with {sizes} rows at a time")


def _rows_at_a_time(cell: Cell, parts: int) -> int:
    return -(-cell.training.batch_size // parts)


def _powers_of_two(size: int) -> Iterator[int]:
    yield from (2**k for k in range(size.bit_length()))


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def build(cell: Cell, task: Task, pad: int, machine: Machine) -> Learner:
    """Return the pretrained model under a new head, adapted, with the strategy's objective.

    Raises
    ------
    BadInputError
        The task is none for the strategy.
    """
    strategy = cell.strategy()
    compose.check(strategy, task, cell.attribute, where=cell.use)
    set_seed(cell.seed)  # the Trainer seeds again: what an objective draws shifts no dropout
    model = models.load(cell.model, task.classes, pad=pad, attention=machine.attention)
    classifier = models.Classifier(model)
    classifier.model = strategy.adapt(model)
    split = training_split(task, cell.attribute)
    objective = strategy.objective(split, classifier.hidden_size)
    return Learner(classifier, objective, machine)


def step_cost(learner: Learner, pad: int) -> Cost:
    """Return what forward, backward and objective cost for a batch of any shape."""
    filler = 0 if pad else 1
    device = learner.machine.device

    def run(rows: int, length: int) -> None:
        ids = torch.full((rows, length), filler, device=device)
        zeros = torch.zeros(rows, dtype=torch.int64, device=device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        learner(inputs, Batch(label=zeros, group=zeros, spent=0.5)).backward()

    return flops.measure(learner.train(), run)


def _fit(
    learner: Learner, pace: Pace, cell: Cell, data: tuple[Task, Tokens], parts: int
) -> Trained:
    batches = _batches(learner, cell, data, parts)
    rate = cell.strategy().learning_rate or cell.training.learning_rate
    recipe = Recipe(training=cell.training, peak_rate=rate, seed=cell.seed, parts=parts)
    rows, kept = _rows_at_a_time(cell, parts), Kept(1.0, "")
    if cell.training.selection == "last":
        fit(learner, batches, pace, recipe)
        return Trained(learner, pace, pace.meter.seconds, rows, kept)
    answers = partial(_validation, learner, cell, data)
    selection = Selection(learner, pace, cell.training, cell.attribute, answers)
    fit(learner, batches, pace, recipe, [selection])
    return Trained(learner, pace, pace.meter.seconds, rows, selection.settle())


def _validation(learner: Learner, cell: Cell, data: tuple[Task, Tokens]) -> Predictions:
    """Return what the model answers on validation, which only selection may ask while training."""
    rows = np.flatnonzero(data[0].split == "validation")
    return predict(learner.classifier, data, ORIGINAL, rows, learner.machine)


def _batches(
    learner: Learner, cell: Cell, data: tuple[Task, Tokens], parts: int
) -> DataLoader[Any]:
    task, tokens = data
    strategy, split = cell.strategy(), training_split(task, cell.attribute)
    view = tokens.views[ORIGINAL]
    entries = view.entries(np.flatnonzero(task.split == "train"))
    set_seed(cell.seed)  # whatever adapting drew, a strategy that chooses examples starts here
    sampler = BatchSampler(
        view.length[entries],
        strategy.sampling_weights(split),
        size=cell.training.batch_size,
        parts=parts,
        seed=cell.seed,
    )
    return DataLoader(
        TrainingRows(view, entries, split, tokens.pad),
        batch_sampler=sampler,
        collate_fn=lambda batch: batch,
        pin_memory=learner.machine.is_cuda,
    )


def predicted(
    cell: Cell, task: Task, tokens: Tokens, learner: Learner
) -> tuple[Predictions, dict[str, Predictions]]:
    """Return validation, and test by view, each as the strategy revises it."""
    test = np.flatnonzero(task.split == "test")
    answers = {
        name: predict(learner.classifier, (task, tokens), name, test, learner.machine)
        for name in tokens.views
    }
    rows = np.flatnonzero(task.split == "validation")
    validation = predict(learner.classifier, (task, tokens), ORIGINAL, rows, learner.machine)
    strategy = cell.strategy()

    def mitigated(table: Predictions) -> Predictions:
        seen = {a: column for a, column in table.groups.items() if a == cell.attribute}
        return replace(table, groups=seen)

    def revised(table: Predictions) -> Predictions:
        answered = strategy.revise(mitigated(validation), mitigated(table))
        hidden = answered.hidden if cell.hidden else None
        return replace(answered, groups=table.groups, hidden=hidden)

    return revised(validation), {name: revised(table) for name, table in answers.items()}


def _ledger(trained: Trained, energy: float | None) -> Ledger:
    """Return what was spent; the parameters are the classifier's, not an adversary's."""
    meter, learner = trained.pace.meter, trained.learner
    parameters = [p for p in learner.classifier.parameters() if p.requires_grad]
    return Ledger(
        flops=meter.flops,
        tokens=meter.tokens,
        padded_tokens=meter.padded_tokens,
        examples=meter.examples,
        steps=meter.steps,
        seconds=trained.seconds,
        peak_memory_bytes=devices.peak_memory_bytes(learner.machine),
        trainable_parameters=sum(p.numel() for p in parameters),
        stored_bytes=sum(p.numel() * p.element_size() for p in parameters),
        energy_joules=energy,
        rows_at_a_time=trained.rows_at_a_time,
        kept_fraction=trained.kept.fraction,
        kept_because=trained.kept.why,
    )
