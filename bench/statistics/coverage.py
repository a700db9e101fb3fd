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
    "accuracy": Coverage(95.0, 98.5),
    "accuracy of the smallest group": Coverage(94.6, 98.8),
    "balanced_accuracy": Coverage(95.3, 98.4),
    "f1_macro": Coverage(95.2, 98.3),
    "log_loss": Coverage(94.2, 97.5),
    "log_loss of the smallest group": Coverage(93.3, 97.8),
    "roc_auc": Coverage(94.0, 97.1),
    "roc_auc of the smallest group": Coverage(94.9, 98.5),
    "selection_rate of the smallest group": Coverage(94.8, 98.2),
    "true_positive_rate of the smallest group": Coverage(95.1, 99.5),
    "false_positive_rate of the smallest group": Coverage(95.0, 98.9),
    "precision of the smallest group": Coverage(94.9, 98.0),
    "impact_ratio of the smallest group": Coverage(90.5, 100.0),
    "demographic_parity_difference": Coverage(97.3, 100.0),
    "demographic_parity_ratio": Coverage(98.1, 100.0),
    "equal_opportunity_difference": Coverage(97.4, 100.0),
    "equalized_odds_difference": Coverage(97.9, 100.0),
    "equalized_odds_ratio": Coverage(98.9, 100.0),
    "predictive_parity_difference": Coverage(96.8, 100.0),
    "accuracy_difference": Coverage(97.9, 100.0),
    "worst_group_accuracy": Coverage(98.3, 100.0),
    "worst_cell_accuracy": Coverage(99.1, 100.0),
    "bpsn_auc of the smallest group": Coverage(93.7, 98.0),
    "bnsp_auc of the smallest group": Coverage(91.5, 98.3),
    "bias_auc": Coverage(94.9, 98.1),
    "dto": Coverage(97.1, 100.0),
    "expected_calibration_error": Coverage(98.2, 100.0),
    "expected_calibration_error of the smallest group": Coverage(98.6, 100.0),
    "positive_calibration_error": Coverage(99.0, 100.0),
    "positive_calibration_error of the smallest group": Coverage(97.6, 100.0),
    "calibration_in_the_large": Coverage(94.7, 96.1),
    "calibration_in_the_large of the smallest group": Coverage(94.4, 95.9),
    "brier_reliability": Coverage(99.7, 100.0),
    "brier_reliability of the smallest group": Coverage(97.9, 100.0),
    "brier_resolution": Coverage(97.0, 99.9),
    "brier_resolution of the smallest group": Coverage(82.9, 99.8),
    "calibration_difference": Coverage(99.2, 100.0),
    "adaptive_calibration_error": Coverage(100.0, 100.0),
    "adaptive_calibration_error of the smallest group": Coverage(99.9, 100.0),
    "debiased_calibration_error": Coverage(100.0, 100.0),
    "debiased_calibration_error of the smallest group": Coverage(99.9, 100.0),
    "smooth_calibration_error": Coverage(97.0, 98.7),
    "smooth_calibration_error of the smallest group": Coverage(92.7, 97.0),
    "brier_score": Coverage(95.3, 95.9),
    "brier_score of the smallest group": Coverage(95.8, 96.9),
}
