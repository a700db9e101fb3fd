"""Bootstrap and permutation draws of the test examples, the same for every strategy.

Where examples come in clusters (of one author, say), whole clusters are drawn and permuted.
Every number of an audit is a function of sums over rows. A `Table` says which sum each row adds
to; `Sample.bootstrap` returns a statistic of the table for the examples as they are and for every
draw of them, `Sample.permuted` for draws without disparity. Memory is bounded whatever n: at most
`ROWS` units are drawn (see bench/statistics/units.py), a chunk of draws at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from ..schema import Array, AuditSettings, BadInputError, Evidence, Predictions
from .clusters import clusters_of
from .draws import Draws
from .estimates import Estimate
from .exchange import Exchange
from .grouping import Grouping, everyone, groupings
from .streams import Stream, generator
from .units import CHUNK, ROWS, patterns

BINARY = 2
"""Number of classes of a binary task; classes[1] is the positive one."""
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

    def of_rows(self, rows: Array) -> "Table":
        """Return the table of some rows."""
        values = None if self.values is None else self.values[rows]
        return self._replace(group=self.group[rows], cell=self.cell[rows], values=values)

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
        """Check that the examples are the same, and find groups and patterns."""
        first = evidence[0].test[0]
        self.n = len(first.label)
        self.label, self.classes, self.settings = first.label, first.classes, settings
        if self.n == 0:
            raise BadInputError(f"{evidence[0].strategy}: there is no test example to audit")
        _check_same_examples(evidence)
        self.everyone = everyone(self.n)
        self.groupings, self.left_out = groupings(first.groups, settings)
        self._all_groupings = (self.everyone, *self.groupings)  # a gate may look at fewer
        self.clusters = clusters_of([p for e in evidence for p in e.test])
        columns = [g.code for g in self.groupings] + [self.label]
        columns += [p.prediction for e in evidence for p in e.test]
        few = patterns(columns) if self.clusters is None else None
        self.draws = Draws(self.n, self.clusters, few, settings)
        self._shuffled: dict[str, Array] = {}
        self._exchanged: dict[str, Exchange] = {}

    def narrowed(self, only: Sequence[str], groupings: Sequence[Grouping]) -> Self:
        """Return the same examples and draws, asked for some metrics in some groupings."""
        narrow = copy(self)
        narrow.settings = replace(self.settings, only=tuple(only))
        narrow.groupings = tuple(groupings)
        return narrow

    @property
    def binary(self) -> bool:
        """Whether the task has two classes, of which classes[1] is the positive one."""
        return len(self.classes) == BINARY

    def bootstrap(self, table: Table, statistic: Statistic) -> Array:
        """Return a statistic (..., 1 + replicates): of the sample as it is, then of each draw.

        A multinomial draw of counts is exactly the bootstrap of the rows. Blocks of random rows
        give the same variance of every sum, with `BLOCKS` - 1 degrees of freedom.
        """
        units, observed = self.draws.counts if table.counted else self.draws.rows, table
        if table.counted and self.draws.patterns is not None:
            table = table.of_rows(self.draws.patterns.first)
            observed = table._replace(values=self.draws.patterns.size[:, None])
        sums = units.sums(table.flat, table.shape[0] * table.shape[1], table.columns)
        drawn = [
            statistic((sums @ chunk).reshape(*table.shape, -1, chunk.shape[1]))
            for chunk in units.chunks(sums.shape[0])
        ]
        return np.concatenate([statistic(observed.observed), *drawn], axis=-1, dtype=np.float64)

    def linearised(self, smooth: Iterable[tuple[float, Array]]) -> Array:
        """Return (m, 1 + replicates) draws of m smooth statistics: (value, influence (n,)) each.

        The infinitesimal jackknife (Efron 1982): value + sum of draw count times influence, where
        the influences of one statistic sum to zero. For an AUC this is the method of DeLong et
        al. (1988).
        """
        units = self.draws.rows
        value, influence = [], []
        for number, moves in smooth:
            value.append(number)
            influence.append(np.bincount(units.of_row, moves * units.weight, units.number))
        matrix = np.array(influence, dtype=np.float32)
        moved = np.concatenate([matrix @ chunk for chunk in units.chunks(len(matrix))], axis=1)
        values = np.array(value)[:, None]
        return np.concatenate([values, values + moved], axis=1)

    def permuted(self, table: Table, grouping: Grouping, statistic: Statistic) -> Array:
        """Return a statistic (..., replicates) with groups permuted within label: no disparity.

        Clusters stay together (see bench/statistics/exchange.py).
        One permutation serves all seeds and strategies, so a mean over seeds keeps its noise.
        Above `ROWS` rows the sums are drawn from the normal limit of the permutation distribution
        (Hoeffding 1951, combinatorial central limit theorem) with its exact mean and covariance.
        """
        table = table._replace(group=grouping.code)
        if self.clusters is not None:
            sums = self._exchange(grouping).sums(table.cell, table.shape[1], table.columns)
            return np.concatenate([statistic(chunk) for chunk in sums], axis=-1)
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
            rng = generator(self.settings.seed, Stream.FLOORS)
            kind = np.uint8 if grouping.size <= np.iinfo(np.uint8).max else np.uint16
            codes = np.tile(grouping.code.astype(kind), (self.settings.replicates, 1))
            for rows in _rows_by_label(self.label):
                codes[:, rows] = rng.permuted(codes[:, rows], axis=1)
            self._shuffled[grouping.attribute] = codes
        return self._shuffled[grouping.attribute]

    def resting(self, estimates: Iterable[Estimate]) -> Iterator[Estimate]:
        """Yield an audit's estimates, each knowing how many clusters it rests on.

        Where the audit has not said it, those of its group, of the least of its parts, or of the
        whole set.
        """
        if self.clusters is None:
            yield from estimates
            return
        for estimate in estimates:
            parts = tuple(tuple(self.resting(kind)) for kind in estimate.parts)
            whole = self._clusters_of["", ""]
            place = self._clusters_of.get((estimate.attribute, estimate.group), whole)
            least = min((part.clusters for kind in parts for part in kind), default=place)
            number = estimate.clusters or least
            yield replace(estimate, parts=parts, clusters=number)

    @cached_property
    def _clusters_of(self) -> dict[tuple[str, str], float]:
        """(attribute, group) -> effective number of clusters."""
        if self.clusters is None:
            return {}
        known: dict[tuple[str, str], float] = {}
        for grouping in self._all_groupings:
            number = self.clusters.effective(grouping.code, grouping.size)
            known |= {
                (grouping.attribute, name): float(number[index])
                for index, name in enumerate(grouping.names)
            }
        return known

    @property
    def number_of_clusters(self) -> int:
        """How many clusters the examples come in; 0 where they are independent."""
        return 0 if self.clusters is None else self.clusters.number

    def effective_clusters(self, stratum: Array, n_strata: int) -> Array | None:
        """Return the effective number of clusters of each stratum; None: examples are independent.

        Parameters
        ----------
        stratum
            (n,) int64; -1: in none.
        """
        return None if self.clusters is None else self.clusters.effective(stratum, n_strata)

    def _exchange(self, grouping: Grouping) -> Exchange:
        """Return the draws of clustered groups; kept for the next caller."""
        if self.clusters is None:
            raise ValueError("examples are independent")
        if grouping.attribute not in self._exchanged:
            settings = self.settings
            self._exchanged[grouping.attribute] = Exchange(
                self.clusters, grouping.code, self.label, settings.replicates, settings.seed
            )
        return self._exchanged[grouping.attribute]

    def _normal_limit(self, table: Table) -> Array:
        rng = generator(self.settings.seed, Stream.FLOORS)
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


def _check_same_examples(evidence: Sequence[Evidence]) -> None:
    first = evidence[0].test[0]
    for other in evidence:
        for predictions in other.test:
            if what := _differs(first, predictions):
                raise BadInputError(
                    f"{other.strategy} and {evidence[0].strategy}: {what}; compare predictions "
                    "of one test set"
                )


def _differs(first: Predictions, other: Predictions) -> str:
    """Say in what two tables are not of the same examples; "" where they are."""
    if not np.array_equal(first.example_id, other.example_id):
        return "the test examples are not the same"
    if first.classes != other.classes or not np.array_equal(first.label, other.label):
        return "labels differ on the same examples"
    for name, column in first.groups.items():
        if name not in other.groups or not np.array_equal(column, other.groups[name]):
            return f"attribute {name!r} differs on the same examples"
    return ""


def _rows_by_label(label: Array) -> Iterator[Array]:
    for value in np.unique(label):
        yield np.flatnonzero(label == value)


def _tally(table: Table, codes: Array) -> Array:
    """Return (n_groups, n_cells, n_values, draws) sums under permuted group codes (draws, n)."""
    n_flat = table.shape[0] * table.shape[1]
    index = np.multiply(codes, table.shape[1], dtype=np.int64)
    index += table.cell
    index += n_flat * np.arange(len(codes))[:, None]
    weights = [None] if table.values is None else [np.tile(c, len(codes)) for c in table.columns]
    sums = [np.bincount(index.ravel(), column, n_flat * len(codes)) for column in weights]
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
