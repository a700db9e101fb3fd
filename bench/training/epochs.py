"""What epochs of a strategy take in FLOPs: a budget that people can think in."""

import math
from itertools import islice
from pathlib import Path

import numpy as np

from ..planning.plan import Cell
from ..storage import records
from . import device as devices
from .batches import BatchSampler
from .learn import build, step_cost
from .tokens import ORIGINAL, Tokens


def flops(cell: Cell, epochs: float, task_file: Path, tokens_folder: Path) -> float:
    """Return the operations of so many passes over the training split, to three digits.

    The batches are those that seed 0 draws where every example comes once an epoch. Three digits,
    so that another order of the same lengths is the same budget.

    Parameters
    ----------
    cell : of the strategy whose epochs are meant; its budget plays no part
    task_file, tokens_folder : where the prepared task and its tokens are
    """
    task, tokens = records.read_task(task_file), Tokens.open(tokens_folder)
    learner = build(cell, task, tokens.pad, devices.choose("cpu", "fp32"))
    cost = step_cost(learner, tokens.pad)
    view = tokens.views[ORIGINAL]
    length = view.length[view.entries(np.flatnonzero(task.split == "train"))]
    size = cell.training.batch_size
    batches = BatchSampler(length, None, size=size, parts=1, seed=0)
    steps = math.ceil(epochs * len(length) / size)
    total = sum(cost(len(rows), int(length[rows].max())) for rows in islice(batches, steps))
    return float(f"{total:.2e}")
