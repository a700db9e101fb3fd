"""A population whose every number is known: what a simulation checks intervals against.

A score s is normal with unit variance around +m1 for a group's positives, -m0 for its negatives; a
text is predicted positive when s > 0 and the stated probability is sigmoid(sharpness * s).
Training seeds move m1 and m0, of all groups together and of each group.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from bench.schema import Evidence, Predictions
from bench.statistics.group_areas import bias_score

GRID = np.linspace(-8, 8, 6401)
EDGES = np.linspace(0, 1, 16)[1:-1]


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

    def train(self, n_seeds: int, rng: np.random.Generator, better: float = 0.0) -> Models:
        """Draw trained models; `better` is added to m1 and m0."""
        shape = (n_seeds, len(self.share))
        move = better + self.seed_all * rng.normal(size=(n_seeds, 1))
        m1 = norm.ppf(self.tpr) + move + self.seed_group * rng.normal(size=shape)
        m0 = -norm.ppf(self.fpr) + move + self.seed_group * rng.normal(size=shape)
        return Models(m1, m0)

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
        tpr, fpr = norm.cdf(models.m1), norm.cdf(-models.m0)
        right = self.base * tpr + (1 - self.base) * (1 - fpr)
        selected = self.base * tpr + (1 - self.base) * fpr
        stated = [self._stated(*model) for model in zip(*models, strict=True)]
        known = {
            ("accuracy", ""): right @ self.share,
            ("roc_auc", ""): self._areas(models, np.ones((len(self.share),) * 2, bool))[:, 0],
            ("demographic_parity_difference", "gap"): np.ptp(selected, axis=1),
            ("demographic_parity_ratio", "gap"): selected.min(axis=1) / selected.max(axis=1),
            ("equal_opportunity_difference", "gap"): np.ptp(tpr, axis=1),
            ("equalized_odds_difference", "gap"): np.maximum(np.ptp(tpr, 1), np.ptp(fpr, 1)),
            ("accuracy_difference", "gap"): np.ptp(right, axis=1),
            ("worst_group_accuracy", "gap"): right.min(axis=1),
        }
        for name, rate in {
            "true_positive_rate": tpr,
            "false_positive_rate": fpr,
            "selection_rate": selected,
            "accuracy": right,
        }.items():
            known |= {(name, f"g{g}"): rate[:, g] for g in range(len(self.share))}
        for key in stated[0]:
            known[key] = np.array([seed[key] for seed in stated])
        return known | self._by_group_areas(models)

    def of_mean_rates(self, models: Models) -> dict[tuple[str, str], float]:
        """Return the gaps of the mean over seeds of each group's rates: the systematic part."""
        tpr, fpr = norm.cdf(models.m1).mean(axis=0), norm.cdf(-models.m0).mean(axis=0)
        right = self.base * tpr + (1 - self.base) * (1 - fpr)
        selected = self.base * tpr + (1 - self.base) * fpr
        return {
            ("demographic_parity_difference", "gap"): np.ptp(selected),
            ("demographic_parity_ratio", "gap"): selected.min() / selected.max(),
            ("equal_opportunity_difference", "gap"): np.ptp(tpr),
            ("equalized_odds_difference", "gap"): max(np.ptp(tpr), np.ptp(fpr)),
            ("accuracy_difference", "gap"): np.ptp(right),
            ("worst_group_accuracy", "gap"): right.min(),
        }

    def _stated(self, m1: np.ndarray, m0: np.ndarray) -> dict[tuple[str, str], float]:
        """Return what one seed's stated probabilities earn, by integration over the score."""
        step = GRID[1] - GRID[0]
        positive = norm.pdf(GRID - m1[:, None]) * (self.base * self.share)[:, None] * step
        negative = norm.pdf(GRID + m0[:, None]) * ((1 - self.base) * self.share)[:, None] * step
        p = expit(self.sharpness * GRID)
        confidence = np.maximum(p, 1 - p)
        right = np.where(GRID > 0, positive, negative).sum(axis=0)
        mass = (positive + negative).sum(axis=0)
        hit, every = positive / self.share[:, None], (positive + negative) / self.share[:, None]
        sure = np.where(GRID > 0, positive, negative) / self.share[:, None]
        by_group = [_error(p, *both) for both in zip(every, hit, strict=True)]
        top = [_error(confidence, *both) for both in zip(every, sure, strict=True)]
        loss = -(hit @ np.log(p) + (every - hit) @ np.log(1 - p))
        return {
            ("expected_calibration_error", ""): _error(confidence, mass, right),
            ("positive_calibration_error", ""): _error(p, mass, positive.sum(axis=0)),
            ("log_loss", ""): float(-(positive @ np.log(p) + negative @ np.log(1 - p)).sum()),
            ("calibration_difference", "gap"): float(np.ptp(by_group)),
            **{("positive_calibration_error", f"g{g}"): e for g, e in enumerate(by_group)},
            **{("expected_calibration_error", f"g{g}"): e for g, e in enumerate(top)},
            **{("log_loss", f"g{g}"): float(e) for g, e in enumerate(loss)},
        }

    def _areas(self, models: Models, pairs: np.ndarray) -> np.ndarray:
        """Return (n_seeds, 1) area over the pairs (positive's group, negative's group)."""
        weight = np.outer(self.share * self.base, self.share * (1 - self.base)) * pairs
        between = norm.cdf((models.m1[:, :, None] + models.m0[:, None, :]) / np.sqrt(2))
        return (between * weight).sum(axis=(1, 2))[:, None] / weight.sum()

    def _by_group_areas(self, models: Models) -> dict[tuple[str, str], np.ndarray]:
        own = np.eye(len(self.share), dtype=bool)
        known, kinds = {}, []
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


def _predictions(label: np.ndarray, group: np.ndarray, p: np.ndarray) -> Predictions:
    return Predictions(
        example_id=np.char.zfill(np.arange(len(label)).astype(str), 7),
        label=label,
        groups={"target": np.char.add("g", group.astype(str))},
        prediction=(p >= 0.5).astype(np.int64),
        probability=np.column_stack([1 - p, p]),
        classes=("no", "yes"),
    )


def _error(said: np.ndarray, mass: np.ndarray, happened: np.ndarray) -> float:
    """Return the binned calibration error of densities over the score grid."""
    bins = np.searchsorted(EDGES, said, side="left")
    return float(np.abs(np.bincount(bins, weights=said * mass - happened)).sum())
