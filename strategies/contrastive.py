"""Contrastive: a label's hidden vectors attract, and only same-group rivals repel."""

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
class Contrastive(Strategy):
    reference = (
        "Park et al. (2022), Fair contrastive learning for facial attribute classification, CVPR "
        "(FSCL), on Khosla et al. (2020), NeurIPS. Added to cross-entropy, at the temperature of "
        "Gunel et al. (2021) for text; no projection head, no augmented views. A partner competes "
        "with rivals alone, not with other partners: small batches have few rivals, and partners "
        "would repel one another"
    )
    needs_groups_in = frozenset({"train"})

    strength: Annotated[float, Field(ge=0), Space(0.1, 10, log=True)] = 1.0
    """Of the contrastive loss beside the cross-entropy."""
    temperature: Annotated[float, Field(gt=0), Space(0.05, 1, log=True)] = 0.3
    """Cosine similarities are divided by it."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _FairContrast(self.strength, self.temperature)


class _FairContrast(Objective):
    def __init__(self, strength: float, temperature: float) -> None:
        super().__init__()
        self.strength, self.temperature = strength, temperature

    def forward(self, output: Output, batch: Batch) -> Tensor:
        unit = F.normalize(output.hidden, dim=1)
        similarity = unit @ unit.T / self.temperature  # (n, n)
        same_label = batch.label[:, None] == batch.label
        positive = same_label & ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
        rival = ~same_label & (batch.group[:, None] == batch.group)
        rivals = similarity.masked_fill(~rival, -1e9).logsumexp(dim=1, keepdim=True)
        # -log(exp(partner) / (exp(partner) + sum of exp(rival))): 0 where there is no rival
        losses = torch.where(positive, F.softplus(rivals - similarity), 0.0)
        contrast = losses.sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        return super().forward(output, batch) + self.strength * contrast.mean()
