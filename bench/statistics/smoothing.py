"""Smooth calibration error: residuals smoothed by a reflected Gaussian, at their own scale.

Błasiok & Nakkiran (2024), ICLR. The kernel, reflected at 0 and 1, is diagonal in cosines:
smoothing multiplies the k-th cosine coefficient of the residuals by exp(−(π k σ)² / 2).
"""

from functools import cache

import numpy as np
from scipy.optimize import brentq

from ..schema import Array
from .grouping import Grouping
from .sample import Sample, Table

GRID = 256
"""Probabilities are rounded to the middle of this many bins (moves the error by <= 1/512)."""


def smooth_error(sample: Sample, grouping: Grouping, predicted: Array, happened: Array) -> Array:
    """Return the smooth calibration error of each group (n_groups, 1 + replicates).

    The error is the fixed point of f(σ) = ∫|smoothed residual| dt. Draws move it to first order:
    (f_draw(σ) − σ) / (1 − f'(σ)) at the observed fixed point.
    """
    cell = np.minimum((predicted * GRID).astype(np.int64), GRID - 1)
    residual = (predicted - happened)[:, None]
    table = Table(grouping.code, cell, (grouping.size, GRID), residual)
    size = np.bincount(grouping.code, minlength=grouping.size)
    total = np.bincount(table.flat, weights=residual[:, 0], minlength=grouping.size * GRID)
    mass = total.reshape(grouping.size, GRID) / np.maximum(size, 1)[:, None]
    width = np.array([fixed_point(row) for row in mass])
    slope = np.array([_slope(s, m) for s, m in zip(width, mass, strict=True)])
    smoothers = [
        (_smoother(s) / max(n, 1)).astype(np.float32) for s, n in zip(width, size, strict=True)
    ]

    def draws(sums: Array) -> Array:
        reached = [
            np.abs(smoother @ row).mean(axis=0)
            for smoother, row in zip(smoothers, sums[:, :, 0], strict=True)
        ]
        moved = width[:, None] + (np.stack(reached) - width[:, None]) / (1 - slope[:, None])
        return np.asarray(np.maximum(moved, 0))

    values = sample.bootstrap(table, draws)
    values[:, 0] = width
    return values


@cache
def _cosines(n_points: int) -> Array:
    """Return (n_points, GRID) cosines 0 to GRID − 1 at the middles of n_points bins."""
    points = (np.arange(n_points) + 0.5) / n_points
    return np.asarray(np.cos(np.pi * np.outer(points, np.arange(GRID))))


def _weights(scale: float) -> Array:
    """Return what smoothing leaves of each cosine (GRID,)."""
    k = np.arange(GRID)
    return np.asarray(np.exp(-((np.pi * k * scale) ** 2) / 2) * np.where(k == 0, 1, 2))


def _smoother(scale: float) -> Array:
    """Return the matrix that turns residual masses (GRID,) into their smoothed height.

    At twice as many points as there are cosines that smoothing leaves.
    """
    modes = int(np.clip(np.ceil(3.5 / (np.pi * max(scale, 1e-9))), 1, GRID))
    left = _cosines(2 * modes)[:, :modes] * _weights(scale)[:modes]
    return np.asarray(left @ _cosines(GRID)[:, :modes].T)


def _height(scale: float, coefficient: Array) -> float:
    """Return f(σ) from the residuals' cosine coefficients (GRID,)."""
    return float(np.abs(_cosines(2 * GRID) @ (_weights(scale) * coefficient)).mean())


def _slope(scale: float, mass: Array) -> float:
    """Return f'(σ), at most 0."""
    coefficient = mass @ _cosines(GRID)
    step = max(0.01 * scale, 1e-6)
    rise = _height(scale + step, coefficient) - _height(scale, coefficient)
    return min(rise / step, 0.0)


def fixed_point(mass: Array) -> float:
    """Return σ with f(σ) = σ of residual masses (GRID,): f falls in σ, so there is one."""
    coefficient = mass @ _cosines(GRID)
    return float(brentq(lambda scale: _height(scale, coefficient) - scale, 0, 1, xtol=1e-9))
