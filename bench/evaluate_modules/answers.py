"""What the modules of the `evaluate` library share: columns in, one flat dictionary out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..measuring.measure import measure
from ..schema import Array, AuditSettings, Evidence, Predictions


def predictions(
    references: Sequence[int],
    prediction: Array,
    probability: Array | None,
    groups: Sequence[str] | None = None,
) -> Predictions:
    """Return the columns as predictions, which audits read; classes are named by their number."""
    n_classes = int(max(np.max(references), np.max(prediction), 1)) + 1
    if probability is not None:
        n_classes = probability.shape[1]
    return Predictions(
        example_id=np.char.zfill(np.arange(len(references)).astype(str), 9),
        label=np.asarray(references, dtype=np.int64),
        groups={} if groups is None else {"group": np.asarray(groups, dtype=str)},
        prediction=prediction,
        probability=probability,
        classes=tuple(str(c) for c in range(n_classes)),
    )


def answer(audit: str, table: Predictions, settings: AuditSettings) -> dict[str, Any]:
    """Return metric -> {value, low, high, n}, with "undefined" and a reason where it is NaN.

    The key of a metric of the whole set, or of a gap, is the metric's name; that of a group is
    "metric/group".
    """
    evidence = Evidence(strategy="model", seeds=(0,), test=(table,))
    measurements = measure([evidence], settings, audits=[audit]).measurements
    return {
        m.metric if m.group in ("", "gap") else f"{m.metric}/{m.group}": {
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "n": m.n,
            **({"undefined": m.undefined} if m.undefined else {}),
        }
        for m in measurements
        if m.seed is None
    }
