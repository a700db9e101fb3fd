"""Group difference: groups are to have the same loss within each label."""

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
class GroupDifference(Strategy):
    reference = (
        "Shen et al. (2022), Optimising equal opportunity fairness in model training, NAACL "
        "(EO-CLA): how far a group's loss is from its label's, in absolute value, over the batch"
    )
    needs_groups_in = frozenset({"train"})

    strength: Annotated[float, Field(ge=0), Space(0.1, 10, log=True)] = 1.0
    """Nats of loss for a nat of difference, summed over labels and groups."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _EqualLosses(train, self.strength)


class _EqualLosses(Objective):
    def __init__(self, train: Split, strength: float) -> None:
        super().__init__()
        self.shape, self.strength = (train.n_classes, train.n_groups), strength

    def forward(self, output: Output, batch: Batch) -> Tensor:
        losses = F.cross_entropy(output.logits, batch.label, reduction="none")
        where = (batch.label, batch.group)
        empty = losses.new_zeros(self.shape)
        total = empty.index_put(where, losses, accumulate=True)
        seen = empty.index_put(where, torch.ones_like(losses), accumulate=True)
        of_cell = total / seen.clamp(min=1)
        of_label = total.sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
        difference = torch.where(seen > 0, of_cell - of_label, 0.0).abs().sum()
        return losses.mean() + self.strength * difference
