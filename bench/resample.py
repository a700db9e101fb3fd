"""Bootstrap and permutation draws of the test examples, the same for every strategy.

Every number of an audit is a function of sums over rows. A `Table` says which sum each row adds
to; `Sample.bootstrap` returns a statistic of the table for the examples as they are and for every
draw of them, `Sample.permuted` for draws without disparity. Memory is bounded whatever n: at most
`ROWS` units are drawn, and draws are worked through in chunks of `CHUNK` numbers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from bench.grouping import Grouping, everyone, groupings
from bench.schema import Array, AuditSettings, BadInputError, Evidence

BINARY = 2
"""Number of classes of a binary task; classes[1] is the positive one."""
ROWS = 20_000
"""Up to here rows are drawn one by one; beyond, in `BLOCKS` random blocks of equal size."""
BLOCKS = 5_000
PATTERNS = 2_048
"""Up to this many distinct (groups, label, predictions) the counts themselves are drawn."""
CHUNK = 500_000
BLOCKED = 16_000_000
"""Numbers up to which sums by block are held dense."""
DENSE = 0.15
"""Share of non-zero entries above which a dense product is the faster one."""

Statistic = Callable[[Array], Array]
"""(n_groups, n_cells, n_values, draws) sums -> (..., draws) numbers."""


class Table(NamedTuple):
    """Which (group, cell) each row falls into, and what it adds there."""

    group: Array  # (n,) int64
    cell: Array  # (n,) int64
    shape: tuple[int, int]
    """Number of groups and of cells."""
    values: Array | None = None  # (n, n_values); None: rows are counted
    counted: bool = False
    """Group and cell follow from groups, label and predictions alone: draw their counts."""

    @property
    def flat(self) -> Array:
        """Index of each row's (group, cell)."""
        return np.asarray(self.group * self.shape[1] + self.cell)

    @property
    def columns(self) -> Array:
        """What each row adds to the sums of its cell (n_values, n)."""
        return np.ones((1, len(self.cell))) if self.values is None else self.values.T

    @property
    def observed(self) -> Array:
        """The sums of the sample as it is (n_groups, n_cells, n_values, 1)."""
        size = self.shape[0] * self.shape[1]
        sums = [np.bincount(self.flat, column, size) for column in self.columns]
        return np.stack(sums, axis=-1).reshape(*self.shape, -1, 1)


