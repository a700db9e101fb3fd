"""Selection: which of several checkpoints makes the predictions, chosen on validation only."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..audit import declared
from ..measuring.validation_score import RULES
from ..measuring.validation_score import score as _score
from ..schema import Predictions
from ..suite import Training
from .loop import Learner
from .pace import Pace
from .weights import changing, put_back


class Kept(NamedTuple):
    """The weights that make the predictions."""

    fraction: float
    """Of the budget, spent when training reached them."""
    why: str
    """The rule and its score, or why there is no score."""


class Selection(TrainerCallback):
    """Score the model on validation at equal fractions of the budget and keep the best weights.

    The scores are of predictions before any revision. They are not charged and do not change
    training: the same steps follow as without them.
    """

    def __init__(
        self,
        learner: Learner,
        pace: Pace,
        training: Training,
        attribute: str,
        answer: Callable[[], Predictions],
    ) -> None:
        self.learner, self.pace, self.training = learner, pace, training
        self.attribute, self.answer = attribute, answer
        self.score, self.fraction, self.undefined = math.nan, 1.0, ""
        self.weights: dict[str, Tensor] = {}
        self._next = 1  # checkpoint, of `training.checkpoints`

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Score the weights when the next fraction of the budget is spent."""
        fraction = self.pace.meter.fraction
        if fraction * self.training.checkpoints < self._next:
            return
        self._next = math.floor(fraction * self.training.checkpoints) + 1
        machine = self.learner.machine
        machine.finish()
        with self.pace.meter.paused(), torch.random.fork_rng(machine.generators):
            self._judge(min(fraction, 1.0), self.answer())

    def _judge(self, fraction: float, answers: Predictions) -> None:
        metric = RULES[self.training.selection]
        groups = self.attribute if self.training.selects_by_group else ""
        value, reason = _score(metric, answers, groups)
        meaning = declared()[metric][1]
        if math.isnan(value):
            self.undefined = reason
        elif not meaning.loss(value, self.score) > 0:  # the later one of two that score the same
            self.score, self.fraction = value, fraction
            now = changing(self.learner.classifier)
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in now.items()}

    def state(self) -> dict[str, Any]:
        """Return the scores so far, as JSON; the weights are saved separately."""
        score = None if math.isnan(self.score) else self.score
        return {
            "score": score,
            "fraction": self.fraction,
            "undefined": self.undefined,
            "next": self._next,
        }

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Continue where `state` was taken."""
        self.score = math.nan if state["score"] is None else state["score"]
        self.fraction, self.undefined = state["fraction"], state["undefined"]
        self._next, self.weights = state["next"], dict(weights)

    def settle(self) -> Kept:
        """Put the best weights back, and return when and why they were chosen."""
        rule = self.training.selection
        if not self.weights:
            return Kept(1.0, f"last step: {rule} is undefined ({self.undefined})")
        put_back(self.learner.classifier, self.weights)
        return Kept(self.fraction, f"{rule} {self.score:.4g}")
