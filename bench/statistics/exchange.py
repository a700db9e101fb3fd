"""Floors of clustered examples: groups change places without breaking up what belongs together.

Where a cluster is of one group (an author), whole clusters change places with others of the same
commonest label and about the same size. Where it has several groups (a template that is filled
with every identity), its examples of one label change places among themselves. Both leave what
the examples of a cluster have in common as it is, so a gap without disparity is as large as
clusters make it (Winkler et al. 2015, NeuroImage 123: exchangeability blocks).

Whole clusters of different size change the sizes of groups. Each sum is therefore scaled, label by
label, to the number of examples that the group really has: base rates and sizes stay as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..schema import Array
from .clusters import Clusters
from .streams import Stream, generator
from .units import BLOCKED, CHUNK, ROWS

_SIZE_STEP = 2
"""Of the binary logarithm of a cluster's size: a stratum holds sizes up to four times as large."""
_COMPOSITIONS = 64
"""Compositions of clusters by group that are told apart where rows are many."""
Drawn = Callable[[slice], Array]
"""Some draws -> (n_groups, n_columns, width) sums."""


class Exchange:
    """Draws of the groups of clustered examples as if there were no disparity."""

    def __init__(
        self, clusters: Clusters, group: Array, label: Array, draws: int, seed: int
    ) -> None:
        """Find out which clusters have one group, and draw where groups go."""
        self.group, self.label, self.draws, self.seed = group, label, draws, seed
        self.n_groups, self.n_labels = int(group.max()) + 1, int(label.max()) + 1
        self.size = _counts(group, label, self.n_groups, self.n_labels)
        of_cluster = np.zeros(clusters.number, dtype=np.int64)
        of_cluster[clusters.code] = group
        mixed = np.zeros(clusters.number, dtype=bool)
        mixed[clusters.code[group != of_cluster[clusters.code]]] = True
        self.inside = mixed[clusters.code]  # (n,) rows of clusters with several groups
        self.cluster = np.cumsum(~mixed)[clusters.code] - 1  # (n,) index among the pure ones
        self.of_pure = of_cluster[~mixed]
        self.stratum = np.unique(clusters.code * self.n_labels + label, return_inverse=True)[1]
        kind = np.uint8 if self.n_groups <= np.iinfo(np.uint8).max else np.uint16
        self.whole = self._exchanged(kind) if len(self.of_pure) <= ROWS else None
        self.within = self._shuffled(kind) if self.inside.sum() <= ROWS else None

    def _exchanged(self, kind: type[np.unsignedinteger]) -> Array:
        """Return (draws, n_pure) groups of whole clusters."""
        rng = generator(self.seed, Stream.FLOORS)
        return _permuted(self.of_pure.astype(kind), self.alike, self.draws, rng)

    def _shuffled(self, kind: type[np.unsignedinteger]) -> Array:
        """Return (draws, n_inside) groups of the rows of mixed clusters."""
        rng = generator(self.seed, Stream.CLUSTERS)
        group, stratum = self.group[self.inside].astype(kind), self.stratum[self.inside]
        return _permuted(group, stratum, self.draws, rng)

    @property
    def alike(self) -> Array:
        """The stratum of each pure cluster: its commonest label and about its size."""
        rows = ~self.inside
        count = _counts(self.cluster[rows], self.label[rows], len(self.of_pure), self.n_labels)
        size = np.log2(np.maximum(count.sum(axis=1), 1)).astype(np.int64) // _SIZE_STEP
        joint = count.argmax(axis=1) * (size.max(initial=0) + 1) + size
        return np.unique(joint, return_inverse=True)[1]

    def sums(self, cell: Array, n_cells: int, columns: Array) -> Iterator[Array]:
        """Yield chunks (n_groups, n_cells, n_values, some draws) of the sums.

        Parameters
        ----------
        cell
            (n,) the cell that each row falls into.
        columns
            (n_values, n) what each row adds there.
        """
        n_values = len(columns)
        labels = np.unique(self.label).tolist()
        made = [_additions(np.flatnonzero(self.label == y), cell, columns) for y in labels]
        drawn = [part for part in (self._of_whole(made), self._of_rows(made)) if part]
        step = max(1, CHUNK // (self.n_groups * n_cells * n_values))
        for start in range(0, self.draws, step):
            chunk = slice(start, min(start + step, self.draws))
            width = chunk.stop - chunk.start
            total = np.zeros((self.n_groups, n_cells, n_values, width))
            both = np.sum([part(chunk) for part in drawn], axis=0)
            at = 0
            for label, added in zip(labels, made, strict=True):
                part = self._to_size(both[:, at : at + added.width], label)
                at += added.width
                shape = (self.n_groups, len(added.cells), n_values, width)
                total[:, added.cells] += part.reshape(shape)
            yield total

    def _to_size(self, part: Array, label: int) -> Array:
        """Return the sums of one label scaled to the sizes that its groups really have.

        The last column of `part` counts the rows.
        """
        count = part[:, -1:]
        wanted = np.broadcast_to(self.size[:, label, None, None], count.shape)
        factor = np.divide(wanted, count, out=np.zeros(count.shape), where=count > 0)
        return np.asarray(part[:, :-1] * factor)

    def _of_whole(self, made: Sequence["Additions"]) -> Drawn | None:
        """Return the sums over pure clusters: exact, or the normal limit where they are many."""
        if len(self.of_pure) == 0:
            return None
        rows = [added.rows[~self.inside[added.rows]] for added in made]
        parts = [
            _grouped(self.cluster[r], len(self.of_pure)) @ added.of(r)
            for added, r in zip(made, rows, strict=True)
        ]
        by_cluster = sparse.hstack(parts, format="csr")
        if self.whole is None:
            return _held(self._limit_of_whole(by_cluster))
        dense = by_cluster.shape[0] * by_cluster.shape[1] <= BLOCKED
        matrix = by_cluster.T.toarray().astype(np.float32) if dense else by_cluster.T.tocsr()
        codes = self.whole

        def drawn(chunk: slice) -> Array:
            groups = range(self.n_groups)
            return np.stack([matrix @ (codes[chunk] == g).T.astype(np.float32) for g in groups])

        return drawn

    def _limit_of_whole(self, by_cluster: sparse.csr_array) -> Array:
        """Return (n_groups, n_columns, draws) from the normal limit of permuting clusters.

        With its exact mean and covariance (Hoeffding 1951).
        """
        rng = generator(self.seed, Stream.FLOORS)
        total = np.zeros((self.n_groups, by_cluster.shape[1], self.draws))
        for rows in _by_value(self.alike):
            share = np.bincount(self.of_pure[rows], minlength=self.n_groups) / len(rows)
            sums, square = by_cluster[rows].sum(axis=0), _square(by_cluster[rows])
            scatter = square - np.outer(sums, sums) / len(rows)
            total += share[:, None, None] * sums[:, None]
            total += _apart(share, scatter * len(rows) / max(len(rows) - 1, 1), self.draws, rng)
        return total

    def _of_rows(self, made: Sequence["Additions"]) -> Drawn | None:
        """Return the sums over mixed clusters: exact, or the normal limit where rows are many."""
        if not self.inside.any():
            return None
        if self.within is None:
            return _held(self._limit_of_rows(made))
        codes, place = self.within, np.cumsum(self.inside) - 1

        def drawn(chunk: slice) -> Array:
            parts = []
            for added in made:
                rows = np.flatnonzero(self.inside[added.rows])
                moved = codes[chunk][:, place[added.rows[rows]]]
                parts.append(_tally(moved, added, rows, self.n_groups))
            return np.concatenate(parts, axis=1)

        return drawn

    def _limit_of_rows(self, made: Sequence["Additions"]) -> Array:
        """Return (n_groups, n_columns, draws) from the normal limit of permuting within clusters.

        Clusters of one composition by group share a covariance; of many compositions the rarest
        are taken to be as their mean.
        """
        rng = generator(self.seed, Stream.CLUSTERS)
        parts = []
        for added in made:
            rows = added.rows[self.inside[added.rows]]
            _, stratum = np.unique(self.stratum[rows], return_inverse=True)
            count = _counts(
                self.group[rows], stratum, self.n_groups, int(stratum.max(initial=0)) + 1
            )
            size = count.sum(axis=0)
            values = added.of(rows)
            sums = (_grouped(stratum, len(size)) @ values).tocsr()
            share = count / size
            total = np.asarray(share @ sums.toarray())[:, :, None] + np.zeros(self.draws)
            for chosen in _by_value(_compositions(share.T)):
                inside = np.isin(stratum, chosen)
                factor = np.sqrt(size / np.maximum(size - 1, 1))
                scaled = sparse.diags_array(factor[stratum[inside]]) @ values[inside]
                mean = sparse.diags_array((factor / np.sqrt(size))[chosen]) @ sums[chosen]
                scatter = _square(scaled) - _square(mean)
                average = np.average(share[:, chosen], axis=1, weights=size[chosen])
                total += _apart(average, scatter, self.draws, rng)
            parts.append(total)
        return np.concatenate(parts, axis=1)


class Additions(NamedTuple):
    """What the rows of one label add to which sums."""

    rows: Array
    """Their numbers among all."""
    cells: Array
    """The cells that hold any of them."""
    cell: Array
    """Index into `cells` of each row."""
    values: Array  # (n_values, n_rows)

    @property
    def width(self) -> int:
        """Number of columns: each cell's values, and the count of rows."""
        return len(self.cells) * len(self.values) + 1

    def of(self, rows: Array) -> sparse.csr_array:
        """Return what some of the rows add to each column, (n_rows, width); the last adds 1."""
        at = np.searchsorted(self.rows, rows)
        n_values, n = len(self.values), len(rows)
        columns = self.cell[at] * n_values + np.arange(n_values)[:, None]
        columns = np.vstack([columns, np.full(n, self.width - 1)])
        values = np.vstack([self.values[:, at], np.ones(n)])
        index = np.tile(np.arange(n), n_values + 1)
        return sparse.csr_array((values.ravel(), (index, columns.ravel())), (n, self.width))


def _additions(rows: Array, cell: Array, columns: Array) -> Additions:
    cells, index = np.unique(cell[rows], return_inverse=True)
    return Additions(rows, cells, index, columns[:, rows])


def _counts(row: Array, column: Array, n_rows: int, n_columns: int) -> Array:
    """Return how many examples each (row, column) has, (n_rows, n_columns)."""
    count = np.bincount(row * n_columns + column, minlength=n_rows * n_columns)
    return count.reshape(n_rows, n_columns)


def _grouped(code: Array, number: int) -> sparse.csr_array:
    """Return the matrix (number, n) that adds up rows by their code."""
    n = len(code)
    return sparse.csr_array((np.ones(n), (code, np.arange(n))), (number, n))


def _by_value(code: Array) -> Iterator[Array]:
    """Yield the indices of each value of a code 0, 1, ..."""
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code))
    yield from (part for part in np.split(order, ends[:-1]) if len(part))


