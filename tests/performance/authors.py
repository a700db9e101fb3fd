"""How intervals cover and floors are exceeded where texts are by authors: simulated studies.

`python -m tests.performance.authors --studies 1000 --out FOLDER` writes one JSON file a setting,
resuming where it stopped, and prints the table of docs/uncertainty.md.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests._authors import Authors
from tests._population import Population
from tunefair import audit
from tunefair.schema import AuditSettings, Evidence
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.grouping import Grouping
from tunefair.statistics.intervals import interval
from tunefair.statistics.sample import Sample, Statistic, Table

SHARE = np.array([0.30, 0.25, 0.20, 0.15, 0.10])
RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")
GAPS = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "accuracy_difference",
    "worst_group_accuracy",
)
DECLARED = audit.declared()
AUDITS = [audit.shipped()[name] for name in ("accuracy", "group_fairness")]


@dataclass(frozen=True)
class Setting:
    """A design."""

    n: int
    texts: int
    correlation: float
    gap: float
    named: bool = True
    seeds: int = 3

    @property
    def name(self) -> str:
        """What the setting is called."""
        known = "" if self.named else ", not named"
        return (
            f"n={self.n} {self.texts} texts an author, correlation {self.correlation:g}, "
            f"gap={self.gap:.2f}{known}"
        )

    @property
    def authors(self) -> Authors:
        """What texts are drawn from."""
        lean = np.linspace(-0.5, 0.5, len(SHARE))
        population = Population(
            share=SHARE,
            base=np.full(len(SHARE), 0.5),
            tpr=0.80 + self.gap * lean,
            fpr=0.26 + self.gap / 2 * lean,
        )
        return Authors(population=population, texts=self.texts, correlation=self.correlation)


def settings() -> list[Setting]:
    """Return the settings of docs/uncertainty.md."""
    return [
        Setting(n, texts, 0.5, gap, named)
        for named in (True, False)
        for n, texts in ((2000, 20), (2000, 5), (10_000, 20), (500, 5), (500, 20))
        for gap in (0.0, 0.10)
    ]


def estimates(evidence: Evidence, sample: Sample) -> Iterator[Estimate]:
    """Yield the rates of the whole set and of the smallest group, and the gaps."""
    smallest = f"g{len(SHARE) - 1}"
    for one in AUDITS:
        for estimate in sample.resting(one.estimates(evidence, sample)):
            rate = estimate.metric in RATES and estimate.group in ("", smallest)
            if rate or estimate.metric in GAPS:
                yield estimate


def simulated(setting: Setting, studies: int, replicates: int) -> dict[str, dict[str, float]]:
    """Return number -> share covered (of A), of B, mean width, and share of floors exceeded."""
    rng = np.random.default_rng(11)
    made, chosen = setting.authors, AuditSettings(replicates=replicates, min_group_size=20)
    chosen = AuditSettings(replicates=replicates, min_group_size=20, only=(*RATES, *GAPS))
    truth = made.population.truth(made.population.train(400, rng))
    systematic = made.population.of_mean_rates(truth)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(studies):
        models = made.population.train(setting.seeds, rng)
        evidence = made.evidence(setting.n, models, rng, named=setting.named)
        for estimate in estimates(evidence, Unfloored([evidence], chosen)):
            key = estimate.metric, estimate.group
            name = key[0] if key[1] in ("", "gap") else f"{key[0]} of the smallest group"
            metric = DECLARED[key[0]][1]
            low, high, *_ = interval(estimate, (metric.low, metric.high))
            found[name]["covered"].append(low <= truth[key].mean() <= high)
            found[name]["width"].append(high - low)
            if key in systematic:
                found[name]["systematic"].append(low <= systematic[key] <= high)
        if setting.gap == 0:
            for name, exceeded in _floors(setting, chosen, rng):
                found[name]["exceeded"].append(exceeded)
    return {n: {k: float(np.mean(v)) for k, v in by.items()} for n, by in found.items()}


def _floors(
    setting: Setting, chosen: AuditSettings, rng: np.random.Generator
) -> Iterator[tuple[str, bool]]:
    """Yield whether each gap exceeds its floor where no seed has any disparity."""
    made = setting.authors
    made = replace(made, population=replace(made.population, seed_group=0.0))
    models = made.population.train(setting.seeds, rng)
    evidence = made.evidence(setting.n, models, rng, named=setting.named)
    for estimate in estimates(evidence, Sample([evidence], chosen)):
        if estimate.floor is not None and estimate.metric in GAPS:
            yield estimate.metric, _exceeds(estimate, DECLARED[estimate.metric][1].better)


class Unfloored(Sample):
    """A sample that spends nothing on floors, which intervals do not read."""

    def permuted(self, table: Table, grouping: Grouping, statistic: Statistic) -> np.ndarray:
        return statistic(table.observed)


def _exceeds(estimate: Estimate, better: str) -> bool:
    """Whether a number looks like more of a disparity than 95 % of draws without any."""
    floor, value = estimate.floor.mean(axis=0), estimate.theta.mean()
    if better == "higher":
        return bool(value < np.quantile(floor, 0.05))
    return bool(value > np.quantile(floor, 0.95))


def table(folder: Path) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield "| setting | rates, least | of the smallest group, least | gaps A, least | B | floors |"
    yield "|---|---|---|---|---|---|"
    for setting in settings():
        file = folder / f"{setting.name}.json"
        if file.is_file():
            found = json.loads(file.read_text())
            small = {n: v for n, v in found.items() if n.endswith("smallest group")}
            gaps = {n: v for n, v in found.items() if n in GAPS}
            whole = {n: v for n, v in found.items() if n not in small and n not in gaps}
            exceeded = [100 * v["exceeded"] for v in gaps.values() if "exceeded" in v]
            shown = f"{min(exceeded):.1f}–{max(exceeded):.1f}" if setting.gap == 0 else ""
            parts = [_least(whole, "covered"), _least(small, "covered"), _least(gaps, "covered")]
            parts += [_least(gaps, "systematic"), shown]
            yield f"| {setting.name} | {' | '.join(parts)} |"


def _least(found: dict[str, dict[str, float]], key: str) -> str:
    name = min((n for n in found if key in found[n]), key=lambda n: found[n][key])
    short = name.removesuffix(" of the smallest group").replace("_", " ")
    return f"{100 * found[name][key]:.1f} ({short})"


def main() -> None:
    """Simulate what is missing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", type=int, nargs="*")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    wanted = settings()
    for setting in [wanted[i] for i in chosen.only] if chosen.only else wanted:
        file = chosen.out / f"{setting.name}.json"
        if not file.is_file():
            found = simulated(setting, chosen.studies, chosen.replicates)
            file.write_text(json.dumps(found, indent=1))
    print("\n".join(table(chosen.out)))


if __name__ == "__main__":
    main()
