"""Group rates and gaps with intervals and noise floors, as a module of the `evaluate` library.

One import a line: the library reads this file to learn what it needs.
"""

from typing import Any

import datasets
import evaluate
import numpy as np

from tunefair.evaluate_modules.answers import answer
from tunefair.evaluate_modules.answers import predictions as table
from tunefair.schema import AuditSettings

DESCRIPTION = """How a classifier treats each group, and how far groups are apart: rates,
demographic parity, equalized odds, worst group, each with a 95 % interval; undefined is never
0."""
INPUTS = """
predictions: class indices; references: class indices; groups: each example's group ("" where it
is not annotated); min_group_size: smaller groups are left out (default 30); replicates, seed.
"""


class GroupFairness(evaluate.Metric):  # type: ignore[misc]  # the library is not annotated
    """`compute(predictions=…, references=…, groups=…)` -> metric -> value, low, high, n."""

    def _info(self) -> evaluate.MetricInfo:
        features = {
            "predictions": datasets.Value("int64"),
            "references": datasets.Value("int64"),
            "groups": datasets.Value("string"),
        }
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="Hardt, Price & Srebro (2016); Agarwal et al. (2018); Sagawa et al. (2020)",
            inputs_description=INPUTS,
            features=datasets.Features(features),
        )

    def _compute(  # noqa: PLR0913 - the library passes every column and option by name
        self,
        *,
        predictions: list[int],
        references: list[int],
        groups: list[str],
        min_group_size: int = 30,
        replicates: int = 2000,
        seed: int = 0,
    ) -> dict[str, Any]:
        made = table(references, np.asarray(predictions, dtype=np.int64), None, groups)
        settings = AuditSettings(replicates=replicates, seed=seed, min_group_size=min_group_size)
        return answer("group_fairness", made, settings)
