"""Group thresholds for equal selection rates, so the group must be known of every text."""

from dataclasses import dataclass

from tunefair.strategies.equalized_odds_threshold import EqualizedOddsThreshold


@dataclass(frozen=True, kw_only=True)
class DemographicParityThreshold(EqualizedOddsThreshold):
    constraint = "demographic_parity"
