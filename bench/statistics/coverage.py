"""How often the 95 % intervals covered where the truth was known: docs/uncertainty.md, as numbers.

`python -m tests.performance.coverage_table FOLDER --code` prints the table below from what the
simulation found; a test holds it equal to the page.
"""

from collections.abc import Mapping
from typing import NamedTuple

PROMISED = 93.0
"""Below this a nominal 95 % interval promises too much."""


class Coverage(NamedTuple):
    """Shares of simulated studies, in %: of the worst setting and of the best."""

    low: float
    high: float


def of_whole(metric: str) -> Coverage | None:
    """Return the coverage of a metric of the whole test set or between groups, if simulated."""
    return COVERAGE.get(metric)


def of_group(metric: str) -> Coverage | None:
    """Return the coverage of a metric of the smallest group of 50 to 200 examples."""
    return COVERAGE.get(f"{metric} of the smallest group")


COVERAGE: Mapping[str, Coverage] = {
    "accuracy": Coverage(95.1, 98.8),
    "accuracy of the smallest group": Coverage(94.6, 98.6),
    "balanced_accuracy": Coverage(95.5, 97.1),
    "f1_macro": Coverage(95.3, 97.0),
    "log_loss": Coverage(94.4, 98.2),
    "log_loss of the smallest group": Coverage(93.3, 97.7),
    "roc_auc": Coverage(95.1, 98.1),
    "roc_auc of the smallest group": Coverage(94.9, 98.8),
    "selection_rate of the smallest group": Coverage(94.8, 97.2),
    "true_positive_rate of the smallest group": Coverage(94.9, 99.2),
    "false_positive_rate of the smallest group": Coverage(96.2, 99.1),
    "precision of the smallest group": Coverage(96.4, 96.5),
    "impact_ratio of the smallest group": Coverage(95.5, 99.7),
    "demographic_parity_difference": Coverage(97.6, 100.0),
    "demographic_parity_ratio": Coverage(97.6, 100.0),
    "equal_opportunity_difference": Coverage(97.5, 100.0),
    "equalized_odds_difference": Coverage(98.1, 100.0),
    "equalized_odds_ratio": Coverage(99.9, 100.0),
    "predictive_parity_difference": Coverage(97.7, 99.7),
    "accuracy_difference": Coverage(97.9, 100.0),
    "worst_group_accuracy": Coverage(97.9, 100.0),
    "worst_cell_accuracy": Coverage(99.6, 100.0),
    "bpsn_auc of the smallest group": Coverage(93.7, 97.7),
    "bnsp_auc of the smallest group": Coverage(91.5, 96.8),
    "bias_auc": Coverage(95.3, 98.3),
    "dto": Coverage(99.2, 99.8),
    "expected_calibration_error": Coverage(98.6, 100.0),
    "expected_calibration_error of the smallest group": Coverage(98.6, 100.0),
    "positive_calibration_error": Coverage(99.4, 100.0),
    "positive_calibration_error of the smallest group": Coverage(97.6, 100.0),
    "calibration_in_the_large": Coverage(94.7, 95.8),
    "calibration_in_the_large of the smallest group": Coverage(94.4, 95.8),
    "brier_reliability": Coverage(100.0, 100.0),
    "brier_reliability of the smallest group": Coverage(99.3, 100.0),
    "brier_resolution": Coverage(97.0, 99.6),
    "brier_resolution of the smallest group": Coverage(89.5, 99.4),
    "calibration_difference": Coverage(99.2, 100.0),
    "adaptive_calibration_error": Coverage(100.0, 100.0),
    "adaptive_calibration_error of the smallest group": Coverage(100.0, 100.0),
    "debiased_calibration_error": Coverage(100.0, 100.0),
    "debiased_calibration_error of the smallest group": Coverage(99.9, 99.9),
    "smooth_calibration_error": Coverage(97.0, 97.0),
    "smooth_calibration_error of the smallest group": Coverage(94.9, 94.9),
    "brier_score": Coverage(95.9, 95.9),
    "brier_score of the smallest group": Coverage(95.8, 95.8),
}
