"""Paired contrasts: what differs between two strategies on the same examples, and how sure it is.

Which numbers may be claimed: `HEADLINE` metrics and those that a suite declares, of the original
view, each strategy against the reference and each declared pair, form one family, whose p values
Holm (1979) adjusts. Every other contrast is a look at one number: its p value is not adjusted, and
of a hundred looks five mislead.

A trained strategy with one seed gets numbers and no verdict: nobody knows what training it again
would change. Yardsticks and predictions from a file have no seeds and are compared as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from ..schema import Array, Contrast, Metric, Place
from ..statistics.estimates import CENTRED, CENTRING, Estimate, Family
from ..statistics.intervals import LEVEL
from ..statistics.moderation import Prior
from ..statistics.spread import MANY, Part, Spread, examples_in_seeds, seeds_part, spread
from ..statistics.summary import shared_variance

HEADLINE = (
    "accuracy",
    "log_loss",
    "expected_calibration_error",
    "equalized_odds_difference",
    "worst_group_accuracy",
)
"""What every comparison is decided by; whole set, or the gap of each attribute."""
POWER = 0.8
SURE = 0.55
"""A standard error of few seeds is more often too small than too large, and its own test pays for
that (Browne 1995, Statistics in Medicine 14). With variances moderated over three to six
strategies the power is then about 80 % with three seeds, 70 to 85 % with two."""
GAP_FACTOR = 1.5
"""Gaps need about this much more than the linear formula says (docs/uncertainty.md)."""
ONE_SEED = "one seed: training again may change it, and by how much is not known"
"""Why a trained strategy's contrast has no verdict."""
Verdict = Literal["better", "worse", "no evidence of a difference", "not judged", "undefined"]


class Side(NamedTuple):
    """What a comparison needs of one strategy's estimate."""

    theta: Array  # (n_seeds,)
    draws: Array  # (replicates,) of the mean over seeds
    seeds: tuple[int, ...]
    family: Family
    n: int
    undefined: str
    trained_once: bool = False
    """A trained strategy with one seed."""
    counted_twice: float = 0.0
    """Part of the seeds' variance of the mean that the examples explain, and count again."""
    examples_df: float = MANY
    """Degrees of freedom of the examples' variance, where they come in clusters."""


def side(estimate: Estimate, seeds: tuple[int, ...], *, trained_once: bool = False) -> Side:
    """Reduce an estimate to what a comparison needs."""
    known = bool(np.isfinite(estimate.theta).all())
    reason = "" if known else estimate.undefined
    draws = estimate.values[:, 1:].mean(axis=0)
    return Side(
        theta=estimate.theta,
        draws=draws,
        seeds=seeds,
        family=estimate.family,
        n=estimate.n,
        undefined=reason,
        trained_once=trained_once,
        counted_twice=examples_in_seeds(estimate.values) / len(estimate.values),
        examples_df=estimate.examples_df if estimate.clusters else MANY,
    )


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """One metric of one strategy minus another's, on the same draws of examples."""

    metric: Metric
    first: float
    second: float
    bias: float
    """Bootstrap bias of the difference; 0 for linear metrics, whose tests need no centring."""
    spread: Spread
    family: Family
    n: int
    seeds: int
    undefined: str = ""
    not_judged: str = ""
    """Why there is no verdict though there are numbers."""

    @property
    def value(self) -> float:
        """The difference of the published values."""
        return self.first - self.second

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference."""
        return min(1.0, 2 * self.spread.tail(abs(self.value - self.bias)))

    @property
    def loss(self) -> float:
        """How much worse `first` is than `second`, bias-centred; negative: better."""
        return self.metric.loss(self.first, self.second, bias=self.bias)

    def p_loss(self, beyond: float = 0.0) -> float:
        """Return the one-sided p value of "the loss is at most `beyond`"."""
        return self.spread.tail(self.loss - beyond)

    def half_width(self, level: float = LEVEL) -> float:
        """Return the half-width of the two-sided interval of the difference."""
        return self.spread.quantile(0.5 + level / 2) * self.spread.total

    def detectable(self, power: float = POWER, level: float = LEVEL) -> float:
        """Return the smallest difference that a two-sided test finds with `power`.

        (t_level + t_power) · the most that the standard error is with `SURE`; for gaps, errors and
        worst groups times `GAP_FACTOR`, approximately.
        """
        both = self.spread.quantile(0.5 + level / 2) + self.spread.quantile(power)
        return both * self.spread.at_most(SURE) * (GAP_FACTOR if self.family in CENTRED else 1)


def difference(
    first: Side,
    second: Side,
    metric: Metric,
    *,
    matched: bool,
    shared: Prior | None = None,
) -> PairedDifference:
    """Return first − second with its uncertainty.

    Examples are paired always: both sides' draws are of the same examples. A side with one seed
    is paired with every seed of the other, and adds no seed variance.

    Parameters
    ----------
    matched
        The same seeds trained both. Without `shared` they are paired; else their variances add.
    shared
        What the variances of all strategies have in common: each side's variance is moderated by
        it, and they add, which is careful where matched seeds move both sides alike.
    """
    reason = first.undefined or second.undefined
    value = float(first.theta.mean() - second.theta.mean())
    draws = first.draws - second.draws if not reason else np.full(2, np.nan)
    centred = first.family in CENTRED and not reason
    return PairedDifference(
        metric=metric,
        first=float(first.theta.mean()),
        second=float(second.theta.mean()),
        bias=float(draws.mean() - value) if centred else 0.0,
        spread=Spread(np.nan)
        if reason
        else _spread(float(draws.var(ddof=1)), first, second, shared, matched=matched),
        family=first.family,
        n=min(first.n, second.n),
        seeds=max(len(first.theta), len(second.theta)),
        undefined=reason,
        not_judged=ONE_SEED if first.trained_once or second.trained_once else "",
    )


def _spread(
    examples: float, first: Side, second: Side, shared: Prior | None, *, matched: bool
) -> Spread:
    df = min(first.examples_df, second.examples_df)
    if shared is not None:
        twice = first.counted_twice + second.counted_twice
        examples *= CENTRING if first.family in CENTRED else 1
        return Spread(examples, *moderated(shared, first.theta, second.theta), df, twice)
    if matched and len(first.theta) == len(second.theta):
        return spread((examples, df), seeds_part(first.theta - second.theta))
    return spread((examples, df), seeds_part(first.theta), seeds_part(second.theta))


def moderated(shared: Prior, *thetas: Array) -> Part:
    """Return the summed variance of means over seeds, moderated, and the least df of any."""
    known = [t for t in thetas if len(t) > 1]
    parts = [(shared.moderated(float(t.var(ddof=1)), len(t) - 1), len(t)) for t in known]
    variance = sum(of_one / number for (of_one, _), number in parts)
    return variance, min((df for (_, df), _ in parts), default=MANY)


def differences(
    first: Mapping[Place, Side],
    second: Mapping[Place, Side],
    metrics: Mapping[str, Metric],
    *,
    matched: bool = True,
    shared: Mapping[Place, Prior] = MappingProxyType({}),
) -> dict[Place, PairedDifference]:
    """Return the difference of every comparable metric that both sides have.

    Seeds are paired where `matched` and both sides have the same. Metrics without a better
    direction, and those that do not depend on test examples, are not compared.

    Parameters
    ----------
    shared
        What the seed variances of all strategies have in common, of each number.
    """
    return {
        place: difference(
            one,
            second[place],
            metrics[place.metric],
            matched=matched and one.seeds == second[place].seeds,
            shared=shared.get(place),
        )
        for place, one in first.items()
        if place in second and metrics[place.metric].directed and one.family != "point"
    }


def shared_variances(sides: Iterable[Mapping[Place, Side]]) -> dict[Place, Prior]:
    """Return, of each number, what the strategies' variances between seeds have in common."""
    thetas: dict[Place, list[Array]] = {}
    for strategy in sides:
        for place, one in strategy.items():
            if one.family != "point" and not one.undefined:
                thetas.setdefault(place, []).append(one.theta)
    made = {place: shared_variance(of_place) for place, of_place in thetas.items()}
    return {place: shared for place, shared in made.items() if shared is not None}


