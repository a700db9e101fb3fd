"""Label smoothing: some of each label's weight is spread over all classes."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tunefair.schema import Split
from tunefair.space import Space
from tunefair.strategy import Batch, Objective, Output, Strategy


@dataclass(frozen=True, kw_only=True)
class LabelSmoothing(Strategy):
    reference = "Szegedy et al. (2016), Rethinking the Inception architecture, CVPR, section 7"

    smoothing: Annotated[float, Field(ge=0, lt=1), Space(0, 0.3)] = 0.1
    """Share of the label's weight that is spread evenly."""

    def objective(self, train: Split, hidden_size: int) -> Objective:
        return _Smoothed(self.smoothing)


class _Smoothed(Objective):
    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, output: Output, batch: Batch) -> Tensor:
        losses = F.cross_entropy(
            output.logits, batch.label, reduction="none", label_smoothing=self.smoothing
        )
        return losses.mean()
