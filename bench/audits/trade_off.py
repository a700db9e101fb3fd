"""Trade-off: performance against fairness, and who is on the front that nobody beats."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..audit import Audit
from ..schema import Array, Evidence, Metric, ParetoPoint
from ..statistics.estimates import Estimate
from ..statistics.gaps import between_groups
from ..statistics.group_rates import counted_rates
from ..statistics.grouping import Grouping
from ..statistics.rates import accuracy, confusion
from ..statistics.sample import Sample
from ..statistics.streams import Stream, generator

METRICS = {
    "dto": Metric(
        better="lower",
        low=0,
        high=2**0.5,
        reference="Han et al. (2022), EMNLP (FairLib): distance to the optimum",
        definition=(
            "Distance of (accuracy, 1 - equalized_odds_difference) to (1, 1), of each seed; "
            "undefined where the gap is. fairlib's number is another, so the two must not be "
            "compared: see the deviation."
        ),
    )
}
DEVIATIONS = {
    "dto": (
        "fairlib's fairness is 1 - RMS over classes of the sum over groups of |TPR of the group - "
        "TPR of all|; here it is 1 - the equalized odds difference. fairlib also divides "
        "performance and fairness by the best of the models compared, so its number changes with "
        "who else is in the table; here the optimum is (1, 1) always."
    )
}


class TradeOff(Audit):
    metrics = METRICS
    deviations = DEVIATIONS
    on_by_default = True
    section = "trade-off"

    def estimates(self, evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
        """Yield the distance to the optimum for each attribute."""
        for grouping in sample.groupings:
            if grouping.names:
                performance, gap = _axes(evidence, sample, grouping)
                yield Estimate(
                    metric="dto",
                    attribute=grouping.attribute,
                    group="gap",
                    values=np.hypot(1 - performance, gap.values),
                    n=gap.n,
                    family="error",
                    undefined=gap.undefined,
                )

    def trade_off(self, evidence: Sequence[Evidence], sample: Sample) -> Iterator[ParetoPoint]:
        """Yield where each strategy stands on accuracy and equalized odds of the first attribute.

        Each bootstrap draw of the examples comes with a draw of each strategy's seeds; a strategy
        is on the front of a draw when no other is better on both axes. Drawing among K seeds
        shows (K−1)/K of their variance, and a single seed shows none.
        """
        grouping = next((g for g in sample.groupings if g.names), None)
        if grouping is None:
            return
        rng = generator(sample.settings.seed, Stream.FRONTS)
        both = [_axes(e, sample, grouping) for e in evidence]
        axes = [np.stack([performance, 1 - gap.values]) for performance, gap in both]
        drawn = np.stack([_draw_seeds(a[:, :, 1:], rng) for a in axes])
        shares = pareto_probability(drawn)
        for e, a, share in zip(evidence, axes, shares, strict=True):
            where = a[:, :, 0].mean(axis=1)
            if np.isfinite(where).all():
                yield ParetoPoint(e.strategy, float(where[0]), float(where[1]), float(share))


def pareto_probability(axes: Array) -> Array:
    """Return each strategy's share of draws on the front (n_strategies,).

    Parameters
    ----------
    axes
        (n_strategies, 2, draws), larger is better; a strategy with an undefined axis beats nobody.
    """
    beaten = [((axes > own).all(axis=1)).any(axis=0) for own in axes]
    return np.asarray(1 - np.mean(beaten, axis=1))


def _axes(evidence: Evidence, sample: Sample, grouping: Grouping) -> tuple[Array, Estimate]:
    """Return accuracy (n_seeds, 1 + replicates) and the equalized odds difference."""
    tables = [confusion(sample, sample.everyone, p.prediction) for p in evidence.test]
    performance = np.concatenate([sample.bootstrap(table, accuracy) for table in tables])
    rates = counted_rates(sample, grouping, evidence.test, floors=False)
    odds = [rates["true_positive_rate"], rates["false_positive_rate"]]
    return performance, between_groups("equalized_odds_difference", "gap", odds, grouping)


def _draw_seeds(values: Array, rng: np.random.Generator) -> Array:
    """Return (2, draws): the mean over a draw of seeds, for each draw of examples."""
    _, n_seeds, draws = values.shape
    chosen = rng.integers(0, n_seeds, size=(n_seeds, draws))
    return np.asarray(values[:, chosen, np.arange(draws)].mean(axis=1))
