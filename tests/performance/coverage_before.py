"""How much narrower intervals and detectable effects are than those of an older version.

    git worktree add FOLDER ba3146e
    python -m tests.performance.coverage_before FOLDER --studies 40

The older package is `bench`, ours is `tunefair`: both judge the same simulated estimates.
"""

import argparse
import importlib
import sys
from collections import defaultdict

import numpy as np

from tests.performance.coverage import BOUNDS, DECLARED, Unfloored, estimated
from tests.performance.coverage_settings import (
    EFFECTS,
    Setting,
    larger,
    population,
    settings,
    times,
)
from tunefair.measuring.contrasts import differences, shared_variances, side
from tunefair.schema import AuditSettings
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.intervals import interval_of
from tunefair.statistics.summary import summary

METRICS = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "predictive_parity_difference",
    "accuracy_difference",
    "worst_group_accuracy",
    "worst_cell_accuracy",
    "accuracy",
    "log_loss",
    "roc_auc",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
)


def ratios(setting: Setting, studies: int, replicates: int) -> dict[str, list[float]]:
    """Return metric -> [mean width over the older one's, median detectable effect likewise]."""
    old_interval = importlib.import_module("bench.statistics.intervals").interval
    old_kind = importlib.import_module("bench.statistics.estimates").Estimate
    old = importlib.import_module("bench.compare")
    rng = np.random.default_rng(5)
    chosen = AuditSettings(replicates=replicates, only=METRICS, min_group_size=20)
    smallest = f"g{len(setting.population.share) - 1}"
    widths, effects = defaultdict(list), defaultdict(list)
    for _ in range(studies):
        texts = setting.population.texts(setting.n, rng)
        run = []
        for i in range(setting.strategies):
            models = setting.population.train(setting.seeds, rng)
            run.append(setting.population.evidence(texts, models, rng, f"s{i}"))
        sample = Unfloored(run, chosen)
        made = [
            {
                place: e
                for place, e in estimated(one, sample).items()
                if place.metric in METRICS and place.group in ("", "gap", smallest)
            }
            for one in run
        ]
        sides = [
            {place: side(e, one.seeds) for place, e in of.items()}
            for of, one in zip(made, run, strict=True)
        ]
        shared = shared_variances(sides)
        for of_strategy in made:
            for place, estimate in of_strategy.items():
                new = interval_of(summary(estimate), BOUNDS[place.metric], shared.get(place))
                before = old_interval(_of_old(estimate, old_kind), BOUNDS[place.metric])
                widths[place.metric].append((new.high - new.low, before.high - before.low))
        before = [{p: old.side(e, run[0].seeds) for p, e in of.items()} for of in made]
        for i in range(1, len(made)):
            new = differences(sides[i], sides[0], DECLARED, shared=shared)
            for place, found in new.items():
                was = old.difference(
                    before[i][place], before[0][place], DECLARED[place.metric], matched=True
                )
                effects[place.metric].append((found.detectable(), was.detectable()))
    return {
        metric: [
            float(np.divide(*np.mean(widths[metric], axis=0))),
            float(np.divide(*np.median(effects[metric], axis=0))) if metric in effects else np.nan,
        ]
        for metric in METRICS
    }


def _of_old(estimate: Estimate, kind: type) -> object:
    """Return the estimate in the older version's shape."""
    return kind(
        metric=estimate.metric,
        values=estimate.values,
        n=estimate.n,
        family=estimate.family,
        parts=tuple(tuple(_of_old(p, kind) for p in group) for group in estimate.parts),
    )


def designs() -> list[Setting]:
    """Return the settings with several seeds, and a run of six strategies."""
    made = [s for s in (*settings(), *larger()) if s.seeds > 1]
    return made + [
        Setting(f"n={n} K={k} effects {name}, six strategies", n, k, times(e, population()), 6)
        for n in (500, 2000)
        for k in (2, 3, 5)
        for name, e in EFFECTS.items()
    ]


def main() -> None:
    """Print a line a setting, then the means over the settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("older", help="folder that holds the older version")
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--only", default="", help="settings whose name has this in it")
    chosen = parser.parse_args()
    sys.path.insert(0, chosen.older)
    every = []
    print("setting: metric width ratio / detectable effect ratio")
    for setting in designs():
        if chosen.only in setting.name:
            found = ratios(setting, chosen.studies, chosen.replicates)
            every.append(found)
            print(setting.name, *(f"{m} {w:.2f}/{d:.2f}" for m, (w, d) in found.items()), sep="; ")
    for metric in METRICS:
        print(metric, np.nanmean([f[metric] for f in every], axis=0).round(3))


if __name__ == "__main__":
    main()
