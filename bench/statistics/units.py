"""What a bootstrap draws: rows, clusters of them, random blocks, or patterns that rows share."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..schema import Array

ROWS = 20_000
"""Up to here rows are drawn one by one; beyond, in `BLOCKS` random blocks of equal size."""
BLOCKS = 5_000
PATTERNS = 2_048
"""Up to this many distinct (groups, label, predictions) the counts themselves are drawn."""
CHUNK = 500_000
"""Numbers of a draw that are held at a time."""
BLOCKED = 16_000_000
"""Numbers up to which sums by block are held dense."""
HELD = 16_000_000
"""Numbers of all draws up to which they are held in the precision that every table needs."""
DENSE = 0.15
"""Share of non-zero entries above which a dense product is the faster one."""


class Units(NamedTuple):
    """Units and how often each is drawn."""

    of_row: Array  # (n,) int64, the unit of each row
    drawn: tuple[Array, ...]
    """(n_units, some replicates) each: how often a unit is drawn; contiguous, for speed."""
    weight: float = 1.0
    """What a drawn unit counts."""

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.drawn[0])

    def sums(self, cell: Array, n_cells: int, columns: Array) -> "Array | sparse.csr_array":
        """Return what a drawn unit adds to each cell's sums: (n_cells * n_values, n_units).

        In single precision, whose error is far below that of resampling.

        Parameters
        ----------
        cell
            (n,) the cell that each row falls into.
        n_cells
            Their number.
        columns
            (n_values, n) what each row adds there.
        """
        values = (columns * self.weight).astype(np.float32)
        n_values, n_units = len(values), self.number
        shape = (n_cells * n_values, n_units)
        if n_units < len(cell) and shape[0] * n_units <= BLOCKED:
            at = cell * n_units + self.of_row
            sums = [np.bincount(at, v, n_cells * n_units).reshape(-1, n_units) for v in values]
            return np.stack(sums, axis=1).reshape(shape).astype(np.float32)
        index = cell[:, None] * n_values + np.arange(n_values)
        unit = np.repeat(self.of_row, n_values)
        matrix = sparse.csr_array((values.T.ravel(), (index.ravel(), unit)), shape)
        return matrix.toarray() if matrix.nnz > DENSE * shape[0] * n_units else matrix

    def chunks(self, n_sums: int) -> Iterator[Array]:
        """Yield the draws (n_units, width) in single precision, a bounded number at a time."""
        step = max(1, CHUNK // max(n_sums, self.number))
        for drawn in self.drawn:
            for start in range(0, drawn.shape[1], step):
                yield drawn[:, start : start + step].astype(np.float32, copy=False)


def row_units(n: int, replicates: int, rng: np.random.Generator) -> Units:
    """Draw rows, or blocks of rows, with replacement."""
    of_row, units = _grouped(np.arange(n), n, rng)
    return Units(of_row, _chosen(units, units, replicates, rng))


def cluster_units(code: Array, number: int, replicates: int, rng: np.random.Generator) -> Units:
    """Draw whole clusters, or blocks of them, with replacement.

    One fewer than there are, each counting number / (number - 1): the variance of a sum is then
    that of clusters without bias, however few they are (Rao & Wu 1988, JASA 83, the rescaling
    bootstrap).

    Parameters
    ----------
    code, number
        (n,) int64, the cluster of each row, and how many there are.
    """
    of_row, units = _grouped(code, number, rng)
    drawn = _chosen(units, units - 1, replicates, rng)
    return Units(of_row, drawn, units / (units - 1))


def _grouped(code: Array, number: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Return the unit of each row, and their number: random blocks where there are many."""
    if number <= ROWS:
        return code, number
    return np.asarray((rng.permutation(number) % BLOCKS)[code]), BLOCKS


def _chosen(
    units: int, times: int, replicates: int, rng: np.random.Generator
) -> tuple[Array, ...]:
    """Return how often each unit is among `times` draws with replacement."""
    held = np.float32 if units * replicates <= HELD else np.uint8
    drawn = []
    for width in _widths(units, replicates):
        chosen = rng.integers(0, units, size=(width, times)) + units * np.arange(width)[:, None]
        count = np.bincount(chosen.ravel(), minlength=width * units).reshape(width, units)
        drawn.append(count.T.astype(held, order="C"))
    return tuple(drawn)


def _widths(units: int, replicates: int) -> Iterator[int]:
    """Yield how many replicates are drawn at a time."""
    step = max(1, CHUNK // units)
    for start in range(0, replicates, step):
        yield min(step, replicates - start)


class Patterns(NamedTuple):
    """Distinct (groups, label, predictions) in order of appearance: what counts depend on."""

    first: Array  # (n_patterns,) a row of each
    size: Array  # (n_patterns,) number of its rows

    def draw(self, replicates: int, rng: np.random.Generator) -> Units:
        """Draw how often each pattern appears: multinomial, exactly the bootstrap of the rows."""
        n = int(self.size.sum())
        share = self.size / n
        drawn = [
            rng.multinomial(n, share, size=width).T.astype(np.float32, order="C")
            for width in _widths(len(share), replicates)
        ]
        return Units(np.arange(len(share)), tuple(drawn))


def patterns(columns: Sequence[Array]) -> Patterns | None:
    """Return the patterns of the rows in integer `columns`; None: more than `PATTERNS`."""
    n = len(columns[0])
    pattern, rows = np.zeros(n, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for column in columns:
        width = int(column.max()) + 1
        joint = pattern * width + column
        first = np.full(len(rows) * width, n)
        first[joint[::-1]] = np.arange(n)[::-1]  # the last to be written is the first to appear
        rows = np.sort(first[first < n])
        if len(rows) > PATTERNS:
            return None
        code = np.zeros(len(first), dtype=np.int64)
        code[joint[rows]] = np.arange(len(rows))
        pattern = code[joint]
    return Patterns(rows, np.bincount(pattern))
