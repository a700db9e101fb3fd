"""How often our intervals cover, our tests err and our floors are exceeded: simulated studies.

`python -m tests.performance.coverage --studies 1000 --out FOLDER` writes one JSON file a setting,
resuming where it stopped; coverage_table.py prints them as the tables of docs/uncertainty.md.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

from tests._population import Population
from tests.performance.coverage_settings import (
    Setting,
    broken,
    larger,
    settings,
    trained_again,
)
from tunefair import audit
from tunefair.measuring.contrasts import (
    HEADLINE,
    contrasts,
    differences,
    shared_variances,
    side,
)
from tunefair.schema import AuditSettings, Contrast, Evidence, Place
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.gaps import between_groups
from tunefair.statistics.group_rates import calibration_errors
from tunefair.statistics.grouping import Grouping
from tunefair.statistics.intervals import Interval, interval_of
from tunefair.statistics.sample import Sample, Statistic, Table
from tunefair.statistics.summary import shared_variance, summary

SHIPPED = audit.shipped()
ACCURACY, CALIBRATED, FAIRNESS, TRADE_OFF = (
    SHIPPED[name] for name in ("accuracy", "calibration", "group_fairness", "trade_off")
)
DECLARED = {name: metric for name, (_, metric) in audit.declared().items()}
BOUNDS = {name: (metric.low, metric.high) for name, metric in DECLARED.items()}
TESTED = (
    "accuracy",
    "log_loss",
    "roc_auc",
    "expected_calibration_error",
    "true_positive_rate",
    "false_positive_rate",
    "equalized_odds_difference",
    "worst_group_accuracy",
)
WHOLE = (("accuracy",), ("log_loss",), ("roc_auc",))
"""What `power` looks at on the whole test set, one metric at a time."""
COUNTED = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "log_loss",
    "roc_auc",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "precision",
    "impact_ratio",
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "predictive_parity_difference",
    "accuracy_difference",
    "worst_group_accuracy",
    "worst_cell_accuracy",
    "bpsn_auc",
    "bnsp_auc",
    "bias_auc",
    "dto",
)
CALIBRATION = (
    "expected_calibration_error",
    "positive_calibration_error",
    "calibration_in_the_large",
    "brier_reliability",
    "brier_resolution",
    "calibration_difference",
)
FURTHER = (
    "adaptive_calibration_error",
    "debiased_calibration_error",
    "smooth_calibration_error",
    "brier_score",
)
METRICS = (*COUNTED, *CALIBRATION, *FURTHER)
COVERAGE = {"intervals": COUNTED, "calibration": CALIBRATION, "further": FURTHER}
PARTS = (*COVERAGE, "floors", "errors", "power", "claims")


class Unfloored(Sample):
    """A sample that spends nothing on floors, which intervals do not read."""

    def permuted(self, table: Table, grouping: Grouping, statistic: Statistic) -> np.ndarray:
        return statistic(table.observed)


def estimated(evidence: Evidence, sample: Sample) -> dict[Place, Estimate]:
    """Return the estimates that somebody will read, by key."""
    counted = (ACCURACY,) if sample.settings.only in WHOLE else (ACCURACY, FAIRNESS)
    audits = [audit for audit in counted if sample.settings.wants(*COUNTED)]
    audits += [TRADE_OFF] if sample.settings.wants("dto") else []
    audits += [CALIBRATED] if sample.settings.wants(*CALIBRATION, *FURTHER) else []
    found = {e.place: e for audit in audits for e in audit.estimates(evidence, sample)}
    if sample.settings.only == CALIBRATION:  # all of group_fairness would cost three times this
        said = [p.probability for p in evidence.test]
        errors = calibration_errors(sample, sample.groupings[0], said)
        gap = between_groups("calibration_difference", "gap", [errors], sample.groupings[0])
        found[gap.place] = gap
    return found


def intervals(
    setting: Setting, studies: int, replicates: int, metrics: Sequence[str]
) -> dict[str, list[float]]:
    """Return metric -> [coverage of A, of B or NaN, mean width].

    Of every strategy of a run: their seed variances are moderated together.
    """
    rng = np.random.default_rng(7)
    chosen = AuditSettings(replicates=replicates, only=tuple(metrics), min_group_size=20)
    population, smallest = setting.population, f"g{len(setting.population.share) - 1}"
    truth = population.truth(population.expected(rng))
    expected, systematic = _means(truth), population.of_mean_rates(truth)
    hits = defaultdict(list)
    for _ in range(studies):
        texts = population.texts(setting.n, rng)
        models = [population.train(setting.seeds, rng) for _ in range(setting.strategies)]
        run = [population.evidence(texts, m, rng, f"s{i}") for i, m in enumerate(models)]
        sample = Unfloored(run, chosen)
        made = [estimated(e, sample) for e in run]
        for of_strategy, own in zip(made, models, strict=True):
            if setting.seeds == 1:  # the interval is about this model
                expected, systematic = _means(population.truth(own)), {}
            for place, estimate in of_strategy.items():
                at = place.metric, place.group
                if place.metric not in metrics or at not in expected:
                    continue
                if place.group in ("", "gap", smallest):
                    shared = shared_variance(other[place].theta for other in made)
                    found = interval_of(summary(estimate), BOUNDS[place.metric], shared)
                    row = _covered(found, expected[at], systematic.get(at, np.nan))
                    hits[_name(*at)].append(row)
    return {name: np.mean(h, axis=0).tolist() for name, h in hits.items()}


def _covered(found: Interval, expected: float, systematic: float) -> tuple[float, float, float]:
    """Return whether A and B are covered (B: NaN where there is none), and A's width."""
    also = np.nan
    if not np.isnan(systematic):
        low, high = found.systematic_low, found.systematic_high
        also = found.low <= systematic <= found.high if low is None else low <= systematic <= high
    return found.low <= expected <= found.high, also, found.high - found.low


