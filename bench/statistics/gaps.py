"""From the rates of groups to one between-group number: gaps, ratios and the worst."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..schema import Array
from .estimates import Estimate, Family
from .grouping import Grouping
from .rates import keep_observed, ratio


@dataclass(frozen=True, kw_only=True)
class GroupRate:
    """One rate of every group; several kinds of it where each class has its own."""

    name: str
    values: Array  # (n_kinds, n_groups, n_seeds, 1 + replicates)
    n: Array  # (n_kinds, n_groups) examples each rests on
    clusters: Array | None = None
    """(n_kinds, n_groups) effective numbers of clusters that these are in, if they are."""
    floor: Array | None = None  # (n_kinds, n_groups, n_seeds, replicates): without disparity
    sampling_bias: Array | None = None  # (n_groups, n_seeds, 2), of an error of bins
    family: Family = "rate"
    missing: str = "no such examples"
    """Why a group's rate is undefined."""

    @property
    def defined(self) -> Array:
        """Whether a group's rate is defined for every seed (n_kinds, n_groups)."""
        return np.asarray(~np.isnan(self.values[..., 0]).any(axis=-1))

    def estimate(self, kind: int, group: int, grouping: Grouping) -> Estimate:
        """Return one group's rate."""
        return Estimate(
            metric=self.name,
            attribute=grouping.attribute,
            group=grouping.names[group],
            values=self.values[kind, group],
            n=int(self.n[kind, group]),
            clusters=0.0 if self.clusters is None else float(self.clusters[kind, group]),
            family=self.family,
            sampling_bias=None if self.sampling_bias is None else self.sampling_bias[group],
            undefined=self.missing,
        )


def difference(rates: Array) -> Array:
    """Return the largest range over groups: (n_kinds, n_groups, ...) -> (...)."""
    extent = np.fmax.reduce(rates, axis=1) - np.fmin.reduce(rates, axis=1)
    return np.asarray(np.fmax.reduce(extent, axis=0))


def smallest_ratio(rates: Array) -> Array:
    """Return the least of lowest / highest over groups; NaN where the highest is 0."""
    low, high = np.fmin.reduce(rates, axis=1), np.fmax.reduce(rates, axis=1)
    ratio = np.divide(low, high, out=np.full(low.shape, np.nan), where=high > 0)
    return np.asarray(np.fmin.reduce(ratio, axis=0))


def worst(rates: Array) -> Array:
    """Return the lowest rate of any kind and group."""
    return np.asarray(np.fmin.reduce(rates, axis=(0, 1)))


def deviation(rates: Array) -> Array:
    """Return the root of the mean over kinds of the variance between groups.

    NaN marks a group that a kind leaves out; a kind with fewer than two groups is left out.
    """
    known = ~np.isnan(rates)
    number = known.sum(axis=1)
    mean = np.where(known, rates, 0).sum(axis=1) / np.maximum(number, 1)
    square = np.where(known, (rates - mean[:, None]) ** 2, 0).sum(axis=1)
    many = number > 1
    variance = np.where(many, square / np.maximum(number - 1, 1), 0).sum(axis=0)
    return np.asarray(np.sqrt(ratio(variance, many.sum(axis=0))))


COMBINED: Mapping[str, Callable[[Array], Array]] = {
    "gap": difference,
    "ratio": smallest_ratio,
    "worst": worst,
    "error": deviation,
}


def between_groups(
    metric: str, family: Family, rates: Sequence[GroupRate], grouping: Grouping
) -> Estimate:
    """Return the gap, ratio or worst rate (by `family`) over the groups where it is defined.

    A group whose rate is undefined is left out; a class with fewer than two groups is, too. The
    gap is undefined when no class of one of its rates remains.
    """
    defined = [rate.defined for rate in rates]
    usable = [rows & (rows.sum(axis=1) > 1)[:, None] for rows in defined]
    short = [r.name for r, rows in zip(rates, usable, strict=True) if not rows.any()]
    combine = COMBINED[family]
    values = combine(_stacked([r.values for r in rates], usable))
    floors = [r.floor for r in rates if r.floor is not None]
    return Estimate(
        metric=metric,
        attribute=grouping.attribute,
        group="gap",
        values=np.full_like(values, np.nan) if short else keep_observed(values),
        n=int(
            np.isin(grouping.code, np.flatnonzero(np.any(np.concatenate(usable), axis=0))).sum()
        ),
        family=family,
        parts=_parts(rates, usable, grouping),
        floor=combine(_stacked(floors, usable)) if floors and not short else None,
        undefined=f"{short[0]} is defined in fewer than two groups" if short else "no group hit",
        missing=tuple(_missing(rates, defined, grouping)),
    )


def _stacked(values: Sequence[Array], usable: Sequence[Array]) -> Array:
    """Join all kinds along the first axis, NaN where a group is not usable."""
    masked = [
        np.where(rows[..., None, None], v, np.nan) for v, rows in zip(values, usable, strict=True)
    ]
    return np.concatenate(masked)


def _parts(
    rates: Sequence[GroupRate], usable: Sequence[Array], grouping: Grouping
) -> tuple[tuple[Estimate, ...], ...]:
    return tuple(
        tuple(rate.estimate(kind, int(g), grouping) for g in np.flatnonzero(rows[kind]))
        for rate, rows in zip(rates, usable, strict=True)
        for kind in range(len(rows))
        if rows[kind].any()
    )


def _missing(
    rates: Sequence[GroupRate], defined: Sequence[Array], grouping: Grouping
) -> list[tuple[str, str]]:
    return [
        (grouping.names[g], f"{rate.name} undefined ({rate.missing})")
        for rate, rows in zip(rates, defined, strict=True)
        for g in np.flatnonzero(~rows.all(axis=0))
    ]
