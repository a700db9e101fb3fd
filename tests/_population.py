"""A population whose every number is known: what a simulation checks intervals against.

A score s is normal with unit variance around +m1 for a group's positives, -m0 for its negatives; a
text is predicted positive when s > 0 and the stated probability is sigmoid(sharpness * s).
Training seeds move m1 and m0, of all groups together and of each group.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from tests._stated import SCORES, STEP, Said
from tunefair.schema import Evidence, Predictions
from tunefair.statistics.group_areas import bias_score

COLLAPSED = 4.0
"""How far from the threshold a model is whose training collapsed."""


class Models(NamedTuple):
    """What training left: one row a seed."""

    m1: np.ndarray  # (n_seeds, n_groups)
    m0: np.ndarray  # (n_seeds, n_groups)


@dataclass(frozen=True, kw_only=True)
class Population:
    share: np.ndarray  # (n_groups,)
    base: np.ndarray  # (n_groups,) P(y = 1)
    tpr: np.ndarray  # (n_groups,) of a typical seed
    fpr: np.ndarray  # (n_groups,)
    sharpness: float = 1.45
    """About 1.45 is calibrated at these rates; 2.9 is overconfident."""
    seed_all: float = 0.02
    """Standard deviation over seeds of what moves all groups."""
    seed_group: float = 0.05
    """Standard deviation over seeds of what moves one group's m1 or m0."""
    agreement: float = 0.6
    """Correlation of two seeds' scores of one text, beyond its label and group."""
    shared: float = 0.0
    """Share of a seed's effect (its variance) that all seeds of a strategy have in common."""
    collapse: float = 0.0
    """Chance that a seed learns nothing and answers every text with the first class."""

    def train(self, n_seeds: int, rng: np.random.Generator, better: float = 0.0) -> Models:
        """Draw trained models; `better` is added to m1 and m0."""
        shape = (n_seeds, len(self.share))
        move = better + self.seed_all * self._effect((n_seeds, 1), rng)
        m1 = norm.ppf(self.tpr) + move + self.seed_group * self._effect(shape, rng)
        m0 = -norm.ppf(self.fpr) + move + self.seed_group * self._effect(shape, rng)
        lost = rng.random((n_seeds, 1)) < self.collapse
        return Models(np.where(lost, -COLLAPSED, m1), np.where(lost, COLLAPSED, m0))

    def _effect(self, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Draw what the seeds (rows) do: of unit variance, `shared` of it alike in all rows."""
        own = rng.normal(size=shape)
        if not self.shared:
            return own
        alike = rng.normal(size=(1, shape[1]))
        return np.sqrt(1 - self.shared) * own + np.sqrt(self.shared) * alike

    def expected(self, rng: np.random.Generator) -> Models:
        """Draw 400 models that have nothing in common, whose mean is the truth."""
        return replace(self, shared=0.0).train(400, rng)

    def texts(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw (label, group, difficulty) of n texts; group sizes are fixed."""
        sizes = np.floor(self.share * n).astype(int)
        sizes[0] += n - sizes.sum()
        group = np.repeat(np.arange(len(sizes)), sizes)
        return (rng.random(n) < self.base[group]).astype(int), group, rng.normal(size=n)

    def evidence(
        self,
        texts: tuple[np.ndarray, ...],
        models: Models,
        rng: np.random.Generator,
        strategy: str = "full",
    ) -> Evidence:
        """Return what the models answer on the texts."""
        label, group, difficulty = texts
        n_seeds = len(models.m1)
        centre = np.where(label == 1, models.m1[:, group], -models.m0[:, group])
        own = rng.normal(size=centre.shape)
        noise = np.sqrt(self.agreement) * difficulty + np.sqrt(1 - self.agreement) * own
        p = expit(self.sharpness * (centre + noise))
        test = tuple(_predictions(label, group, p[k]) for k in range(n_seeds))
        return Evidence(strategy=strategy, seeds=tuple(range(n_seeds)), test=test)

    def truth(self, models: Models) -> dict[tuple[str, str], np.ndarray]:
        """Return (metric, group) -> the population's value for each seed (n_seeds,)."""
        rates = self._rates(models) | self._stated(models)
        whole = {name: value[:, -1] for name, value in rates.items()}
        by_group = {name: value[:, :-1] for name, value in rates.items()}
        gaps = between(by_group)
        known = {(name, "gap"): value for name, value in gaps.items()}
        known |= {(name, ""): value for name, value in whole.items()}
        for name, value in by_group.items():
            known |= {(name, f"g{g}"): value[:, g] for g in range(len(self.share))}
        distance = np.hypot(1 - whole["accuracy"], gaps["equalized_odds_difference"])
        return known | {("dto", "gap"): distance} | self._by_group_areas(models)

    def of_mean_rates(
        self, truth: Mapping[tuple[str, str], np.ndarray]
    ) -> dict[tuple[str, str], float]:
        """Return the gaps of the mean over seeds of each group's rates: the systematic part."""
        groups = range(len(self.share))
        names = dict.fromkeys(name for name, group in truth if group == "g0")
        rates = {n: np.array([truth[n, f"g{g}"].mean() for g in groups]) for n in names}
        return {(name, "gap"): float(value) for name, value in between(rates).items()}

    def _rates(self, models: Models) -> dict[str, np.ndarray]:
        """Return rate -> (n_seeds, n_groups + 1): of every group, then of the whole."""
        tpr, fpr = norm.cdf(models.m1), norm.cdf(-models.m0)
        positive, negative = self.share * self.base, self.share * (1 - self.base)
        hit, alarm = _with_whole(positive * tpr), _with_whole(negative * fpr)
        positive, negative = _with_whole(positive), _with_whole(negative)
        every, correct = positive + negative, hit + negative - alarm
        wrong = every - correct
        recall = (hit / positive + (negative - alarm) / negative) / 2
        selection = (hit + alarm) / every
        highest = selection[:, :-1].max(axis=1, keepdims=True)
        return {
            "accuracy": correct / every,
            "balanced_accuracy": recall,
            "f1_macro": (
                hit / (2 * hit + wrong) + (negative - alarm) / (2 * (negative - alarm) + wrong)
            ),
            "selection_rate": selection,
            "impact_ratio": selection / highest,
            "true_positive_rate": hit / positive,
            "false_positive_rate": alarm / negative,
            "precision": hit / (hit + alarm),
        }

    def _stated(self, models: Models) -> dict[str, np.ndarray]:
        """Return metric -> (n_seeds, n_groups + 1) of what the stated probabilities earn."""
        found: dict[str, list[list[float]]] = {}
        for m1, m0 in zip(*models, strict=True):
            said = list(self._said(m1, m0))
            for name in (earned := [s.calibration() for s in said])[0]:
                found.setdefault(name, []).append([e[name] for e in earned])
            # of the smallest group and the whole alone, for it takes longest
            smooth = [np.nan] * (len(said) - 2) + [s.smooth() for s in said[-2:]]
            found.setdefault("smooth_calibration_error", []).append(smooth)
        return {name: np.array(value) for name, value in found.items()}

    def _said(self, m1: np.ndarray, m0: np.ndarray) -> Iterator[Said]:
        """Yield what one seed says of every group, then of the whole."""
        positive = norm.pdf(SCORES - m1[:, None]) * self.base[:, None] * STEP
        every = positive + norm.pdf(SCORES + m0[:, None]) * (1 - self.base)[:, None] * STEP
        yield from (Said(*both, self.sharpness) for both in zip(every, positive, strict=True))
        yield Said(self.share @ every, self.share @ positive, self.sharpness)

    def _areas(self, models: Models, pairs: np.ndarray) -> np.ndarray:
        """Return (n_seeds, 1) area over the pairs (positive's group, negative's group)."""
        weight = np.outer(self.share * self.base, self.share * (1 - self.base)) * pairs
        between = norm.cdf((models.m1[:, :, None] + models.m0[:, None, :]) / np.sqrt(2))
        return (between * weight).sum(axis=(1, 2))[:, None] / weight.sum()

    def _by_group_areas(self, models: Models) -> dict[tuple[str, str], np.ndarray]:
        own = np.eye(len(self.share), dtype=bool)
        known, kinds = (
            {("roc_auc", ""): self._areas(models, np.ones((len(own),) * 2, bool))[:, 0]},
            [],
        )
        for name in ("roc_auc", "bpsn_auc", "bnsp_auc"):
            areas = []
            for g in range(len(self.share)):
                positive, negative = own[g], own[g]
                positive = ~positive if name == "bpsn_auc" else positive
                negative = ~negative if name == "bnsp_auc" else negative
                areas.append(self._areas(models, np.outer(positive, negative))[:, 0])
                known[name, f"g{g}"] = areas[-1]
            kinds.append(areas)
        return known | {("bias_auc", "gap"): bias_score(np.array(kinds))}


def between(rates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the gaps of rates (..., n_groups)."""
    tpr, fpr = rates["true_positive_rate"], rates["false_positive_rate"]
    extent = {name: np.ptp(rate, axis=-1) for name, rate in rates.items()}
    quotient = {name: rate.min(axis=-1) / rate.max(axis=-1) for name, rate in rates.items()}
    both = ("true_positive_rate", "false_positive_rate")
    return {
        "demographic_parity_difference": extent["selection_rate"],
        "demographic_parity_ratio": quotient["selection_rate"],
        "equal_opportunity_difference": extent["true_positive_rate"],
        "equalized_odds_difference": np.maximum(*(extent[name] for name in both)),
        "equalized_odds_ratio": np.minimum(*(quotient[name] for name in both)),
        "predictive_parity_difference": extent["precision"],
        "accuracy_difference": extent["accuracy"],
        "worst_group_accuracy": rates["accuracy"].min(axis=-1),
        "worst_cell_accuracy": np.minimum(tpr.min(axis=-1), 1 - fpr.max(axis=-1)),
        "calibration_difference": extent["positive_calibration_error"],
    }


def _with_whole(mass: np.ndarray) -> np.ndarray:
    """Append the sum over groups to masses (..., n_groups)."""
    return np.concatenate([mass, mass.sum(axis=-1, keepdims=True)], axis=-1)


def _predictions(label: np.ndarray, group: np.ndarray, p: np.ndarray) -> Predictions:
    return Predictions(
        example_id=_ids(len(label)),
        label=label,
        groups={"target": np.array([f"g{g}" for g in range(group.max() + 1)])[group]},
        prediction=(p >= 0.5).astype(np.int64),
        probability=np.column_stack([1 - p, p]),
        classes=("no", "yes"),
    )


@cache
def _ids(n: int) -> np.ndarray:
    return np.char.zfill(np.arange(n).astype(str), 7)
