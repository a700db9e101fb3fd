"""Learn: train the model of one cell, in smaller parts of a batch where memory is short."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import set_seed

from ..environment import memory
from ..planning import compose
from ..planning.plan import Cell
from ..schema import CellFailedError, Outcome, Predictions, Split, Task
from ..strategy import Batch
from ..suite import Budget
from . import flops, second_stage
from . import model as models
from .batches import BatchSampler, TrainingRows, pool
from .budget import Cost, Meter
from .checkpoints import Checkpoints
from .device import Machine
from .loop import Learner, Recipe, fit
from .pace import Pace, Progress
from .predict import predict
from .ranks import Ranks, SharedMeter
from .selection import Kept, Selection
from .tokens import ORIGINAL, TokenisedTask, Tokens


class Trained(NamedTuple):
    """A learner that has spent its budget, and how it was trained."""

    learner: Learner
    pace: Pace
    seconds: float
    rows_at_a_time: int
    kept: Kept
    resumed: bool


@dataclass(frozen=True)
class _TrainingData(TokenisedTask):
    """A task, its tokens, and the training split as a strategy may see it."""

    split: Split


def training_split(task: Task, attribute: str, first: Outcome | None = None) -> Split:
    """Return the training split as a strategy may see it; without groups all are of one group."""
    rows = task.split == "train"
    label = task.label[rows].astype(np.int64)
    group = np.zeros_like(label)
    names = np.zeros(1)
    if attribute:
        names, group = np.unique(task.groups[attribute][rows], return_inverse=True)
    prediction = first.train.prediction if first and first.train else None
    return Split(
        label,
        group.astype(np.int64),
        len(task.classes),
        len(names),
        prediction,
        compose.trainable_views(task),
    )


def learn(  # noqa: PLR0913 - cell, data, device, checkpoints and progress
    cell: Cell,
    task: Task,
    tokens: Tokens,
    machine: Machine,
    progress: Progress,
    *,
    first: Outcome | None = None,
    checkpoints: Path | None = None,
) -> Trained:
    """Train; where a batch does not fit the memory, train again with parts of half the size.

    An interrupted cell continues from its last checkpoint, with parts of the same size.
    """
    budget = second_stage.budget_left(cell, first)
    data = _TrainingData(task, tokens, training_split(task, cell.attribute, first))
    tried, message = [], ""
    resume = Checkpoints(checkpoints if machine.ranks.size == 1 else None, cell, machine)
    for parts in _powers_of_two(cell.training.batch_size, first=resume.parts):
        resume.parts = parts
        tried.append(_rows_at_a_time(cell, parts * machine.ranks.size))
        try:
            learner = build(cell, task, tokens.pad, machine)
            cost = step_cost(learner, tokens.pad)
            pace = Pace(_meter(budget, machine.ranks), cost, cell.training.warmup, progress)
            return _fit(learner, pace, cell, data, resume)
        except Exception as error:
            if machine.ranks.size > 1 or not memory.ran_out(error):
                raise
            message = memory.line(error)
        machine.give_back()
        resume.forget()
    sizes = ", ".join(map(str, tried))
    raise CellFailedError(
        f"{memory.REASON}: {sizes} rows at a time on {machine.device}: {message}"
    )


def _meter(budget: Budget, ranks: Ranks) -> Meter:
    return Meter(budget) if ranks.size == 1 else SharedMeter(budget, ranks=ranks)


def _rows_at_a_time(cell: Cell, parts: int) -> int:
    return -(-cell.training.batch_size // parts)


def _powers_of_two(size: int, *, first: int) -> Iterator[int]:
    yield from (2**k for k in range(first.bit_length() - 1, size.bit_length()))


def build(cell: Cell, task: Task, pad: int, machine: Machine) -> Learner:
    """Return the pretrained model with a head, adapted, and the strategy's objective.

    Raises
    ------
    BadInputError
        The model cannot be loaded, or not be used with the strategy.
    """
    strategy = cell.strategy()
    set_seed(cell.seed)  # the Trainer seeds again, so draws of an objective change no dropout
    model = models.load(cell.model, task.classes, pad=pad, attention=machine.attention)
    classifier = models.Classifier(model)
    classifier.model = strategy.adapt(model)
    split = training_split(task, cell.attribute)
    objective = strategy.objective(split, classifier.hidden_size)
    return Learner(classifier, objective, machine)


def step_cost(learner: Learner, pad: int) -> Cost:
    """Return the cost of the forward and backward pass and the objective, for any batch shape."""
    filler = 0 if pad else 1
    device = learner.machine.device

    def run(rows: int, length: int) -> None:
        ids = torch.full((rows, length), filler, device=device)
        zeros = torch.zeros(rows, dtype=torch.int64, device=device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        learner(inputs, Batch(label=zeros, group=zeros, spent=0.5)).backward()

    return flops.measure(learner.train(), run)


def _fit(
    learner: Learner, pace: Pace, cell: Cell, data: _TrainingData, resume: Checkpoints
) -> Trained:
    batches = _batches(learner, cell, data, resume)
    rate = cell.strategy().learning_rate or cell.training.learning_rate
    recipe = Recipe(training=cell.training, peak_rate=rate, seed=cell.seed, parts=resume.parts)
    selection = None
    if cell.training.selection != "last" and learner.machine.ranks.rank == 0:
        predictions = partial(_validation, learner, data)
        selection = Selection(learner, pace, cell.training, cell.attribute, predictions)
    resume.follow(learner, pace, selection)
    fit(learner, batches, pace, recipe, [selection, resume] if selection else [resume])
    return Trained(
        learner=learner,
        pace=pace,
        seconds=pace.meter.seconds,
        rows_at_a_time=_rows_at_a_time(cell, resume.parts * learner.machine.ranks.size),
        kept=selection.settle() if selection else Kept(1.0, ""),
        resumed=resume.steps > 0,
    )


def _validation(learner: Learner, data: TokenisedTask) -> Predictions:
    """Return predictions of validation; during training only selection uses them."""
    rows = np.flatnonzero(data.task.split == "validation")
    return predict(learner.classifier, data, ORIGINAL, rows, learner.machine)


def _batches(
    learner: Learner, cell: Cell, data: _TrainingData, resume: Checkpoints
) -> DataLoader[Any]:
    split = data.split
    strategy = cell.strategy()
    set_seed(cell.seed)  # a choice of examples does not depend on what `adapt` drew
    odds = strategy.sampling_weights(split)
    train = np.flatnonzero(data.task.split == "train")
    view, entries, example, odds = pool(data.tokens.views, train, odds)
    split = split._replace(label=split.label[example], group=split.group[example])
    sampler = BatchSampler(
        view.length[entries],
        odds,
        size=cell.training.batch_size,
        parts=resume.parts,
        seed=cell.seed,
        skip=resume.steps,
        ranks=learner.machine.ranks,
    )
    return DataLoader(
        TrainingRows(view, entries, split, data.tokens.pad),
        batch_sampler=sampler,
        collate_fn=lambda batch: batch,
        pin_memory=learner.machine.is_cuda,
    )
