"""How the budget controls the training loop: charges, learning rate, reports and the end."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..schema import BadInputError, CellFailedError, CurvePoint
from .budget import Cost, Meter, learning_rate_factor

_POINTS = 50  # of the learning curve
_BETWEEN_REPORTS_SECONDS = 0.3

Progress = Callable[[float, str], None]


class DivergedError(CellFailedError):
    """The training loss, or an output of the model, is infinite or not a number."""


class Pace(TrainerCallback):
    """Follow the Trainer step by step, and let fractions of the budget decide about the cell.

    Each parameter group's rate is its `peak_rate` times the schedule at the middle of the step, so
    neither the first nor the last step has rate 0.
    """

    def __init__(self, meter: Meter, cost: Cost, warmup: float, progress: Progress) -> None:
        self.meter, self.cost, self.warmup, self.progress = meter, cost, warmup, progress
        self.before = 0.0  # fraction of the budget spent when the step began
        self.curve: list[CurvePoint] = []
        self.note = ""
        """What else to report: whether the cell continued from a checkpoint."""
        self._loss: Tensor | float = 0.0  # sum since the last point of the curve
        self._reported = 0.0

    def state(self) -> dict[str, Any]:
        """Return what was spent and the curve so far, as JSON."""
        return {
            **self.meter.spent(),
            "curve": [list(point) for point in self.curve],
            "loss": float(self._loss),  # fp32, so nothing is rounded
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where `state` was taken."""
        self.meter.restore(state)
        self.curve = [CurvePoint(*point) for point in state["curve"]]
        self._loss = torch.tensor(state["loss"], dtype=torch.float32)

    def charge(self, inputs: Mapping[str, Any], loss: Tensor) -> None:
        """Charge one batch, or one part of it, and add its share of the loss."""
        rows, length = inputs["inputs"]["input_ids"].shape
        self.meter.charge(rows=rows, length=length, tokens=inputs["tokens"], cost=self.cost)
        self._loss = self._loss + loss.detach().float()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock, now that everything is set up."""
        self.meter.start()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Store the fraction of the budget at which the step begins."""
        self.before = self.meter.fraction

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the learning rate of the step, whose cost is known by now.

        Raises
        ------
        BadInputError
            The budget is too small for one step.
        """
        self.meter.steps += 1
        after = self.meter.fraction
        if self.meter.steps == 1 and after > 1:
            budget = self.meter.budget
            raise BadInputError(
                f"budget: {budget.amount:g} {budget.currency} do not pay for one step, "
                f"which takes {after * budget.amount:g}"
            )
        factor = learning_rate_factor((self.before + min(after, 1.0)) / 2, self.warmup)
        optimizer: Optimizer = kwargs["optimizer"]
        for group in optimizer.param_groups:
            group["lr"] = group["peak_rate"] * factor
        self.rate = optimizer.param_groups[0]["lr"]

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Extend the curve, report, and stop when the budget is spent."""
        fraction = self.meter.fraction
        control.should_training_stop = fraction >= 1
        if fraction >= min(1, (len(self.curve) + 1) / _POINTS):
            self._add_point(fraction)
        if time.monotonic() - self._reported > _BETWEEN_REPORTS_SECONDS or fraction >= 1:
            self._reported = time.monotonic()
            loss = f", loss {self.curve[-1].loss:.3f}" if self.curve else ""
            self.progress(min(fraction, 1.0), f"step {self.meter.steps}{loss}{self.note}")

    def _add_point(self, fraction: float) -> None:
        """Read the loss: a few times a cell only, as it waits for the accelerator."""
        since = self.curve[-1].step if self.curve else 0
        loss = self.meter.total(float(self._loss)) / (self.meter.steps - since)
        if not torch.isfinite(torch.tensor(loss)):
            raise DivergedError(
                f"diverged at {fraction:.0%} of its budget: the loss became {loss} by step "
                f"{self.meter.steps}"
            )
        self.curve.append(CurvePoint(self.meter.steps, fraction, loss, self.rate))
        self._loss = 0.0
