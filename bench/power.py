"""Power: which losses the gate would catch, said before there is a run to judge.

A future run is taken to be like the baseline: as many seeds, trained independently, on the same
test examples. What its losses would vary by is read off how the baseline's own seeds differ.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.table import Table
from rich.text import Text
from scipy.special import chdtri

from bench import baseline
from bench.gate import rules_for
from bench.gating import rules
from bench.gating.detection import WANTED, chance, smallest
from bench.gating.losses import Noise, expected_shrinkage, least_variance, trained
from bench.gating.paired import Pair, Study
from bench.gating.rules import Place
from bench.gating.snapshot import Snapshot, of_run
from bench.schema import Array, BadInputError
from bench.statistics.estimates import Estimate
from bench.suite import GateRule

SHOWN = (0.5, 0.8, 0.95)
FINE, STEP = 161, 8
"""Losses that are tried, and which of them a curve keeps."""
_SHARES = (np.arange(15) + 0.5) / 15


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
    kept = (folder / baseline.RECORD).is_file()
    side = baseline.read(folder).snapshot if kept else of_run(folder)
    chosen = rules_for(side, str(folder), rule_file)
    known = dict.fromkeys(rule.metric for rule in chosen)
    for metric in metrics:
        if metric not in known:
            raise BadInputError(f"--rule {metric}: no rule on it; there are: {', '.join(known)}")
    return [p for p in power(side, chosen) if not metrics or p.place.metric in metrics]


def table(found: Sequence[Power]) -> Table:
    """Return the losses that are caught with some chances, for a rich console."""
    shown = Table("strategy", "number", "tolerated", *(f"{c:.0%} caught" for c in SHOWN))
    shown.title = "true loss that the gate catches with a chance of"
    for p in found:
        place = " · ".join(part for part in p.place[1:] if part not in {"", "original"})
        losses = [f"{'≤ ' if p.cautious else ''}{x:.3g}" for x in p.losses]
        name = f"{p.place.metric} [{place}]" if place else p.place.metric
        shown.add_row(Text(p.strategy), Text(name), f"{p.max_loss:.3g}", *losses)
    if any(p.cautious for p in found):
        shown.caption = "≤: one seed, so what two models share is not known"
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
    return [_power(rule, strategy, estimate, len(found)) for rule, strategy, estimate in found]


def _judged(
    snapshot: Snapshot, chosen: Sequence[GateRule]
) -> Iterator[tuple[GateRule, str, Estimate]]:
    study = Study(Pair(run=snapshot, baseline=None), chosen)
    for rule in (r for r in chosen if r.max_loss is not None):
        for place in rules.places(rule, study.places):
            for strategy in rule.strategies or snapshot.judged:
                estimate = study.estimate(strategy, place)
                if estimate is not None and np.isfinite(estimate.theta).all():
                    yield rule, strategy, estimate


def _power(rule: GateRule, strategy: str, estimate: Estimate, family: int) -> Power:
    noise, tolerance = noise_of_runs(estimate), rule.max_loss or 0.0
    level = (1 - rule.confidence) / family
    hidden = expected_shrinkage(estimate, rules.declared()[rule.metric][1])
    losses = np.linspace(0, 4 * smallest(noise, tolerance, level, SHOWN[-1]) + hidden, FINE)
    chances = claimed(noise, losses - hidden, tolerance, level)
    least = [float(losses[np.searchsorted(chances, c).clip(max=FINE - 1)]) for c in SHOWN]
    return Power(
        strategy=strategy,
        place=Place(*estimate.key),
        max_loss=tolerance,
        detectable_loss=least[SHOWN.index(WANTED)],
        curve=tuple(zip(losses[::STEP].tolist(), chances[::STEP].tolist(), strict=True)),
        n=estimate.n,
        seeds=len(estimate.theta),
        losses=tuple(least),
        cautious=len(estimate.theta) == 1,
    )


def claimed(noise: Noise, losses: Array, tolerance: float, level: float) -> Array:
    """Return the chance of each loss, as it would be on average over baselines.

    Few seeds know their variance badly, and the chance is no linear function of it: its bootstrap
    bias, over the χ² of the variance, is taken off.
    """
    seeds = noise.sides[0]
    plain = chance(noise, losses, tolerance, level)
    if seeds.variance == 0:
        return plain
    factors = chdtri(seeds.df, 1 - _SHARES) / seeds.df
    drawn = [
        chance(noise._replace(sides=(side, side)), losses, tolerance, level)
        for side in (seeds._replace(variance=seeds.variance * f) for f in factors)
    ]
    corrected = (2 * plain - np.mean(drawn, axis=0)).clip(0, 1)
    return np.asarray(np.maximum.accumulate(corrected))


def noise_of_runs(estimate: Estimate) -> Noise:
    """Return what the difference of two runs like this one would vary by."""
    side = trained(estimate)
    drawn = estimate.values[:, 1:].mean(axis=0)
    examples = 2 * side.sampled / side.number
    if side.number == 1 and len(drawn) > 1:
        examples = 2 * float(drawn.var(ddof=1))
    return Noise(max(examples, least_variance(estimate)), (side, side))