class Units(NamedTuple):
    """What is drawn: rows, blocks of rows, or patterns that many rows share."""

    of_row: Array  # (n,) int64, the unit of each row
    size: Array  # (n_units,) rows that one drawn unit stands for its mean of
    drawn: Array  # (n_units, replicates): how often each is drawn

    def sums(self, table: Table) -> "Array | sparse.csr_array":
        """Return what a drawn unit adds to each sum: (n_groups * n_cells * n_values, n_units).

        In single precision, whose error is far below that of resampling.
        """
        values = (table.columns.T / self.size[self.of_row, None]).astype(np.float32)
        n_values, n_units = values.shape[1], len(self.size)
        shape = (table.shape[0] * table.shape[1] * n_values, n_units)
        if n_units < len(values) and shape[0] * shape[1] <= BLOCKED:
            at = table.flat * n_units + self.of_row
            sums = [np.bincount(at, column, shape[0] * n_units // n_values) for column in values.T]
            summed = np.stack([s.reshape(-1, n_units) for s in sums], axis=1)
            return summed.reshape(shape).astype(np.float32)
        index = table.flat[:, None] * n_values + np.arange(n_values)
        unit = np.repeat(self.of_row, n_values)
        matrix = sparse.csr_array((values.ravel(), (index.ravel(), unit)), shape)
        return matrix.toarray() if matrix.nnz > DENSE * shape[0] * n_units else matrix


class Sample:
    """The test examples that strategies share, and the draws from them.

    Parameters
    ----------
    evidence
        One or more strategies on the same examples in the same order.
    settings
        Replicates, seed, group sizes and intersections.

    Raises
    ------
    BadInputError
        The strategies disagree on a label or a group, or there is no example.
    """

    def __init__(self, evidence: Sequence[Evidence], settings: AuditSettings) -> None:
        """Draw the examples."""
        first = evidence[0].test[0]
        self.n = len(first.label)
        self.label, self.classes, self.settings = first.label, first.classes, settings
        if self.n == 0:
            raise BadInputError(f"{evidence[0].strategy}: there is no test example to audit")
        _check_same_examples(evidence)
        self.everyone = everyone(self.n)
        self.groupings, self.left_out = groupings(first.groups, settings)
        self._rng = np.random.default_rng(settings.seed)
        self._rows = _row_units(self.n, settings.replicates, self._rng)
        pattern = _patterns(evidence, [g.code for g in self.groupings])
        self._counts = (
            self._rows
            if pattern is None
            else _count_units(pattern, settings.replicates, self._rng)
        )
        self._shuffled: dict[str, Array] = {}

    @property
    def binary(self) -> bool:
        """Whether the task has two classes, of which classes[1] is the positive one."""
        return len(self.classes) == BINARY

    def bootstrap(self, table: Table, statistic: Statistic) -> Array:
        """Return a statistic (..., 1 + replicates): of the sample as it is, then of each draw.

        A multinomial draw of counts is exactly the bootstrap of the rows. Blocks of random rows
        give the same variance of every sum, with `BLOCKS` - 1 degrees of freedom.
        """
        units = self._counts if table.counted else self._rows
        sums = units.sums(table)
        drawn = [
            statistic((sums @ chunk).reshape(*table.shape, -1, chunk.shape[1]))
            for chunk in _chunks(units, sums.shape[0])
        ]
        return np.concatenate([statistic(table.observed), *drawn], axis=-1, dtype=np.float64)

    def linearised(self, smooth: Iterable[tuple[float, Array]]) -> Array:
        """Return (m, 1 + replicates) draws of m smooth statistics: (value, influence (n,)) each.

        The infinitesimal jackknife (Efron 1982): value + sum of draw count times influence, where
        the influences of one statistic sum to zero. For an AUC this is the method of DeLong et
        al. (1988).
        """
        units = self._rows
        value, influence = [], []
        for number, moves in smooth:
            value.append(number)
            influence.append(np.bincount(units.of_row, moves, len(units.size)))
        matrix = np.array(influence, dtype=np.float32)
        moved = np.concatenate([matrix @ chunk for chunk in _chunks(units, len(matrix))], axis=1)
        values = np.array(value)[:, None]
        return np.concatenate([values, values + moved], axis=1)

    def permuted(self, table: Table, grouping: Grouping, statistic: Statistic) -> Array:
        """Return a statistic (..., replicates) with groups permuted within label: no disparity.

        One permutation serves all seeds and strategies, so a mean over seeds keeps its noise.
        Above `ROWS` rows the sums are drawn from the normal limit of the permutation distribution
        (Hoeffding 1951, combinatorial central limit theorem) with its exact mean and covariance.
        """
        table = table._replace(group=grouping.code)
        if self.n > ROWS:
            return statistic(self._normal_limit(table))
        codes = self._shuffles(grouping)
        step = max(1, CHUNK // max(self.n, table.shape[0] * table.shape[1]))
        return np.concatenate(
            [
                statistic(_tally(table, codes[start : start + step]))
                for start in range(0, len(codes), step)
            ],
            axis=-1,
        )

    def _shuffles(self, grouping: Grouping) -> Array:
        """Return (replicates, n) group codes, permuted within label; kept for the next caller."""
        if grouping.attribute not in self._shuffled:
            rng = np.random.default_rng([self.settings.seed, 1])
            kind = np.uint8 if grouping.size <= np.iinfo(np.uint8).max else np.uint16
            codes = np.tile(grouping.code.astype(kind), (self.settings.replicates, 1))
            for rows in _rows_by_label(self.label):
                codes[:, rows] = rng.permuted(codes[:, rows], axis=1)
            self._shuffled[grouping.attribute] = codes
        return self._shuffled[grouping.attribute]

    def _normal_limit(self, table: Table) -> Array:
        rng = np.random.default_rng([self.settings.seed, 1])
        values = table.columns.T
        total = np.zeros(
            (table.shape[0], table.shape[1] * values.shape[1], self.settings.replicates)
        )
        for rows in _rows_by_label(self.label):
            mean, root = _moments(table.cell[rows], table.shape[1], values[rows])
            size = np.bincount(table.group[rows], minlength=table.shape[0])[:, None, None]
            noise = rng.standard_normal((table.shape[0], len(mean), total.shape[2]))
            noise = np.sqrt(size) * np.einsum("ij,gjb->gib", root, noise)
            total += size * mean[:, None] + noise - size / len(rows) * noise.sum(axis=0)
        return total.reshape(*table.shape, values.shape[1], -1)


def _chunks(units: Units, n_sums: int) -> Iterator[Array]:
    """Yield the draws (n_units, width) in single precision, a bounded number at a time."""
    step = max(1, CHUNK // max(n_sums, len(units.size)))
    for start in range(0, units.drawn.shape[1], step):
        yield units.drawn[:, start : start + step].astype(np.float32)


def _check_same_examples(evidence: Sequence[Evidence]) -> None:
    first = evidence[0].test[0]
    for other in evidence:
        for predictions in other.test:
            if not np.array_equal(first.example_id, predictions.example_id):
                raise BadInputError(
                    f"{other.strategy}: its test examples are not those of {evidence[0].strategy}"
                )
            if first.classes != predictions.classes or not np.array_equal(
                first.label, predictions.label
            ):
                raise BadInputError(
                    f"{other.strategy}: labels differ from those of {evidence[0].strategy} "
                    "on the same examples"
                )


def _rows_by_label(label: Array) -> Iterator[Array]:
    for value in np.unique(label):
        yield np.flatnonzero(label == value)


def _row_units(n: int, replicates: int, rng: np.random.Generator) -> Units:
    """Draw rows, or blocks of rows, with replacement."""
    units = n if n <= ROWS else BLOCKS
    of_row = np.arange(n) if n <= ROWS else rng.permutation(n) % BLOCKS
    drawn = np.empty((units, replicates), dtype=np.uint8)
    step = max(1, CHUNK // units)
    for start in range(0, replicates, step):
        width = min(step, replicates - start)
        chosen = rng.integers(0, units, size=(width, units)) + units * np.arange(width)[:, None]
        count = np.bincount(chosen.ravel(), minlength=width * units).reshape(width, units)
        drawn[:, start : start + width] = count.T
    return Units(of_row, np.ones(units), drawn)


def _patterns(evidence: Sequence[Evidence], groups: Sequence[Array]) -> Array | None:
    """Return (n,) the pattern of each row, in order of appearance; None: too many patterns."""
    columns = [*groups, evidence[0].test[0].label]
    columns += [predictions.prediction for e in evidence for predictions in e.test]
    pattern = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        joint = pattern * (int(column.max()) + 1) + column
        _, first, pattern = np.unique(joint, return_index=True, return_inverse=True)
        if len(first) > PATTERNS:
            return None
    return np.asarray(np.argsort(np.argsort(first)))[pattern]


def _count_units(pattern: Array, replicates: int, rng: np.random.Generator) -> Units:
    """Draw how often each pattern appears: multinomial, exactly the bootstrap of the rows."""
    size = np.bincount(pattern).astype(np.float64)
    drawn = rng.multinomial(len(pattern), size / len(pattern), size=replicates)
    return Units(pattern, size, drawn.T.astype(np.float32))


def _tally(table: Table, codes: Array) -> Array:
    """Return (n_groups, n_cells, n_values, draws) sums under permuted group codes (draws, n)."""
    n_flat = table.shape[0] * table.shape[1]
    index = codes.astype(np.int64) * table.shape[1] + table.cell
    index = (index + n_flat * np.arange(len(codes))[:, None]).ravel()
    weights = [None] if table.values is None else [np.tile(c, len(codes)) for c in table.columns]
    sums = [np.bincount(index, column, n_flat * len(codes)) for column in weights]
    tally = np.array(sums, dtype=np.float64).reshape(len(sums), len(codes), *table.shape)
    return np.moveaxis(tally, (0, 1), (2, 3))


def _moments(cell: Array, n_cells: int, values: Array) -> tuple[Array, Array]:
    """Return the mean of one row's addition to every sum, and a root of its covariance."""
    n_values = values.shape[1]
    mean = np.column_stack(
        [np.bincount(cell, weights=column, minlength=n_cells) for column in values.T]
    ).ravel() / len(cell)
    covariance = -np.outer(mean, mean)
    for i in range(n_values):
        for j in range(n_values):
            product = np.bincount(cell, weights=values[:, i] * values[:, j], minlength=n_cells)
            at = np.arange(n_cells) * n_values
            covariance[at + i, at + j] += product / len(cell)
    eigenvalue, vector = np.linalg.eigh(covariance)
    return mean, vector * np.sqrt(np.maximum(eigenvalue, 0))
