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
from itertools import product
from typing import NamedTuple

import numpy as np

from bench.facts import RunFacts
from bench.gate import gate
from bench.gating import rules
from bench.gating.judging import Check, judge
from bench.gating.paired import Pair, Study
from bench.gating.rules import DEFAULTS, Place
from bench.gating.snapshot import Snapshot, of_evidence, rounded
from bench.gating.verdicts import Verdict
from bench.power import claimed, of_number
from bench.schema import AuditSettings, Predictions
from bench.statistics.estimates import Estimate
from tests import _models as models

REPLICATES = 500
SETTINGS = ((2000, 3), (2000, 5), (500, 3), (500, 5))
GROUP = models.GROUPS.index("female")
PLANTED = (
    ("accuracy", "accuracy", ""),
    ("one group's TPR", "true_positive_rate", models.GROUPS[GROUP]),
    ("calibration", "expected_calibration_error", ""),
    ("the gap of that group", "equalized_odds_difference", "gap"),
)
TOLERATED = {rule.metric: rule.max_loss or 0.0 for rule in DEFAULTS}


@dataclass(frozen=True)
class Plant:
    """A known loss: in which number, how large, and the quality that has it."""

    name: str
    metric: str
    group: str
    loss: float
    quality: models.Quality


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


def true_loss(metric: str, group: str, quality: models.Quality) -> float:
    """Return what a quality loses in the population, from a very large test set."""
    test = models.examples(400_000, np.random.default_rng(1))
    change = [
        _measure(metric, group, test, q, np.random.default_rng(2)) for q in (models.USUAL, quality)
    ]
    worse_low = metric in {"accuracy", "true_positive_rate"}
    return (change[0] - change[1]) * (1 if worse_low else -1)


def _measure(
    metric: str,
    group: str,
    test: models.Examples,
    quality: models.Quality,
    rng: np.random.Generator,
) -> float:
    answers = models.predict(test, quality, rng)
    if metric == "accuracy":
        return float((answers.prediction == test.label).mean())
    if metric == "true_positive_rate":
        rows = (test.label == 1) & (answers.groups["target"] == group)
        return float(answers.prediction[rows].mean())
    if metric == "equalized_odds_difference":
        return _equalized_odds_difference(answers)
    assert answers.probability is not None
    confidence = answers.probability.max(axis=1)
    right = answers.probability.argmax(axis=1) == test.label
    bins = np.ceil(confidence * 15).astype(int)
    return float(np.abs(np.bincount(bins, weights=right - confidence)).sum() / len(right))


def _equalized_odds_difference(answers: Predictions) -> float:
    group = answers.groups["target"]
    rates = [
        [answers.prediction[(answers.label == y) & (group == g)].mean() for g in models.GROUPS]
        for y in (0, 1)
    ]
    return float(np.ptp(rates, axis=1).max())


def plant(name: str, metric: str, group: str, times: float) -> Plant:
    """Return the quality that loses `times` the default tolerance in one number."""
    wanted = times * TOLERATED[metric]
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if true_loss(metric, group, _made_worse(name, middle)) < wanted
            else (low, middle)
        )  # fmt: skip
    quality = _made_worse(name, high)
    return Plant(name, metric, group, true_loss(metric, group, quality), quality)


def _made_worse(name: str, much: float) -> models.Quality:
    if name == "accuracy":
        return models.worse(signal=models.USUAL.signal * (1 - 0.6 * much))
    if "group" in name:
        missed = [0.0] * len(models.GROUPS)
        missed[GROUP] = 1.5 * much
        return models.worse(missed=tuple(missed))
    return models.worse(sharpness=1 + 2 * much)


class Found(NamedTuple):
    """What became of a planted loss in one study."""

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
    judged = {q: judge(_checks(drawn, str(i))) for i, q in enumerate(made) if i}
    return [_found(p, judged[p.quality], drawn) for p in plants]


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


def _found(planted: Plant, judged: Sequence[Verdict], drawn: Study) -> Found:
    (about,) = (v for v in judged if (v.metric, v.group) == (planted.metric, planted.group))
    return Found(
        rule_failed=about.outcome == "fail",
        gate_failed=any(v.outcome == "fail" for v in judged),
        passed=about.outcome == "pass",
        claim=claim(drawn, about.place, planted.loss, 0.05 / len(judged)),
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
        "| planted | true loss | examples | seeds | rule fails | gate fails | passes | `power` |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    plants = [plant(*what, times) for times, what in product((1, 2), PLANTED)]
    for n, seeds in SETTINGS[:2]:
        rng = np.random.default_rng([n, seeds, 77])
        found = np.array([study(plants, n, seeds, rng) for _ in range(studies)], dtype=float)
        for planted, mean in zip(plants, found.mean(axis=0), strict=True):
            error = np.sqrt(mean[0] * (1 - mean[0]) / studies)
            row = f"{mean[0]:.1%} ± {error:.1%} | " + " | ".join(f"{x:.1%}" for x in mean[1:])
            what = f"{planted.name} | {planted.loss:.3f} | {n:,} | {seeds}"
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
