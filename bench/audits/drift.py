"""Drift: how far fine-tuning moved the vectors that the classification head reads."""

from collections.abc import Iterator

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, Predictions
from ..statistics.estimates import Estimate, nothing
from ..statistics.sample import Sample
from ..statistics.streams import Stream, generator

MOST_ROWS = 20_000
"""Above this many test examples a random subset of them is compared."""
METRICS = {
    "linear_cka": Metric(
        better="neither",
        low=0,
        high=1,
        reference="Kornblith, Norouzi, Lee & Hinton (2019), ICML, equation 4 with linear kernels",
        definition=(
            "Linear centred kernel alignment of each test example's vector before and after "
            "training: 1 where they differ by a rotation and a scale at most, near 0 where "
            "nothing linear is left. Where examples are not far more than dimensions it is "
            "biased up. Layers that are new begin at random, the same for before and after."
        ),
    )
}


class Drift(Audit):
    metrics = METRICS
    needs = frozenset({"hidden", "start"})

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield the similarity of the vectors before and after training, a number a seed."""
        pairs = list(zip(evidence.start, evidence.test, strict=False))
        reason = ""
        if len(pairs) < len(evidence.test) or not all(
            np.isin(after.example_id, before.example_id).all() for before, after in pairs
        ):
            reason = "no vectors from before training"
        elif any(p.hidden is None for pair in pairs for p in pair):
            reason = "no hidden vectors"
        values = nothing(len(evidence.test))
        n = min(sample.n, MOST_ROWS)
        if not reason:
            rng = generator(sample.settings.seed, Stream.COMPARED)
            rows = np.sort(rng.permutation(sample.n)[:n])
            similarities = [linear_cka(*_vectors(before, after, rows)) for before, after in pairs]
            if any(np.isnan(value) for value, _ in similarities):
                reason = "the vectors of all examples are the same"
            else:
                values = sample.linearised(
                    (value, _spread(sample.n, rows, i)) for value, i in similarities
                )
        yield Estimate(metric="linear_cka", values=values, n=n, family="mean", undefined=reason)


def linear_cka(before: Array, after: Array) -> tuple[float, Array]:
    """Return the similarity of (n, p) and (n, q) vectors, and each example's influence on it.

    ||Y'X||² / (||X'X|| ||Y'Y||) with centred columns and Frobenius norms; NaN where all rows of
    one are the same. The influences (n,) sum to zero.
    """
    x, y = (v.astype(np.float64) - v.mean(axis=0, dtype=np.float64) for v in (before, after))
    parts = [_alignment(x, y), _alignment(x, x), _alignment(y, y)]
    (shared, of_shared), (own, of_own), (other, of_other) = parts
    if not own * other:
        return float("nan"), np.zeros(len(x))
    value = shared / np.sqrt(own * other)
    relative = of_shared / shared if shared else np.zeros(len(x))
    return float(value), value * (relative - (of_own / own + of_other / other) / 2)


def _alignment(x: Array, y: Array) -> tuple[float, Array]:
    """Return the squared Frobenius norm of a covariance, and each example's influence on it."""
    covariance = x.T @ y / len(x)
    size = float(np.square(covariance).sum())
    return size, 2 * (np.einsum("ij,ij->i", x @ covariance, y) - size) / len(x)


def _vectors(before: Predictions, after: Predictions, rows: Array) -> tuple[Array, Array]:
    """Return the vectors of the same examples; those of before come in any order."""
    ids = after.example_id[rows]
    order = np.argsort(before.example_id)
    place = order[np.searchsorted(before.example_id, ids, sorter=order)]
    return np.asarray(before.hidden)[place], np.asarray(after.hidden)[rows]


def _spread(n: int, rows: Array, values: Array) -> Array:
    column = np.zeros(n)
    column[rows] = values
    return column
