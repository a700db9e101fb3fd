"""Learn: a cell becomes a trained model, in parts as small as the memory asks for."""

from collections.abc import Iterator
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
from .batches import BatchSampler, TrainingRows, drawn
from .budget import Cost, Meter
from .checkpoints import Checkpoints
from .device import Machine
from .loop import Learner, Recipe, fit
from .pace import Pace, Progress
from .predict import predict
from .ranks import Ranks, SharedMeter
from .selection import Kept, Selection
from .tokens import ORIGINAL, Tokens


class Trained(NamedTuple):
    """A learner that spent its budget, and how."""

    learner: Learner
    pace: Pace
    seconds: float
    rows_at_a_time: int
    kept: Kept
    resumed: bool


def training_split(task: Task, attribute: str, first: Outcome | None = None) -> Split:
    """Return what a strategy may know of the training split; one group where there are none."""
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


def learn(  # noqa: PLR0913 - what, from what, where, and who is told
    cell: Cell,
    task: Task,
    tokens: Tokens,
    machine: Machine,
    progress: Progress,
    *,
    first: Outcome | None = None,
    checkpoints: Path | None = None,
) -> Trained:
    """Train, in ever smaller parts of a batch while the memory is too small for the whole.

    What was interrupted goes on from its last checkpoint, with parts as small as they were.
    """
    budget = second_stage.budget_left(cell, first)
    data = task, tokens, training_split(task, cell.attribute, first)
    tried, said = [], ""
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
            said = memory.line(error)
        machine.give_back()
        resume.forget()
    sizes = ", ".join(map(str, tried))
    raise CellFailedError(f"{memory.REASON}: {sizes} rows at a time on {machine.device}: {said}")


def _meter(budget: Budget, ranks: Ranks) -> Meter:
    return Meter(budget) if ranks.size == 1 else SharedMeter(budget, ranks=ranks)


def _rows_at_a_time(cell: Cell, parts: int) -> int:
    return -(-cell.training.batch_size // parts)


def _powers_of_two(size: int, *, first: int) -> Iterator[int]:
    yield from (2**k for k in range(first.bit_length() - 1, size.bit_length()))


def build(cell: Cell, task: Task, pad: int, machine: Machine) -> Learner:
    """Return the pretrained model under a new head, adapted, with the strategy's objective.

    Raises
    ------
    BadInputError
        The model is none for the strategy.
    """
    strategy = cell.strategy()
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
    learner: Learner, pace: Pace, cell: Cell, data: tuple[Task, Tokens, Split], resume: Checkpoints
) -> Trained:
    batches = _batches(learner, cell, data, resume)
    rate = cell.strategy().learning_rate or cell.training.learning_rate
    recipe = Recipe(training=cell.training, peak_rate=rate, seed=cell.seed, parts=resume.parts)
    selection = None
    if cell.training.selection != "last" and learner.machine.ranks.rank == 0:
        answers = partial(_validation, learner, cell, data[:2])
        selection = Selection(learner, pace, cell.training, cell.attribute, answers)
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


def _validation(learner: Learner, cell: Cell, data: tuple[Task, Tokens]) -> Predictions:
    """Return what the model answers on validation, which only selection may ask while training."""
    rows = np.flatnonzero(data[0].split == "validation")
    return predict(learner.classifier, data, ORIGINAL, rows, learner.machine)


def _batches(
    learner: Learner, cell: Cell, data: tuple[Task, Tokens, Split], resume: Checkpoints
) -> DataLoader[Any]:
    task, tokens, split = data
    strategy = cell.strategy()
    set_seed(cell.seed)  # whatever adapting drew, a strategy that chooses examples starts here
    odds = strategy.sampling_weights(split)
    view, entries, example, odds = drawn(tokens.views, np.flatnonzero(task.split == "train"), odds)
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
        TrainingRows(view, entries, split, tokens.pad),
        batch_sampler=sampler,
        collate_fn=lambda batch: batch,
        pin_memory=learner.machine.is_cuda,
    )