def _permuted(codes: Array, stratum: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return (draws, n) codes, permuted within each stratum."""
    permuted = np.tile(codes, (draws, 1))
    for rows in _by_value(np.unique(stratum, return_inverse=True)[1]):
        if len(rows) > 1 and (codes[rows] != codes[rows[0]]).any():
            permuted[:, rows] = rng.permuted(permuted[:, rows], axis=1)
    return permuted


def _tally(codes: Array, added: Additions, rows: Array, n_groups: int) -> Array:
    """Return (n_groups, columns, draws) of some of the rows with permuted groups (draws, n)."""
    cell, values, n_cells = added.cell[rows], added.values[:, rows], len(added.cells)
    draws, flat = len(codes), n_groups * n_cells
    index = codes.astype(np.int64) * n_cells + cell + flat * np.arange(draws)[:, None]
    sums = [np.bincount(index.ravel(), np.tile(v, draws), draws * flat) for v in values]
    by_draw = np.array(sums).reshape(len(sums), draws, n_groups, n_cells)
    tally = np.moveaxis(by_draw, (2, 3, 0, 1), (0, 1, 2, 3)).reshape(n_groups, -1, draws)
    count = np.bincount(codes[0], minlength=n_groups)  # the same in every draw
    return np.concatenate([tally, np.broadcast_to(count[:, None, None], (n_groups, 1, draws))], 1)


def _compositions(share: Array) -> Array:
    """Return the composition of each cluster, (n_clusters, n_groups) shares -> codes."""
    _, code, count = np.unique(share.round(6), axis=0, return_inverse=True, return_counts=True)
    rank = np.empty(len(count), dtype=np.int64)
    rank[np.argsort(-count)] = np.arange(len(count))
    return np.unique(np.minimum(rank[code.ravel()], _COMPOSITIONS), return_inverse=True)[1]


def _square(matrix: sparse.csr_array) -> Array:
    return np.asarray((matrix.T @ matrix).toarray())


def _apart(share: Array, scatter: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return normal draws (n_groups, n_columns, draws) that sum to 0 over the groups.

    Their covariance is (diag(share) - share shareᵀ) ⊗ scatter.
    """
    eigenvalue, vector = np.linalg.eigh(scatter)
    root = vector * np.sqrt(np.maximum(eigenvalue, 0))
    noise = rng.standard_normal((len(share), len(scatter), draws))
    noise = np.sqrt(share)[:, None, None] * np.einsum("ij,gjb->gib", root, noise)
    return np.asarray(noise - share[:, None, None] * noise.sum(axis=0))


def _held(total: Array) -> Drawn:
    return lambda chunk: total[:, :, chunk]
