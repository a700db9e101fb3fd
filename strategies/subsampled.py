"""Subsampled: as many examples of each label and group as the smallest combination has."""

from dataclasses import dataclass

import numpy as np
import torch

from tunefair.schema import Array, Split
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Subsampled(Strategy):
    reference = (
        "Idrissi et al. (2022), Simple data balancing achieves competitive worst-group accuracy, "
        "CLeaR (SUBG). The seed draws the examples; empty combinations are left out"
    )
    needs_groups_in = frozenset({"train"})

    def sampling_weights(self, train: Split) -> Array:
        smallest = int(train.counts[train.counts > 0].min())
        weights = np.zeros(len(train.label))
        for label, group in np.argwhere(train.counts > 0):
            rows = np.flatnonzero((train.label == label) & (train.group == group))
            weights[rows[torch.randperm(len(rows))[:smallest].numpy()]] = 1
        return weights
