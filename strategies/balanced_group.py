"""Balanced groups: every group is seen equally often."""

from dataclasses import dataclass

from tunefair.schema import Array, Split
from tunefair.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class BalancedGroup(Strategy):
    reference = (
        "Idrissi et al. (2022), Simple data balancing achieves competitive worst-group accuracy, "
        "CLeaR; there, groups are combinations of label and attribute"
    )
    needs_groups_in = frozenset({"train"})

    def sampling_weights(self, train: Split) -> Array:
        odds: Array = 1 / train.counts.sum(axis=0)[train.group]
        return odds
