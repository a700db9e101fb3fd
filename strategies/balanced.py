"""Balanced: every combination of label and group is seen equally often."""

from dataclasses import dataclass

from tunefair.schema import Array, Split
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class Balanced(Strategy):
    reference = (
        "Idrissi et al. (2022), Simple data balancing achieves competitive worst-group accuracy, "
        "CLeaR (RWG)"
    )
    needs_groups_in = frozenset({"train"})

    def sampling_weights(self, train: Split) -> Array:
        odds: Array = 1 / train.counts[train.label, train.group]
        return odds
