"""Renewing a baseline: a new one replaces the old one, and what got worse must be stated.

Small losses, each within its tolerance, must not add up unnoticed. The origin of a number is its
value when a reason was last given; a renewal that has lost more than the tolerance since its
origin needs a new reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..measuring.of_run import measured
from ..schema import BadInputError, Metric, Place
from ..suite import GateRule
from . import baseline, rules, snapshot
from .baseline import Baseline, Renewal
from .gate import gate, rules_for
from .paired import Pair, Study
from .snapshot import Snapshot
from .summary import name
from .verdicts import RAN


class Tolerated(NamedTuple):
    """A number that may not get worse by more than a tolerance."""

    value: float
    max_loss: float
    metric: Metric


def renew(folder: Path, out: Path, rule_file: Path | None, reason: str) -> list[str]:
    """Make a run the baseline at `out`; return what is worse than the one that stood there.

    Without a reason nothing is written where something is worse.
    """
    run = snapshot.of_run(folder)
    chosen = rules_for(run, str(folder), rule_file)
    rules.check(chosen)
    reason = reason.strip()
    try:
        old = baseline.read(out) if out.exists() else None
        # A file's rules are the caller's word; a suite's may not get looser in silence.
        lost = loosened(old, chosen) if old is not None and rule_file is None else []
        new, worse = renewed(run, old, chosen, reason, lost)
    except baseline.NotComparableError as error:
        worse = [str(error)]
        stated = baseline.Renewal(reason=reason, commit=run.facts.commit, worse=tuple(worse))
        new = replace(renewed(run, None, chosen, "")[0], renewals=(stated,))
    if reason or not worse:
        baseline.write(out, new, measured(folder)[0].measurements)
    return worse


def renewed(
    run: Snapshot,
    old: Baseline | None,
    chosen: Sequence[GateRule],
    reason: str,
    lost: Sequence[str] = (),
) -> tuple[Baseline, list[str]]:
    """Return the next baseline and, in words, what is worse than the old one.

    `lost` says which rules are looser. Whoever calls decides: with something worse and no reason,
    the old one should stay.

    Raises
    ------
    BadInputError
        A cell of the run failed or is missing.
    """
    _check_finished(run)
    now = tolerated(run, chosen)
    values = {key: number.value for key, number in now.items()}
    if old is None:
        return Baseline(snapshot=run, origin=values), []
    worse = [*what_got_worse(run, old, chosen, now), *lost]
    if worse and reason:
        stated = Renewal(reason=reason, commit=run.facts.commit, worse=tuple(worse))
        return Baseline(snapshot=run, origin=values, renewals=(*old.renewals, stated)), worse
    origin = values | {key: value for key, value in old.origin.items() if key in values}
    return Baseline(snapshot=run, origin=origin, renewals=old.renewals), worse


def _check_finished(run: Snapshot) -> None:
    if not run.evidence:
        raise BadInputError(f"{run.facts.suite}: no finished cell, so nothing to compare with")
    for cell in run.unfinished:
        raise BadInputError(
            f"{cell.strategy}, seed {cell.seed}: {cell.status} ({cell.reason}); a baseline needs "
            "every cell: run the suite again"
        )


def loosened(old: Baseline, chosen: Sequence[GateRule]) -> list[str]:
    """Return the old baseline's rules that the new one's suite no longer holds, in words."""
    earlier = rules.of_suite(old.snapshot.facts.suite_toml, "the old baseline: its suite")
    return [f"rule loosened or gone: {rules.describe(r)}" for r in rules.lost(earlier, chosen)]


def what_got_worse(
    run: Snapshot, old: Baseline, chosen: Sequence[GateRule], now: Mapping[str, Tolerated]
) -> list[str]:
    """Return what fails against the old baseline, or lost more than its tolerance."""
    worse: dict[str, str] = {}
    for v in gate(run, old.snapshot, chosen).verdicts:
        if v.outcome == "fail" or (v.metric == RAN and v.outcome == "not comparable"):
            worse[_key(v.strategy, v.place)] = f"{v.strategy}: {name(v)}: {v.reason}"
    before = {key: number.value for key, number in tolerated(old.snapshot, chosen).items()}
    for then, since in ((before, "the old baseline"), (old.origin, "a reason was last given")):
        for key, (value, max_loss, metric) in now.items():
            if key in then and metric.loss(value, then[key]) > max_loss:
                worse.setdefault(key, f"{key}: from {then[key]:.3g} to {value:.3g} since {since}")
    return list(worse.values())


def _key(strategy: str, place: Place) -> str:
    return " ".join(part for part in (strategy, *place) if part)


def tolerated(run: Snapshot, chosen: Sequence[GateRule]) -> dict[str, Tolerated]:
    """Return every number of which a rule asks that it lose no more than a tolerance."""
    if not run.evidence:
        return {}
    still = replace(run.facts, settings=replace(run.settings, replicates=1))
    study = Study(Pair(run=replace(run, facts=still), baseline=None), chosen)
    limits: dict[str, Tolerated] = {}
    for rule in (r for r in chosen if r.max_loss is not None):
        for place in rules.places(rule, study.places):
            for strategy in rule.strategies or run.judged:
                estimate = study.estimate(strategy, place)
                value = float("nan") if estimate is None else float(estimate.theta.mean())
                if np.isfinite(value):
                    key = _key(strategy, place)
                    number = Tolerated(
                        value, rule.max_loss or 0.0, rules.declared()[rule.metric][1]
                    )
                    limits[key] = min(limits.get(key, number), number, key=lambda t: t.max_loss)
    return limits
