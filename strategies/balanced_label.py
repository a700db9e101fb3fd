"""Balanced labels: every label is seen equally often."""

from dataclasses import dataclass

from tunefair.schema import Array, Split
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class BalancedLabel(Strategy):
    reference = (
        "Idrissi et al. (2022), Simple data balancing achieves competitive worst-group accuracy, "
        "CLeaR (RWY)"
    )

    def sampling_weights(self, train: Split) -> Array:
        odds: Array = 1 / train.counts.sum(axis=1)[train.label]
        return odds