def _means(truth: dict[tuple[str, str], np.ndarray]) -> dict[tuple[str, str], float]:
    return {key: float(value.mean()) for key, value in truth.items()}


def _name(metric: str, group: str) -> str:
    return metric if group in ("", "gap") else f"{metric} of the smallest group"


def floors(setting: Setting, studies: int, replicates: int) -> dict[str, list[float]]:
    """Return metric -> [share of studies beyond floor_p95] where no seed has any disparity."""
    rng = np.random.default_rng(8)
    chosen = AuditSettings(replicates=replicates, min_group_size=20)
    fair = replace(setting.population, tpr=np.full(5, 0.8), fpr=np.full(5, 0.26), seed_group=0.0)
    beyond = defaultdict(list)
    for _ in range(studies):
        texts = fair.texts(setting.n, rng)
        evidence = fair.evidence(texts, fair.train(setting.seeds, rng), rng)
        for estimate in FAIRNESS.estimates(evidence, Sample([evidence], chosen)):
            if estimate.floor is not None:
                sign = FAIRNESS.metrics[estimate.metric].sign
                limit = np.quantile(sign * estimate.floor.mean(axis=0), 0.95)
                beyond[estimate.metric].append(sign * estimate.theta.mean() > limit)
    return {metric: [float(np.mean(past))] for metric, past in beyond.items()}


def errors(
    setting: Setting, studies: int, replicates: int, metrics: Sequence[str] = TESTED
) -> dict[str, list[float]]:
    """Return metric -> [share of p < .05, median MDE] of A/A pairs, and of any Holm claim.

    All other strategies are compared with the first: two others are a family of ten.
    """
    rng = np.random.default_rng(9)
    wrong, detectable, claims = defaultdict(list), defaultdict(list), []
    for _ in range(studies):
        same = (0.0,) * (setting.strategies - 1)
        found = _compared(setting, rng, metrics, replicates, same)
        claims.append(any(c.p_adjusted is not None and c.p_adjusted < 0.05 for c in found))
        for c in found:
            name = _name(c.metric, c.group)
            wrong[name].append(c.p_value < 0.05)
            detectable[name].append(c.minimum_detectable_effect)
    table = {k: [float(np.mean(w)), float(np.median(detectable[k]))] for k, w in wrong.items()}
    return {"any Holm-adjusted claim": [float(np.mean(claims)), float("nan")], **table}


