"""Processes that train tiny cells together; importable by processes of their own."""

import json
import os
import signal
from pathlib import Path

import torch
from torch import nn

from tunefair.storage import records
from tunefair.training import batches, learn, train
from tunefair.training.ranks import ALONE, Ranks, join
from tunefair.training.tokens import TokenisedTask, Tokens


def together(rank, size, cells, folder):
    """Train each cell as one of `size`, and write what this process saw of it."""
    torch.set_num_threads(1)
    folder = Path(folder)
    ranks = Ranks(rank, size)
    join(folder / "meeting", ranks, cuda=False)
    for name, cell in cells.items():
        alone(cell, folder, folder / name, ranks)


def alone(cell, folder, into, ranks=ALONE):
    """Train one cell without dropout, whose draws no two processes share."""
    task, tokens = records.read_task(folder / "task.parquet"), Tokens.open(folder / "tokens")
    seen, build, fetch = [], learn.build, batches.TrainingRows.__getitems__

    def undropped(*args):
        learner = build(*args)
        for module in learner.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return learner

    def noted(self, numbers):
        seen.append([int(i) for i in numbers])
        return fetch(self, numbers)

    learn.build, batches.TrainingRows.__getitems__ = undropped, noted
    try:
        into.mkdir(exist_ok=True)
        if ranks.rank:
            train.assist(cell, TokenisedTask(task, tokens), ranks, first=None, device="cpu")
        else:
            more = {"device": "cpu", "ranks": ranks, "progress": lambda *_: None}
            records.write_outcome(into, train.train(cell, task, tokens, **more))
        (into / f"seen-{ranks.rank}.json").write_text(json.dumps(seen))
    finally:
        learn.build, batches.TrainingRows.__getitems__ = build, fetch


def killed(job, rank):
    """Die as another process of a cell may."""
    os.kill(os.getpid(), signal.SIGKILL)
