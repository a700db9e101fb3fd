"""Group DRO: the loss of the worst combination of label and group is minimised."""

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
class GroupDRO(Strategy):
    reference = (
        "Sagawa et al. (2020), Distributionally robust neural networks for group shifts, ICLR, "
        "algorithm 1. Batches hold what the data hold; `balanced+group_dro` adds their sampler"
    )
    needs_groups_in = frozenset({"train"})

    step_size: Annotated[float, Field(gt=0), Space(0.001, 1, log=True)] = 0.01
    """eta_q: how fast weight moves to the worse combinations, a step."""
    adjustment: Annotated[float, Field(ge=0), Space(0, 5)] = 0.0
    """C: C / sqrt(n) is added to the loss of a combination with n examples."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        counts = torch.tensor(train.counts, dtype=torch.float32)
        return _WorstCase(counts, self.step_size, self.adjustment)


class _WorstCase(Objective):
    weights: Tensor  # (n_classes * n_groups,), sums to 1
    handicap: Tensor  # the same, added to the losses

    def __init__(self, counts: Tensor, step_size: float, adjustment: float) -> None:
        super().__init__()
        self.n_groups, self.step_size = counts.shape[1], step_size
        present = (counts > 0).flatten().float()
        self.register_buffer("weights", present / present.sum())
        self.register_buffer("handicap", adjustment * counts.flatten().clamp(min=1).rsqrt())

    def forward(self, output: Output, batch: Batch) -> Tensor:
        losses = F.cross_entropy(output.logits, batch.label, reduction="none")
        cell = batch.label * self.n_groups + batch.group
        seen = torch.zeros_like(self.weights).index_add(0, cell, torch.ones_like(losses))
        total = torch.zeros_like(self.weights).index_add(0, cell, losses)
        mean = total / seen.clamp(min=1) + torch.where(seen > 0, self.handicap, 0.0)
        with torch.no_grad():
            raised = self.weights * torch.exp(self.step_size * mean)
            self.weights.copy_(raised / raised.sum())
        return (self.weights * mean).sum()