def power(
    setting: Setting, studies: int, replicates: int, effect: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Return metric -> [power, the true difference]: the median MDE that `errors` printed."""
    rng = np.random.default_rng(10)
    smallest = f"g{len(setting.population.share) - 1}"
    found = {}
    for metric, group in (*((m, "") for (m,) in WHOLE), ("true_positive_rate", smallest)):
        name = _name(metric, group)
        better = _shift(setting.population, (metric, group), effect[name][1])
        hits = [
            c.p_value < 0.05
            for _ in range(studies)
            for c in _compared(setting, rng, (metric,), replicates, (better,))
            if (c.metric, c.group) == (metric, group)
        ]
        found[name] = [float(np.mean(hits)), effect[name][1]]
    return found


def _compared(
    setting: Setting,
    rng: np.random.Generator,
    metrics: Sequence[str],
    replicates: int,
    better: Sequence[float],
) -> list[Contrast]:
    """Return the contrasts of strategies, each better by so much, with a reference."""
    texts = setting.population.texts(setting.n, rng)
    run = []
    for i, b in enumerate((0.0, *better)):
        population = setting.population_of(i)
        models = population.train(setting.seeds, rng, b)
        run.append(population.evidence(texts, models, rng, f"s{i}"))
    chosen = AuditSettings(replicates=replicates, only=tuple(metrics), min_group_size=20)
    sample = Unfloored(run, chosen)
    read = headline if tuple(metrics) == HEADLINE else estimated
    smallest = f"g{len(setting.population.share) - 1}"
    sides = [
        {
            place: side(estimate, e.seeds)
            for place, estimate in read(e, sample).items()
            if place.metric in metrics and place.group in ("", "gap", smallest)
        }
        for e in run
    ]
    shared = shared_variances(sides)
    paired = [differences(s, sides[0], DECLARED, shared=shared) for s in sides[1:]]
    return list(contrasts([(f"s{i}", "s0", p) for i, p in enumerate(paired, start=1)]))


def headline(evidence: Evidence, sample: Sample) -> dict[Place, Estimate]:
    """Return the headline numbers alone: audits are left where they have yielded them."""
    found: dict[Place, Estimate] = {}
    for chosen in (ACCURACY, FAIRNESS, CALIBRATED):
        open_ = (set(HEADLINE) & set(chosen.metrics)) - {p.metric for p in found}
        for estimate in chosen.estimates(evidence, sample):
            if estimate.metric in open_ and estimate.group in ("", "gap"):
                found[estimate.place] = estimate
                open_.discard(estimate.metric)
            if not open_:
                break
    return found


def claims(setting: Setting, studies: int, replicates: int) -> dict[str, list[float]]:
    """Return metric -> [share of p < .05, median MDE] of strategies that do not differ.

    Of the headline metrics alone, and of any Holm claim among them.
    """
    return errors(setting, studies, replicates, HEADLINE)


def _shift(population: Population, key: tuple[str, str], effect: float) -> float:
    """Return how much worse (below 0) a strategy must be for its metric to differ by `effect`."""
    still = replace(population, seed_all=0.0, seed_group=0.0)
    rng = np.random.default_rng(0)
    start = still.truth(still.train(1, rng))[key][0]
    return float(
        brentq(lambda b: abs(still.truth(still.train(1, rng, b))[key][0] - start) - effect, -2, 0)
    )


def simulate(part: str, setting: Setting, out: Path, design: tuple[int, int]) -> None:
    """Write one part of one setting, if it is not there yet."""
    file = out / f"{part} {setting.name}.json"
    if file.exists():
        return
    started = time.process_time()
    more = [COVERAGE[part]] if part in COVERAGE else []
    if part == "power":
        more = [json.loads((out / f"errors {setting.name}.json").read_text())["found"]]
    known = {"floors": floors, "errors": errors, "power": power, "claims": claims}
    simulated = known.get(part, intervals)
    found = simulated(setting, *design, *more)
    record = {"studies": design[0], "replicates": design[1], "found": found}
    file.write_text(json.dumps(record, indent=1))
    print(f"{file.stem}: {time.process_time() - started:.0f} s of one core", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--only", default="", help="settings whose name has this in it")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    plain = [s for s in settings() if "K=3 gap=0.00" in s.name or "RedditBias" in s.name]
    every = [*settings(), *larger(), *broken()]
    simulated = {"intervals": every, "calibration": settings(), "claims": trained_again()}
    for part in chosen.parts:
        for setting in simulated.get(part, plain):
            if chosen.only in setting.name:
                simulate(part, setting, chosen.out, (chosen.studies, chosen.replicates))
