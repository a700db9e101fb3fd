"""Which losses the gate would detect, stated before there is a run to judge.

A future run is assumed to be like the baseline: as many seeds, trained independently, on the same
test examples. How much its losses would vary is estimated from the baseline's own seeds.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.table import Table
from rich.text import Text
from scipy.special import chdtri

from ..reporting import inert
from ..schema import Array, BadInputError, Place
from ..suite import GateRule
from . import baseline, rules
from .detection import WANTED, chance, smallest
from .gate import ENOUGH, rules_for
from .outlook import Outlook, outlook
from .paired import Pair, Study
from .snapshot import Snapshot, of_run

SHOWN = (0.5, 0.8, 0.95)
TRIED, FINE = 15, 401
"""Losses whose chance is worked out, and those between them."""
_SHARES = (np.arange(7) + 0.5) / 7


class Power(NamedTuple):
    """What the gate would catch of one number of one strategy."""

    strategy: str
    place: Place
    max_loss: float
    detectable_loss: float
    """The smallest true loss that is caught with 80 % chance."""
    curve: tuple[tuple[float, float], ...]
    """(true loss, chance that it is caught)."""
    n: int
    seeds: int
    losses: tuple[float, ...]
    """Caught with the chances of `SHOWN`."""
    cautious: bool
    """One seed: how much of two models' noise is shared is not known, so none is taken to be."""


def of_folder(folder: Path, rule_file: Path | None, metrics: Sequence[str]) -> list[Power]:
    """Return the power of a gate on the folder of a run or baseline, by all rules or some."""
    is_baseline = (folder / baseline.RECORD).is_file()
    side = baseline.read(folder).snapshot if is_baseline else of_run(folder)
    chosen = rules_for(side, str(folder), rule_file)
    known = dict.fromkeys(rule.metric for rule in chosen)
    for metric in metrics:
        if metric not in known:
            raise BadInputError(f"--rule {metric}: no rule on it; there are: {', '.join(known)}")
    return [p for p in power(side, chosen) if not metrics or p.place.metric in metrics]


def table(powers: Sequence[Power]) -> Table:
    """Return the losses that are caught with some chances, for a rich console."""
    shown = Table("strategy", "number", "tolerated", *(f"{c:.0%} caught" for c in SHOWN))
    shown.title = "true loss that the gate catches with a chance of"
    for p in powers:
        place = " · ".join(part for part in p.place[1:] if part not in {"", "original"})
        losses = [f"{'≤ ' if p.cautious else ''}{x:.3g}" for x in p.losses]
        name = f"{p.place.metric} [{place}]" if place else p.place.metric
        shown.add_row(
            Text(inert.line(p.strategy)), Text(inert.line(name)), f"{p.max_loss:.3g}", *losses
        )
    if any(p.cautious for p in powers):
        shown.caption = "≤: one seed, so what two models share is not known"
    elif min(p.seeds for p in powers) < ENOUGH:
        shown.caption = "right on average; with few seeds, about: they know their variance badly"
    return shown


def power(snapshot: Snapshot, chosen: Sequence[GateRule]) -> list[Power]:
    """Return the power of every rule with a tolerance; Holm's correction at its strictest.

    Raises
    ------
    BadInputError
        A rule names what is not measured, or no rule has a tolerance.
    """
    rules.check(chosen)
    found = list(_judged(snapshot, chosen))
    if not found:
        raise BadInputError("no rule with max_loss is about anything measured here: no power")
    return [_power(rule, strategy, future, len(found)) for rule, strategy, future in found]


def _judged(
    snapshot: Snapshot, chosen: Sequence[GateRule]
) -> Iterator[tuple[GateRule, str, Outlook]]:
    study = Study(Pair(run=snapshot, baseline=None), chosen)
    for rule in (r for r in chosen if r.max_loss is not None):
        for place in rules.places(rule, study.places):
            for strategy in rule.strategies or snapshot.judged:
                estimate = study.estimate(strategy, place)
                if estimate is not None and np.isfinite(estimate.theta).all():
                    yield rule, strategy, of_number(study, strategy, place)


def of_number(study: Study, strategy: str, place: Place) -> Outlook:
    """Return the outlook on one number that is measured and defined."""
    like = [p for p in study.places if p._replace(group=place.group) == place]
    found = {p: study.estimate(strategy, p) for p in like if p.group not in {"", rules.GAP}}
    alike = [e for e in found.values() if e is not None and np.isfinite(e.theta).all()]
    estimate = study.estimate(strategy, place)
    if estimate is None:
        raise KeyError(place)
    return outlook(estimate, rules.declared()[place.metric][1], alike if place in found else [])


def _power(rule: GateRule, strategy: str, future: Outlook, family: int) -> Power:
    estimate, tolerance = future.whole.estimate, rule.max_loss or 0.0
    level = (1 - rule.confidence) / family
    most = future.hidden + 2 * smallest(future.noise(tolerance), tolerance, level, SHOWN[-1])
    losses = np.linspace(0, most, TRIED)
    chances = claimed(future, losses, tolerance, level)
    while chances[-1] < SHOWN[-1]:
        losses = 2 * losses
        chances = claimed(future, losses, tolerance, level)
    fine = np.linspace(0, losses[-1], FINE)
    least = fine[np.searchsorted(np.interp(fine, losses, chances), SHOWN)].tolist()
    return Power(
        strategy=strategy,
        place=estimate.place,
        max_loss=tolerance,
        detectable_loss=least[SHOWN.index(WANTED)],
        curve=tuple(zip(losses.tolist(), chances.tolist(), strict=True)),
        n=estimate.n,
        seeds=len(estimate.theta),
        losses=tuple(least),
        cautious=len(estimate.theta) == 1,
    )


def claimed(future: Outlook, losses: Array, tolerance: float, level: float) -> Array:
    """Return the chance of each loss (increasing), as it would be on average over baselines.

    Few seeds know their variance badly, and the chance is no linear function of it: its bootstrap
    bias, over the χ² of the variance, is taken off.
    """

    def of_factor(factor: float) -> Array:
        noises = [future.noise(float(loss), factor) for loss in losses]
        pairs = zip(noises, losses - future.hidden, strict=True)
        return np.array([float(chance(n, s, tolerance, level)) for n, s in pairs])

    factors = chdtri(future.df, 1 - _SHARES)
    drawn = [of_factor(f) for f in factors / factors.mean()]
    corrected = (2 * of_factor(1.0) - np.mean(drawn, axis=0)).clip(0, 1)
    return np.asarray(np.maximum.accumulate(corrected))
