"""Focal loss: examples that are answered well count less."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tunefair.schema import Split
from tunefair.space import Space
from tunefair.strategy import Batch, Objective, Output, Strategy


@dataclass(frozen=True, kw_only=True)
class Focal(Strategy):
    reference = "Lin et al. (2017), Focal loss for dense object detection, ICCV; without alpha"

    gamma: Annotated[float, Field(ge=0), Space(0.5, 5)] = 2.0
    """The loss is multiplied by (1 - p) ** gamma, p the probability of the label."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _FocalLoss(self.gamma)


class _FocalLoss(Objective):
    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, output: Output, batch: Batch) -> Tensor:
        losses = F.cross_entropy(output.logits, batch.label, reduction="none")
        missed = -torch.expm1(-losses)  # 1 - p
        return (missed.clamp(min=1e-8) ** self.gamma * losses).mean()