def contrasts(
    sides: Sequence[tuple[str, str, Mapping[Place, PairedDifference]]],
    declared: Sequence[str] = (),
) -> tuple[Contrast, ...]:
    """Return the contrasts of (strategy, reference, differences).

    Holm's family is that of the metrics `HEADLINE` and `declared`, without what is not judged.
    """
    made = [
        (_contrast(strategy, reference, place, estimate), estimate)
        for strategy, reference, paired in sides
        for place, estimate in paired.items()
    ]
    claimed = {*HEADLINE, *declared}
    family = [
        i
        for i, (c, estimate) in enumerate(made)
        if c.metric in claimed and _in_family(c) and not estimate.not_judged
    ]
    adjusted = dict(zip(family, holm([made[i][1].p_value for i in family]), strict=True))
    return tuple(
        _judged(contrast._replace(p_adjusted=adjusted.get(i)), estimate)
        for i, (contrast, estimate) in enumerate(made)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p values.

    Written out because statsmodels, which has it, takes a second to import and clears the whole
    memory of garbage at each call: a quarter of a gate.
    """
    order = np.argsort(p_values)
    times = np.arange(len(p_values), 0, -1)
    steps = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * times), 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = steps
    return [float(p) for p in adjusted]


def _in_family(contrast: Contrast) -> bool:
    whole = contrast.group in ("", "gap")
    original = contrast.view == "original" and contrast.posthoc == ""
    return whole and original and contrast.p_value is not None


def _contrast(strategy: str, reference: str, place: Place, estimate: PairedDifference) -> Contrast:
    known = not estimate.undefined
    quoted = known and estimate.family not in CENTRED
    return Contrast(
        **place._asdict(),
        strategy=strategy,
        reference=reference,
        difference=estimate.value,
        low=estimate.value - estimate.half_width() if quoted else None,
        high=estimate.value + estimate.half_width() if quoted else None,
        p_value=estimate.p_value if known else None,
        p_adjusted=None,
        minimum_detectable_effect=estimate.detectable() if known else None,
        verdict="undefined",
        n=estimate.n,
        seeds=estimate.seeds,
        undefined=estimate.undefined,
        not_judged="" if estimate.undefined else estimate.not_judged,
    )


def _judged(contrast: Contrast, estimate: PairedDifference) -> Contrast:
    """Return the contrast with its verdict: the adjusted p value decides where there is one."""
    p = contrast.p_value if contrast.p_adjusted is None else contrast.p_adjusted
    if p is None:
        return contrast
    if contrast.not_judged:
        return contrast._replace(verdict="not judged")
    shown: Verdict = "worse" if estimate.loss > 0 else "better"
    return contrast._replace(verdict=shown if p < 1 - LEVEL else "no evidence of a difference")
