"""How often the gate errs: false alarms, misses, and whether `power` says so beforehand.

Run with `python -m tests.performance.gate_errors [STUDIES] [alarms | misses]`; its tables stand in
docs/gate.md.
Each study draws a test set and two runs of one strategy (tests/_models.py). In A/A studies both
are alike but for their seeds; else the second is made worse by a known amount.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from tests import _models as models
from tunefair.facts import RunFacts
from tunefair.gating import rules
from tunefair.gating.gate import gate
from tunefair.gating.judging import Check, judge
from tunefair.gating.losses import loss
from tunefair.gating.paired import Pair, Study
from tunefair.gating.power import claimed, of_number
from tunefair.gating.rules import DEFAULTS
from tunefair.gating.snapshot import Snapshot, of_evidence, rounded
from tunefair.gating.verdicts import Verdict
from tunefair.schema import AuditSettings, Place
from tunefair.statistics.estimates import Estimate

REPLICATES = 500
SETTINGS = ((2000, 3), (2000, 5), (500, 3), (500, 5))
GROUP = models.GROUPS.index("female")
QUALITIES = (
    models.worse(signal=0.6847412),
    models.worse(missed=(0.0, 0.2764893, 0.0, 0.0, 0.0)),
    models.worse(sharpness=1.2285156),
    models.worse(signal=0.6216797),
    models.worse(missed=(0.0, 0.5269775, 0.0, 0.0, 0.0)),
    models.worse(sharpness=1.5185547),
)
"""They lose once and twice what is tolerated: in accuracy, in a group's TPR, in calibration."""
JUDGED = (
    ("accuracy", "accuracy", ""),
    ("one group's TPR", "true_positive_rate", models.GROUPS[GROUP]),
    ("calibration", "expected_calibration_error", ""),
)
GAP = ("the same group's TPR", "equalized_odds_difference", "gap")
TOLERATED = {rule.metric: rule.max_loss or 0.0 for rule in DEFAULTS}


@dataclass(frozen=True)
class Plant:
    """A known loss: what is planted, in which number it is judged, and the quality that has it."""

    name: str
    metric: str
    group: str
    quality: models.Quality
    loss: float


def snapshots(
    n: int, seeds: int, rng: np.random.Generator, quality: models.Quality = models.USUAL
) -> tuple[Snapshot, Snapshot]:
    """Return a run of some quality and its baseline, on one new test set."""
    test = models.examples(n, rng)
    settings = AuditSettings(replicates=REPLICATES, seed=int(rng.integers(2**31)))
    old = models.strategy(test, rng, seeds=seeds)
    new = models.strategy(test, rng, seeds=seeds, quality=quality)
    return of_evidence(new, "run", settings), of_evidence(old, "baseline", settings)


