"""Train: one cell becomes predictions, a ledger and a learning curve."""

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
from .tokens import ORIGINAL, Tokens


def train(  # noqa: PLR0913 - the one entry: what, from what, where, and who is told
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
    """Train one cell, then predict validation, test and every view of test, and revise that.

    Parameters
    ----------
    cell, task, tokens : what is trained, on which examples, already tokenised
    first : what the cell that this one starts from left behind
    device : "auto", "cpu", "cuda" or "cuda:N"
    progress : called now and then with the fraction of the budget spent and a few words
    model_folder : where the trained weights are kept (safetensors); None: nowhere
    checkpoints : where the state of training is kept from time to time, and looked for first;
        nowhere where several processes train together
    ranks : the processes that train this cell together, of which this is the first

    Raises
    ------
    BadInputError
        The task is none for the strategy, or the budget does not pay for one step.
    CellFailedError
        Loss or answers diverged, or not even one example at a time fits the memory.
    """
    compose.check(cell.strategy(), task, cell.attribute, where=cell.use)
    if first is not None and not cell.trains:
        return second_stage.revised(cell, first)
    machine = replace(devices.choose(device, cell.training.precision), ranks=ranks)
    start = _start(cell, task, tokens, machine) if cell.start else None
    energy = devices.energy_joules(machine)
    trained = learn(cell, task, tokens, machine, progress, first=first, checkpoints=checkpoints)
    if energy is not None:
        energy = (devices.energy_joules(machine) or energy) - energy
    if trained.resumed or ranks.size > 1:
        energy = None  # what the interrupted part, or another device, drew is not known
    if model_folder is not None:
        models.save(trained.learner.classifier.model, cell.model, model_folder)
    answers = predicted(cell, task, tokens, trained.learner)
    outcome = Outcome(
        test={view: table for (split, view), table in answers.items() if split == "test"},
        validation=answers["validation", ORIGINAL],
        train=answers.get(("train", ORIGINAL)),
        start=start,
        ledger=_ledger(trained, energy),
        curve=tuple(trained.pace.curve),
        hardware=machine.facts(),
    )
    outcome = second_stage.charged(cell, first, outcome) if first else outcome
    return second_stage.revised(cell, outcome)


def assist(
    cell: Cell, data: tuple[Task, Tokens], ranks: Ranks, *, first: Outcome | None, device: str
) -> None:
    """Train a cell together with the process that predicts it; parameters as of `train`."""
    machine = devices.choose(ranks.device(device), cell.training.precision)
    learn(cell, *data, replace(machine, ranks=ranks), lambda *_: None, first=first)


def _start(cell: Cell, task: Task, tokens: Tokens, machine: Machine) -> Predictions:
    """Return what the test split makes of the very weights that this cell begins with."""
    learner = build(cell, task, tokens.pad, machine)
    rows = np.flatnonzero(task.split == "test")
    return predict(learner.classifier, (task, tokens), ORIGINAL, rows, machine)


def predicted(
    cell: Cell, task: Task, tokens: Tokens, learner: Learner
) -> dict[tuple[str, str], Predictions]:
    """Return the answers that are kept, by split and view; nothing is revised yet."""
    asked = [("validation", ORIGINAL), *(("test", view) for view in tokens.views)]
    asked += [("train", ORIGINAL)] if cell.answers_training else []
    return {
        (split, view): predict(
            learner.classifier,
            (task, tokens),
            view,
            np.flatnonzero(task.split == split),
            learner.machine,
        )
        for split, view in asked
    }


def _ledger(trained: Trained, energy: float | None) -> Ledger:
    """Return what was spent; the parameters are the classifier's, not an adversary's."""
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
