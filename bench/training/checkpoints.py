"""Checkpoints: an interrupted cell continues from its last one and gives the same bytes.

The seed determines the batches, and building the learner again gives the frozen weights. A
checkpoint holds everything else: trained weights, the optimiser's moments, buffers, what was
spent, the learning curve, the best weights so far and the random states. It is written as JSON and
safetensors, never as pickle.
"""

import os
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..planning.plan import Cell
from ..schema import BadInputError
from ..storage import files
from .device import Machine
from .loop import Learner
from .pace import Pace
from .selection import Selection
from .weights import changing, put_back

SECONDS = "TUNEFAIR_CHECKPOINT_SECONDS"
"""Environment variable: seconds between checkpoints, 60 when not set."""
_WORK_BETWEEN = 20  # times the duration of the last checkpoint: they take 5 % of a cell at most
_STATE, _LEARNER, _OPTIMISER, _BEST = (
    "state.json",
    "learner.safetensors",
    "optimiser.safetensors",
    "best.safetensors",
)


class _Run(NamedTuple):
    """The parts of a training that have a state."""

    learner: Learner
    pace: Pace
    selection: Selection | None


class Checkpoints(TrainerCallback):
    """Write a cell's state from time to time; restore it when the cell is trained again.

    Parameters
    ----------
    folder : holds one sealed folder per checkpoint, of which the newest counts; None: no
        checkpoint is written
    cell, machine : a checkpoint of another cell, of other library versions or of hardware that
        computes other last digits is ignored

    Raises
    ------
    BadInputError
        The environment variable does not hold a number of seconds.
    """

    def __init__(self, folder: Path | None, cell: Cell, machine: Machine) -> None:
        self.folder, self.machine, self.seconds = folder, machine, _seconds()
        self.identity = _identity(cell, machine)
        self.parts, self.steps, self.note = 1, 0, ""
        self._saved: Path | None = None
        self._state: dict[str, Any] = {}
        self._generators: dict[str, Any] = {}
        if folder is not None and folder.is_dir():
            self._find(folder)

    def _find(self, folder: Path) -> None:
        files.remove_drafts(folder)
        saved = [p for p in folder.iterdir() if p.name.isdigit()]
        if not saved:
            return
        newest = max(saved, key=lambda p: int(p.name))
        try:
            state = files.read_json(newest / _STATE) if files.is_sealed(newest) else {}
            identity, parts, steps = state["identity"], state["parts"], state["pace"]["steps"]
        except (BadInputError, KeyError, TypeError):
            self.note = ", from the start: the checkpoint is damaged"
            return
        if identity != self.identity:
            self.note = ", from the start: the checkpoint is of other versions or hardware"
            return
        self._saved, self._state = newest, state
        self.parts, self.steps = parts, steps
        self.note = f", resumed at step {self.steps}"

    def forget(self) -> None:
        """Remove all checkpoints: training begins again at its first step."""
        self._saved, self.steps, self.note = None, 0, ""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def follow(self, learner: Learner, pace: Pace, selection: Selection | None) -> None:
        """Write and restore the state of this training."""
        self._run = _Run(learner, pace, selection)
        pace.note = self.note

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Restore all but the random states: building the batches still draws numbers."""
        self._last, self._took = time.monotonic(), 0.0
        if self._saved is None:
            return
        learner, pace, selection = self._run
        put_back(learner, load_file(self._saved / _LEARNER))
        moments = load_file(self._saved / _OPTIMISER)
        _set_moments(kwargs["optimizer"], learner, moments)
        pace.restore(self._state["pace"])
        if selection is not None:
            selection.restore(self._state["selection"], load_file(self._saved / _BEST))
        self._generators = self._state["random"]

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Restore the random states, before the first step draws from them."""
        if self._generators:
            _set_generators(self._generators, self.machine)
            self._generators = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write a checkpoint if it is time to; the cell is not charged for it."""
        waited = time.monotonic() - self._last
        due = waited >= max(self.seconds, _WORK_BETWEEN * self._took)
        if self.folder is None or control.should_training_stop or not due:
            return
        self.machine.finish()
        begun = time.monotonic()
        with self._run.pace.meter.paused():
            try:
                self._write(self.folder, kwargs["optimizer"])
            except (OSError, SafetensorError) as error:
                self._run.pace.note = f", no checkpoint: {error}"
        self._last = time.monotonic()
        self._took = self._last - begun

    def _write(self, folder: Path, optimizer: Optimizer) -> None:
        learner, pace, selection = self._run
        state = {
            "identity": self.identity,
            "parts": self.parts,
            "pace": pace.state(),
            "selection": selection.state() if selection else None,
            "random": _generators(self.machine),
        }
        best = selection.weights if selection else {}

        def fill(draft: Path) -> None:
            save_file(_writable(changing(learner)), draft / _LEARNER)
            save_file(_writable(_moments(optimizer, learner)), draft / _OPTIMISER)
            save_file(best, draft / _BEST)
            files.write(draft / _STATE, files.to_json(state))

        newest = folder / str(pace.meter.steps)
        files.write_sealed(newest, fill)
        for older in folder.iterdir():
            if older != newest:
                shutil.rmtree(older, ignore_errors=True)


def _seconds() -> float:
    try:
        return float(os.environ.get(SECONDS, "60"))
    except ValueError:
        raise BadInputError(f"{SECONDS} = {os.environ[SECONDS]!r}: not a number") from None


def _identity(cell: Cell, machine: Machine) -> dict[str, str]:
    """Return what must be equal to give the same digits; the device's number does not matter."""
    versions = {name: version(name) for name in ("torch", "transformers", "peft", "numpy")}
    hardware = {name: fact for name, fact in machine.facts().items() if name != "device"}
    return {"cell": cell.id, **versions, **hardware}


def _writable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors writes them; those on the CPU are not copied."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _moments(optimizer: Optimizer, learner: nn.Module) -> dict[str, Tensor]:
    """Return the optimiser's state: "moment parameter" -> tensor."""
    return {
        f"{moment} {name}": value
        for name, parameter in learner.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def _set_moments(optimizer: Optimizer, learner: nn.Module, saved: Mapping[str, Tensor]) -> None:
    parameters = dict(learner.named_parameters())
    for key, value in saved.items():
        moment, name = key.split(" ", 1)
        parameter = parameters[name]
        optimizer.state[parameter][moment] = value.to(parameter.device)


def _generators(machine: Machine) -> dict[str, Any]:
    """Return torch's random states, the only ones that a strategy may draw from."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "cuda": [torch.cuda.get_rng_state(i).tolist() for i in machine.generators],
    }


def _set_generators(saved: Mapping[str, Any], machine: Machine) -> None:
    torch.set_rng_state(torch.tensor(saved["torch"], dtype=torch.uint8))
    for index, state in zip(machine.generators, saved["cuda"], strict=True):
        torch.cuda.set_rng_state(torch.tensor(state, dtype=torch.uint8), index)
