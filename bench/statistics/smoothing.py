"""Smooth calibration error: residuals smoothed by a reflected Gaussian, at their own scale.

Błasiok & Nakkiran (2024), ICLR. The kernel, reflected at 0 and 1, is diagonal in cosines:
smoothing multiplies the k-th cosine coefficient of the residuals by exp(−(π k σ)² / 2).
"""

import numpy as np

from bench.resample import Sample, Table
from bench.schema import Array
from bench.statistics.grouping import Grouping

GRID = 256
"""Probabilities are rounded to the middle of this many bins (moves the error by <= 1/512)."""


def smooth_error(sample: Sample, grouping: Grouping, said: Array, happened: Array) -> Array:
    """Return the smooth calibration error of each group (n_groups, 1 + replicates).

    The error is the fixed point of f(σ) = ∫|smoothed residual| dt. Draws move it to first order:
    (f_draw(σ) − σ) / (1 − f'(σ)) at the observed fixed point.
    """
    cell = np.minimum((said * GRID).astype(np.int64), GRID - 1)
    residual = (said - happened)[:, None]
    table = Table(grouping.code, cell, (grouping.size, GRID), residual)
    size = np.bincount(grouping.code, minlength=grouping.size)
    total = np.bincount(table.flat, weights=residual[:, 0], minlength=grouping.size * GRID)
    mass = total.reshape(grouping.size, GRID) / np.maximum(size, 1)[:, None]
    width = np.array([_fixed_point(row) for row in mass])
    slope = [
        (_smoothed(1.01 * s, m[:, None]) - _smoothed(0.99 * s, m[:, None]))[0] / (0.02 * s)
        for s, m in zip(width, mass, strict=True)
    ]

    def draws(sums: Array) -> Array:
        moved = [
            s + (_smoothed(s, row / max(n, 1)) - s) / (1 - min(d, 0.0))
            for s, row, n, d in zip(width, sums[:, :, 0], size, slope, strict=True)
        ]
        return np.asarray(np.maximum(np.stack(moved), 0))

    values = sample.bootstrap(table, draws)
    values[:, 0] = width
    return values


def _smoothed(scale: float, mass: Array) -> Array:
    """Return f(σ) of residual masses (GRID, draws): the integral of |smoothed residual|."""
    modes = int(min(GRID, np.ceil(3.5 / (np.pi * scale))))
    k = np.arange(modes)
    weight = np.exp(-((np.pi * k * scale) ** 2) / 2) * np.where(k == 0, 1, 2)
    points = (np.arange(GRID) + 0.5) / GRID
    coefficient = np.cos(np.pi * np.outer(k, points)) @ mass
    at = (np.arange(2 * modes) + 0.5) / (2 * modes)
    height = np.abs(np.cos(np.pi * np.outer(at, k)) * weight @ coefficient)
    return np.asarray(height.mean(axis=0))


def _fixed_point(mass: Array) -> float:
    """Return σ with f(σ) = σ by bisection: f falls in σ, so there is one."""
    low, high = 1e-3, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        below = _smoothed(middle, mass[:, None])[0] < middle
        low, high = (low, middle) if below else (middle, high)
    return (low + high) / 2
