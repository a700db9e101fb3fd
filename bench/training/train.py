"""Train one cell: the result is its predictions, its ledger and its learning curve."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..planning import compose
from ..planning.plan import Cell
from ..schema import Ledger, Outcome, Predictions, Task
from . import device as devices
from . import model as models
from . import second_stage
from .device import Machine
from .learn import Trained, build, learn
from .loop import Learner
from .pace import Progress
from .predict import predict
from .ranks import ALONE, Ranks
from .tokens import ORIGINAL, TokenisedTask, Tokens


def train(  # noqa: PLR0913 - the one entry: cell, data, device, files and progress
    cell: Cell,
    task: Task,
    tokens: Tokens,
    *,
    first: Outcome | None = None,
    device: str = "auto",
    progress: Progress,
    model_folder: Path | None = None,
    checkpoints: Path | None = None,
    ranks: Ranks = ALONE,
) -> Outcome:
    """Train one cell, predict validation, test and every view of test, then revise predictions.

    Parameters
    ----------
    cell, task, tokens : what is trained, on which examples, already tokenised
    first : the outcome of the cell that this one starts from
    device : "auto", "cpu", "cuda" or "cuda:N"
    progress : called from time to time with the fraction of the budget spent and a few words
    model_folder : where the trained weights are saved (safetensors); None: they are not saved
    checkpoints : where the state of training is saved from time to time, and read at the start;
        not used where several processes train together
    ranks : the processes that train this cell together, of which this is the first

    Raises
    ------
    BadInputError
        The strategy cannot be used on the task, or the budget does not pay for one step.
    CellFailedError
        The loss or the predictions diverged, or the memory is too small for a single example.
    """
    compose.check(cell.strategy(), task, cell.attribute, where=cell.use)
    if first is not None and not cell.trains:
        return second_stage.revised(cell, first)
    machine = replace(devices.choose(device, cell.training.precision), ranks=ranks)
    data = TokenisedTask(task, tokens)
    start = _start(cell, data, machine) if cell.start else None
    energy = devices.energy_joules(machine)
    trained = learn(cell, task, tokens, machine, progress, first=first, checkpoints=checkpoints)
    if energy is not None:
        energy = (devices.energy_joules(machine) or energy) - energy
    if trained.resumed or ranks.size > 1:
        energy = None  # that of the interrupted part, or of another device, is not known
    if model_folder is not None:
        models.save(trained.learner.classifier.model, cell.model, model_folder)
    tables = predicted(cell, data, trained.learner)
    outcome = Outcome(
        test={view: table for (split, view), table in tables.items() if split == "test"},
        validation=tables["validation", ORIGINAL],
        train=tables.get(("train", ORIGINAL)),
        start=start,
        ledger=_ledger(trained, energy),
        curve=tuple(trained.pace.curve),
        hardware=machine.facts(),
    )
    outcome = second_stage.charged(cell, first, outcome) if first else outcome
    return second_stage.revised(cell, outcome)


def assist(
    cell: Cell, data: TokenisedTask, ranks: Ranks, *, first: Outcome | None, device: str
) -> None:
    """Train a cell together with the process that predicts; parameters as for `train`."""
    machine = replace(devices.choose(ranks.device(device), cell.training.precision), ranks=ranks)
    learn(cell, data.task, data.tokens, machine, lambda *_: None, first=first)


def _start(cell: Cell, data: TokenisedTask, machine: Machine) -> Predictions:
    """Return predictions of the test split by the weights that this cell begins with."""
    learner = build(cell, data.task, data.tokens.pad, machine)
    rows = np.flatnonzero(data.task.split == "test")
    return predict(learner.classifier, data, ORIGINAL, rows, machine)


def predicted(
    cell: Cell, data: TokenisedTask, learner: Learner
) -> dict[tuple[str, str], Predictions]:
    """Return the predictions that the outcome holds, by split and view, before any revision."""
    wanted = [("validation", ORIGINAL), *(("test", view) for view in data.tokens.views)]
    wanted += [("train", ORIGINAL)] if cell.answers_training else []
    return {
        (split, view): predict(
            learner.classifier,
            data,
            view,
            np.flatnonzero(data.task.split == split),
            learner.machine,
        )
        for split, view in wanted
    }


def _ledger(trained: Trained, energy: float | None) -> Ledger:
    """Return what was spent; an objective's own parameters, as of an adversary, do not count."""
    meter, learner = trained.pace.meter, trained.learner
    parameters = [p for p in learner.classifier.parameters() if p.requires_grad]
    changed = getattr(learner.classifier.model, "changed_weights", parameters)
    return Ledger(
        flops=meter.flops,
        tokens=meter.tokens,
        padded_tokens=meter.padded_tokens,
        examples=meter.examples,
        steps=meter.steps,
        seconds=trained.seconds,
        peak_memory_bytes=devices.peak_memory_bytes(learner.machine),
        trainable_parameters=sum(p.numel() for p in parameters),
        stored_bytes=sum(p.numel() * p.element_size() for p in changed),
        energy_joules=energy,
        rows_at_a_time=trained.rows_at_a_time,
        kept_fraction=trained.kept.fraction,
        kept_because=trained.kept.why,
    )
