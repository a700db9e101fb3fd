"""Reliability diagrams: what was predicted against what happened, bin by bin, with intervals."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..schema import Array, ReliabilityBin
from .binning import BINS, EDGES, binned, equal_width
from .estimates import Estimate
from .grouping import Grouping
from .intervals import interval
from .rates import keep_observed, ratio
from .sample import Sample


def reliability_bins(
    sample: Sample, grouping: Grouping, diagrams: Sequence[tuple[Array, Array]]
) -> Iterator[ReliabilityBin]:
    """Yield each group's bins that hold an example; `strategy` and `posthoc` are left open.

    Parameters
    ----------
    diagrams
        For each seed what was predicted (n,) and whether it happened (n,).
    """
    tables = [
        binned(grouping, equal_width(predicted), predicted, came) for predicted, came in diagrams
    ]
    observed = np.stack([sample.bootstrap(table, _observed) for table in tables])
    sums = np.stack([table.observed[..., 0] for table in tables])
    alike = sample.effective_clusters(tables[0].flat, grouping.size * BINS)
    for g, b in np.argwhere(sums[:, :, :, 2].sum(axis=0)[: len(grouping.names)]):
        clusters = 0.0 if alike is None else float(alike[g * BINS + b])
        point = _point(sums[:, g, b], observed[:, g, b], int(b), clusters)
        yield point._replace(attribute=grouping.attribute, group=grouping.names[g])


def _observed(sums: Array) -> Array:
    """Return the share that happened in each bin (n_groups, BINS, draws)."""
    return keep_observed(ratio(sums[:, :, 1], sums[:, :, 2]))


def _point(sums: Array, observed: Array, index: int, clusters: float) -> ReliabilityBin:
    """Return one bin over the seeds (n_seeds, ...) that have examples in it.

    `clusters` is the effective number of clusters that these are in; 0: they are independent.
    """
    occupied = sums[:, 2] > 0
    count = sums[occupied, 2]
    happened = observed[occupied]
    n = max(round(count.mean()), 1)
    share = Estimate(metric="observed", values=happened, n=n, clusters=clusters, family="rate")
    low, high, *_ = interval(share, (0, 1))
    value = float(share.theta.mean())
    return ReliabilityBin(
        strategy="",
        attribute="",
        group="",
        posthoc="",
        low_edge=float(EDGES[index]),
        high_edge=float(EDGES[index + 1]),
        mean_probability=value + float((sums[occupied, 0] / count).mean()),
        observed=value,
        low=value if low is None else low,
        high=value if high is None else high,
        n=round(float(sums[:, 2].mean())),
    )
