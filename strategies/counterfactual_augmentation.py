"""Counterfactual augmentation: texts are also seen with the terms of two groups exchanged."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from tunefair.schema import Array, Split
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class CounterfactualAugmentation(Strategy):
    reference = (
        "Lu et al. (2020), Gender bias in neural natural language processing: each text that the "
        "task's lexicon changes is added once, exchanged in both directions, with its label, and "
        "only by views that keep the label. Of several views the seed picks one; the group label "
        "stays that of the original"
    )
    needs_views = True

    def sampling_weights(self, train: Split) -> Mapping[str, Array]:
        changed = np.stack(list(train.views.values()))  # (n_views, n) bool
        chance = torch.rand(changed.shape, dtype=torch.float64).numpy()
        picked = (np.where(changed, chance, -1)).argmax(axis=0)
        odds = {
            view: (changed[number] & (picked == number)).astype(np.float64)
            for number, view in enumerate(train.views)
        }
        return {"original": np.ones(len(train.label)), **odds}
