"""Group thresholds for equal selection rates, so the group must be known of every text."""

from dataclasses import dataclass

from bench.schema import Predictions
from bench.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class DemographicParityThreshold(Strategy):
    reference = (
        "Hardt, Price & Srebro (2016), Equality of opportunity in supervised learning, NeurIPS, "
        "as fairlearn's ThresholdOptimizer solves it; fitted on validation, random ties repeatable"
    )
    needs_groups_in = frozenset({"train", "inference"})
    binary_only = True

    def revise(self, validation: Predictions, predictions: Predictions) -> Predictions:
        from bench.thresholds import decide

        return decide(validation, predictions, "demographic_parity")
