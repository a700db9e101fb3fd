"""One sentence: which choice this strategy makes, and why. Copy this file to begin a new one.

The copy's file name is the strategy's name, its fields are its options. Override only what the
strategy changes: `adapt`, `sampling_weights`, `objective` or `revise` (see bench/strategy.py).
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor

from tunefair.schema import Split
from tunefair.space import Space
from tunefair.strategy import Batch, Objective, Output, Strategy


@dataclass(frozen=True, kw_only=True)
class Template(Strategy):
    reference = (
        "Pereyra et al. (2017), Regularizing neural networks by penalizing confident outputs"
    )

    strength: Annotated[float, Field(ge=0), Space(0.01, 1, log=True)] = 0.1
    """What the option means, with its unit: here nats of loss for a nat of entropy."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _ConfidencePenalty(self.strength)


class _ConfidencePenalty(Objective):
    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, output: Output, batch: Batch) -> Tensor:
        log_probability = output.logits.log_softmax(dim=1)
        entropy = -(log_probability.exp() * log_probability).sum(dim=1).mean()
        return super().forward(output, batch) - self.strength * entropy
