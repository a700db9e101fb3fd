"""What stated probabilities earn in a whole population, by integration over the score."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from tunefair.statistics.smoothing import GRID as CELLS
from tunefair.statistics.smoothing import fixed_point

SCORES = np.linspace(-8, 8, 6401)
STEP = SCORES[1] - SCORES[0]
EDGES = np.linspace(0, 1, 16)[1:-1]


class Said(NamedTuple):
    """Densities over `SCORES`, of some examples whose total is 1."""

    every: np.ndarray
    positive: np.ndarray
    sharpness: float

    @property
    def p(self) -> np.ndarray:
        """What is said of the positive class."""
        return expit(self.sharpness * SCORES)

    def calibration(self) -> Mapping[str, float]:
        """Return metric -> value, the calibration errors of 15 bins and the proper scores."""
        p, said, right = self.p, *self._top_label()
        bins, massed = np.searchsorted(EDGES, p), np.searchsorted(EDGES, self._below(said))
        wide = self._by(np.searchsorted(EDGES, said), said * self.every - right)
        mass, residual = self._by(massed, self.every), self._by(massed, said * self.every - right)
        observed, share = self._by(bins, self.positive), self._by(bins, self.every)
        gap = self._by(bins, p * self.every - self.positive)
        base = self.positive.sum()
        return {
            "expected_calibration_error": float(np.abs(wide).sum()),
            "adaptive_calibration_error": float(np.abs(residual).sum()),
            "debiased_calibration_error": float(np.sqrt((residual**2 / mass).sum())),
            "positive_calibration_error": float(np.abs(gap).sum()),
            "calibration_in_the_large": float(gap.sum()),
            "brier_score": float((self.every * p**2 + self.positive * (1 - 2 * p)).sum()),
            "brier_reliability": float((gap**2 / share).sum()),
            "brier_resolution": float((share * (observed / share - base) ** 2).sum()),
            "log_loss": float(-(np.log(p) @ self.positive) - np.log1p(-p) @ self._negative),
        }

    def smooth(self) -> float:
        """Return the smooth calibration error."""
        cell = np.minimum((self.p * CELLS).astype(int), CELLS - 1)
        residual = self.p * self.every - self.positive
        return fixed_point(np.bincount(cell, weights=residual, minlength=CELLS))

    @property
    def _negative(self) -> np.ndarray:
        return self.every - self.positive

    def _top_label(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the confidence, and the density of those who are right."""
        return np.maximum(self.p, 1 - self.p), np.where(SCORES > 0, self.positive, self._negative)

    def _below(self, said: np.ndarray) -> np.ndarray:
        """Return the share of examples of whom no more is said."""
        order = np.argsort(said, kind="stable")
        below = np.empty(len(said))
        below[order] = np.cumsum(self.every[order])
        return below

    def _by(self, bins: np.ndarray, density: np.ndarray) -> np.ndarray:
        """Return the sums of the bins that hold any example."""
        held = np.bincount(bins, weights=self.every) > 0
        return np.bincount(bins, weights=density)[held]