def losses(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """Return the verdicts that compared something."""
    return [v for v in verdicts if v.loss is not None]


def false_alarms(n: int, seeds: int, studies: int) -> tuple[float, float, float]:
    """Return the share of A/A gates that fail, that fail by tolerance alone, that are open."""
    rng = np.random.default_rng([n, seeds])
    failed = naive = open_ = 0
    for _ in range(studies):
        judged = losses(gate(*snapshots(n, seeds, rng)).verdicts)
        failed += any(v.outcome == "fail" for v in judged)
        open_ += any(v.outcome == "inconclusive" for v in judged)
        naive += any(_plain_loss(v) > (v.max_loss or 0) for v in judged)
    return failed / studies, naive / studies, open_ / studies


def _plain_loss(verdict: Verdict) -> float:
    """Return the loss as a threshold gate would see it, without any statistics."""
    higher = verdict.metric in {"accuracy", "worst_group_accuracy", "true_positive_rate"}
    return (verdict.difference or 0.0) * (-1 if higher else 1)


def true_loss(metric: str, quality: models.Quality) -> float:
    """Return what a quality loses in the population, mean over seeds."""
    change = [_in_population(metric, q) for q in (models.USUAL, quality)]
    return (change[1] - change[0]) * (-1 if metric in {"accuracy", "true_positive_rate"} else 1)


def _in_population(metric: str, quality: models.Quality) -> float:
    """Return a metric's mean over 200,000 seeds; the calibration error's over 12, simulated."""
    if metric == "expected_calibration_error":
        return float(np.mean([_calibration_error(quality, seed) for seed in range(12)]))
    rng, size = np.random.default_rng(0), (200_000, len(models.GROUPS))
    shift = models.SEED_SHIFT * rng.standard_normal((size[0], 1)) + np.array(quality.bias)
    shift = shift + models.SEED_GROUP_SHIFT * rng.standard_normal(size)
    scale = np.hypot(models.HARD, models.OWN)
    hits = ndtr((quality.signal + shift - np.array(quality.missed)) / scale)
    alarms = ndtr((shift - quality.signal) / scale)
    if metric == "accuracy":
        return float(((hits + 1 - alarms) / 2 @ np.array(models.SHARE)).mean())
    if metric == "true_positive_rate":
        return float(hits[:, GROUP].mean())
    return float(np.maximum(np.ptp(hits, axis=1), np.ptp(alarms, axis=1)).mean())


def _calibration_error(quality: models.Quality, seed: int) -> float:
    test = models.examples(200_000, np.random.default_rng(1000 + seed))
    stated = models.predict(test, quality, np.random.default_rng(seed)).probability
    assert stated is not None
    right = stated.argmax(axis=1) == test.label
    bins = np.ceil(stated.max(axis=1) * 15).astype(int)
    residual = np.bincount(bins, weights=right - stated.max(axis=1))
    return float(np.abs(residual).sum() / len(right))


def planted() -> list[Plant]:
    """Return the losses that are judged; one group's TPR is part of a gap, too."""
    judged = [
        (what, quality)
        for quality, first in zip(QUALITIES, 2 * JUDGED, strict=True)
        for what in ((first, GAP) if first[2] else (first,))
    ]
    return [Plant(*what, quality, true_loss(what[1], quality)) for what, quality in judged]


class Found(NamedTuple):
    """What became of a planted loss in one study."""

    alone_failed: bool
    """At the level that `power` speaks of: Holm's strictest, whatever else fails."""
    rule_failed: bool
    gate_failed: bool
    passed: bool
    claim: float


def study(plants: Sequence[Plant], n: int, seeds: int, rng: np.random.Generator) -> list[Found]:
    """Return what became of every plant: runs against one baseline, on one new test set."""
    test = models.examples(n, rng)
    settings = AuditSettings(replicates=REPLICATES, seed=int(rng.integers(2**31)))
    made = dict.fromkeys([models.USUAL, *(p.quality for p in plants)])
    evidence = tuple(
        rounded(models.strategy(test, rng, seeds=seeds, quality=q, label=str(i)))
        for i, q in enumerate(made)
    )
    facts = RunFacts(suite="simulated", settings=settings)
    drawn = Study(Pair(run=Snapshot(facts=facts, evidence=evidence, versions={}), baseline=None),
                  DEFAULTS)  # fmt: skip
    checks = {q: _checks(drawn, str(i)) for i, q in enumerate(made) if i}
    judged = {q: judge(made_of_it) for q, made_of_it in checks.items()}
    return [_found(p, checks[p.quality], judged[p.quality], drawn) for p in plants]


def _checks(drawn: Study, strategy: str) -> list[Check]:
    """Return the default rules' checks of one strategy against the first."""
    return [
        Check(
            rule=rule, number=number, place=place, strategy=strategy,
            metric=rules.declared()[rule.metric][1], run=_estimate(drawn, strategy, place),
            baseline=_estimate(drawn, "0", place),
        )
        for number, rule in enumerate(DEFAULTS, start=1)
        for place in rules.places(rule, drawn.places)
    ]  # fmt: skip


def _estimate(drawn: Study, strategy: str, place: Place) -> Estimate:
    found = drawn.estimate(strategy, place)
    assert found is not None
    return found


def _found(
    plant: Plant, checks: Sequence[Check], judged: Sequence[Verdict], drawn: Study
) -> Found:
    about = next(v for v in judged if (v.metric, v.group) == (plant.metric, plant.group))
    check = next(c for c in checks if c.place == about.place)
    assert check.baseline is not None
    alone = loss(check.run, check.baseline, check.metric)
    strictest = 0.05 / len(judged)
    return Found(
        alone_failed=alone.p_value <= strictest and alone.size > TOLERATED[plant.metric],
        rule_failed=about.outcome == "fail",
        gate_failed=any(v.outcome == "fail" for v in judged),
        passed=about.outcome == "pass",
        claim=claim(drawn, about.place, plant.loss, strictest),
    )


def claim(drawn: Study, place: Place, loss: float, level: float) -> float:
    """Return the chance that `power` gives to a loss, of the baseline alone."""
    future = of_number(drawn, "0", place)
    return float(claimed(future, np.array([loss]), TOLERATED[place.metric], level)[0])


def print_false_alarms(studies: int) -> None:
    """Print the table of A/A studies."""
    print("| test examples | seeds | gate fails | tolerance alone fails | something undecided |")
    print("|--:|--:|--:|--:|--:|")
    for n, seeds in SETTINGS:
        failed, naive, undecided = false_alarms(n, seeds, studies)
        print(f"| {n:,} | {seeds} | {failed:.1%} | {naive:.1%} | {undecided:.1%} |", flush=True)


def print_misses(studies: int) -> None:
    """Print the table of planted losses; after ± the standard error of a share."""
    print(
        "| planted | true loss | examples | seeds "
        "| rule fails alone | `power` | rule fails in its family | gate fails | passes |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    plants = planted()
    for n, seeds in SETTINGS[:2]:
        rng = np.random.default_rng([n, seeds, 77])
        found = np.array([study(plants, n, seeds, rng) for _ in range(studies)], dtype=float)
        for plant, mean in zip(plants, found.mean(axis=0), strict=True):
            share = Found(*mean)
            error = np.sqrt(share.alone_failed * (1 - share.alone_failed) / studies)
            rest = (share.claim, share.rule_failed, share.gate_failed, share.passed)
            row = f"{share.alone_failed:.1%} ± {error:.1%} | "
            row += " | ".join(f"{x:.1%}" for x in rest)
            what = f"{plant.name} → {plant.metric} | {plant.loss:.3f} | {n:,} | {seeds}"
            print(f"| {what} | {row} |", flush=True)


def main() -> None:
    """Print both tables, or the one that is named."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    begun = time.process_time()
    if "misses" not in sys.argv:
        print_false_alarms(studies)
        print()
    if "alarms" not in sys.argv:
        print_misses(studies)
    seconds = time.process_time() - begun
    print(f"\n{studies:,} studies a row; {REPLICATES} draws; {seconds:,.0f} s of one core")


if __name__ == "__main__":
    main()
