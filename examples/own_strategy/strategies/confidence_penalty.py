"""Cross-entropy less a share of the entropy: sure answers cost more (Pereyra et al., 2017)."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tunefair.schema import Split
from tunefair.strategy import Batch, Objective, Output, Strategy


class Penalised(Objective):
    """Mean of CE(y, p) − β H(p)."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Return the loss of one batch, a scalar."""
        log_p = F.log_softmax(output.logits, dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1)
        cross_entropy = F.nll_loss(log_p, batch.label, reduction="none")
        return (cross_entropy - self.strength * entropy).mean()


@dataclass(frozen=True, kw_only=True)
class ConfidencePenalty(Strategy):
    """The file's name, `confidence_penalty`, is the strategy's name."""

    reference = (
        "Pereyra et al. (2017), Regularizing Neural Networks by Penalizing Confident Output "
        "Distributions, equation 4; no annealing."
    )

    strength: Annotated[float, Field(ge=0)] = 0.1
    """β, weight of the entropy, in nats."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        """Choose what is minimised."""
        return Penalised(self.strength)
