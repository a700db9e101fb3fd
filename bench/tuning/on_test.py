"""What trials answered on the test split: what curves are made of, after every choice is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..audit import declared, load_all
from ..facts import TuningCrossing, TuningCurvePoint
from ..schema import Array, AuditSettings, Evidence, Metric, Place, Predictions, Task
from ..statistics.sample import Sample
from ..storage import examples, records, run_folder
from ..suite import Tuning
from .choice import Scored, merit
from .curve import band, best_chances, crossings, plausible

DRAWS = 2000
"""Draws of the test examples and of the trials."""
Values = Mapping[Place, Mapping[str, Array]]
"""What a number is of -> strategy -> (T, 1 + draws), a row a trial; NaN where it failed."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which test values are looked at."""

    performance: str
    gap: str
    settings: AuditSettings

    @property
    def metrics(self) -> dict[str, Metric]:
        """Return the metrics of which one value is better than another, by name."""
        known = declared()
        return {
            name: known[name][1]
            for name in (self.performance, self.gap)
            if known[name][1].better in ("lower", "higher")
        }


def values(first: Mapping[str, Sequence[Scored]], wanted: Wanted, run: Path, task: Task) -> Values:
    """Return the test values of every finished trial, with the same draws for all strategies."""
    known = examples.of_task(task)
    evidence = {
        (label, place): Evidence(
            strategy=f"{label} · trial {place + 1}",
            seeds=(one.trial.cell.seed,),
            test=(known.regrouped(_test(run, one)),),
        )
        for label, those in first.items()
        for place, one in enumerate(those)
        if one.validation is not None
    }
    if not evidence:
        return {}
    found: dict[Place, dict[str, Array]] = {}
    names = tuple(wanted.metrics)
    settings = replace(wanted.settings, only=names, replicates=DRAWS, intersections=())
    sample = Sample(list(evidence.values()), settings)
    for (label, row), one in evidence.items():
        for place, drawn in _measured(one, sample, names):
            empty = np.full((len(first[label]), 1 + DRAWS), np.nan)
            found.setdefault(place, {}).setdefault(label, empty)[row] = drawn
    return {place: of for place, of in found.items() if set(of) == set(first)}


def _test(run: Path, one: Scored) -> Predictions:
    folder = run_folder.cell_folder(run, one.trial.cell.id)
    return records.read_predictions(folder / records.PREDICTIONS)["test", "original"]


def _measured(
    one: Evidence, sample: Sample, metrics: Sequence[str]
) -> Iterator[tuple[Place, Array]]:
    """Yield the whole set's numbers and the gaps of one trial, with their draws."""
    audits = load_all(dict.fromkeys(declared()[metric][0][0] for metric in metrics))
    for audit in audits.values():
        for estimate in audit.estimates(one, sample):
            headline = estimate.group in ("", "gap") and not estimate.posthoc
            if estimate.metric in metrics and headline and estimate.view == "original":
                whole = estimate.values.shape[1] == 1 + DRAWS
                yield estimate.place, estimate.values[0] if whole else np.array([np.nan])


def curves(
    first: Mapping[str, Sequence[Scored]], found: Values, wanted: Wanted, tuning: Tuning
) -> tuple[list[TuningCurvePoint], list[TuningCrossing]]:
    """Return each strategy's curve over the number of trials, and where curves cross."""
    points: list[TuningCurvePoint] = []
    crossed: list[TuningCrossing] = []
    for place, test in found.items():
        higher = wanted.metrics[place.metric].better == "higher"
        validation = {label: _merits(those, tuning) for label, those in first.items()}
        rng = np.random.default_rng(tuning.seed)
        drawn = {label: plausible(validation[label], test[label], rng=rng) for label in first}
        bands = {label: band(validation[label], test[label], drawn[label]) for label in first}
        sure = all(np.isfinite(of).all() for of in drawn.values())
        chance = best_chances(drawn, higher=higher) if sure else {}
        for label, shown in bands.items():
            for k in range(1, len(shown.value) + 1):
                value, low, high = (_number(column[k - 1]) for column in shown)
                best = _number(chance[label][k - 1]) if chance else None
                points.append(
                    TuningCurvePoint(
                        label,
                        place.metric,
                        place.attribute,
                        place.group,
                        k,
                        value,
                        low,
                        high,
                        best,
                    )
                )
        if sure and len(bands) > 1:
            lines = {label: shown.value for label, shown in bands.items()}
            crossed += [
                TuningCrossing(place.metric, place.attribute, *crossing)
                for crossing in crossings(lines, drawn, higher=higher)
            ]
    return points, crossed


def _merits(those: Sequence[Scored], tuning: Tuning) -> Array:
    known = [merit(one.validation, tuning) for one in those]
    return np.array([np.nan if m is None else m for m in known])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
