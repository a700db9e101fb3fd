"""How much one category says about another: Cramér's V with its interval."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from ..schema import Array

_LEVEL = 0.95


class CramersV(NamedTuple):
    """Strength of association, 0 (none) to 1 (one decides the other)."""

    value: float
    corrected: float
    """Without the upward bias: Bergsma 2013, Journal of the Korean Statistical Society 42."""
    low: float
    high: float
    undefined: str = ""


def cramers_v(table: Array) -> CramersV:
    """Return Cramér's V of a table of counts, (rows, columns), with a 95 % interval.

    V = sqrt(χ² / (n min(rows − 1, columns − 1))). The interval is that of the noncentrality of
    χ² (Steiger 2004, Psychological Methods 9): in simulations it covered 93 to 99 %, where a
    percentile bootstrap covered 0 to 94 %. Empty rows and columns do not count.
    """
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2:  # noqa: PLR2004
        nan = float("nan")
        return CramersV(nan, nan, nan, nan, "only one group or one class")
    n = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom, least = (rows - 1) * (columns - 1), min(rows, columns) - 1
    low = _noncentrality(statistic, freedom, 0.5 + _LEVEL / 2)
    high = _noncentrality(statistic, freedom, 0.5 - _LEVEL / 2)
    return CramersV(
        value=float(np.sqrt(statistic / n / least)),
        corrected=_corrected(statistic / n, n, rows, columns),
        low=float(np.sqrt(low / n / least)),
        high=min(float(np.sqrt(high / n / least)), 1.0),
    )


def _corrected(phi_squared: float, n: int, rows: int, columns: int) -> float:
    excess = max(phi_squared - (rows - 1) * (columns - 1) / (n - 1), 0)
    shrunk = (size - (size - 1) ** 2 / (n - 1) for size in (rows, columns))
    return float(np.sqrt(excess / (min(shrunk) - 1)))


def _noncentrality(statistic: float, freedom: int, probability: float) -> float:
    """Return the noncentrality at which χ² stays below `statistic` with that probability."""

    def excess(noncentrality: float) -> float:
        return float(ncx2.cdf(statistic, freedom, noncentrality)) - probability

    if chi2.cdf(statistic, freedom) <= probability:
        return 0.0
    above = 2 * statistic + 1
    while excess(above) > 0:
        above *= 2
    return float(brentq(excess, 1e-9, above))
