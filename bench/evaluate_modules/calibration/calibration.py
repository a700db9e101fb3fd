"""Calibration errors with intervals, as a module of the `evaluate` library.

One import a line: the library reads this file to learn what it needs.
"""

from typing import Any

import datasets
import evaluate
import numpy as np

from tunefair.evaluate_modules.answers import answer
from tunefair.evaluate_modules.answers import predictions as table
from tunefair.schema import AuditSettings

DESCRIPTION = """Whether stated probabilities mean what they say: binned, equal-mass, debiased and
smooth calibration error, and the Brier score with its parts, each with a 95 % interval."""
INPUTS = """
predictions: probability vectors, one a class, rows sum to 1; references: class indices;
replicates: bootstrap draws (default 2,000); seed: of the draws (default 0).
"""


class Calibration(evaluate.Metric):  # type: ignore[misc]  # the library is not annotated
    """`compute(predictions=probabilities, references=labels)` -> metric -> value, low, high, n."""

    def _info(self) -> evaluate.MetricInfo:
        features = {
            "predictions": datasets.Sequence(datasets.Value("float64")),
            "references": datasets.Value("int64"),
        }
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="Guo et al. (2017); Kumar, Liang & Ma (2019); Błasiok & Nakkiran (2024)",
            inputs_description=INPUTS,
            features=datasets.Features(features),
        )

    def _compute(
        self,
        *,
        predictions: list[list[float]],
        references: list[int],
        replicates: int = 2000,
        seed: int = 0,
    ) -> dict[str, Any]:
        probability = np.asarray(predictions, dtype=np.float64)
        made = table(references, probability.argmax(axis=1), probability)
        return answer("calibration", made, AuditSettings(replicates=replicates, seed=seed))
