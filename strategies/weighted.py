"""Reweighing: examples weigh in the loss as if label and group were independent."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tunefair.schema import Array, Split
from tunefair.strategy import Batch, Objective, Output, Strategy


@dataclass(frozen=True, kw_only=True)
class Weighted(Strategy):
    reference = (
        "Kamiran & Calders (2012), Data preprocessing techniques for classification without "
        "discrimination, KAIS 33(1). Weights enter the loss instead of a resampling"
    )

    by: Literal["label_and_group", "label", "group"] = "label_and_group"
    """label_and_group: P(g)P(y)/P(g,y). label, group: each of them weighs the same in total."""
    cap: Annotated[float, Field(gt=0)] | None = None
    """The largest weight allowed; the mean weight is 1."""

    @property
    def needs_groups_in(self) -> frozenset[str]:
        return frozenset() if self.by == "label" else frozenset({"train"})

    def objective(self, train: Split, hidden_size: int) -> Objective:
        weights = self.weights(train)
        if self.cap is not None:
            weights = np.minimum(weights, self.cap)
        return _WeightedCrossEntropy(torch.tensor(weights, dtype=torch.float32))

    def weights(self, train: Split) -> Array:
        """Return the weight of every (label, group): (n_classes, n_groups); empty cells have 0."""
        counts = train.counts.astype(np.float64)
        label, group = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
        expected = {
            "label_and_group": label * group / counts.sum(),
            "label": counts.sum() / train.n_classes * counts / np.maximum(label, 1),
            "group": counts.sum() / train.n_groups * counts / np.maximum(group, 1),
        }[self.by]
        weights: Array = np.zeros_like(counts)
        np.divide(expected, counts, out=weights, where=counts > 0)
        return weights


class _WeightedCrossEntropy(Objective):
    weights: Tensor  # (n_classes, n_groups)

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        losses = F.cross_entropy(output.logits, batch.label, reduction="none")
        return (self.weights[batch.label, batch.group] * losses).mean()
