"""The data audit as titled tables: for the terminal, and the last section of a report."""

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..facts import FactTable
from ..schema import Array, Task
from . import alike
from .counts import SPLITS, DataAudit, audit

BINARY = 2


def tables(
    task: Task, unused: Mapping[str, Array] = MappingProxyType({})
) -> tuple[FactTable, ...]:
    """Return what can be known of a task's data before any training; never a text.

    Parameters
    ----------
    unused
        Column -> (n,) str of what the task's source holds besides: clusters are looked for there.
    """
    facts = audit(task)
    return tuple(
        table._replace(rows=tuple(tuple(map(_said, row)) for row in table.rows))
        for table in (*_all(facts), *_clusters(task, unused))
        if table.rows
    )


def _clusters(task: Task, unused: Mapping[str, Array]) -> Iterator[FactTable]:
    """Yield the cluster column as it is, and the columns that look like one."""
    columns = (
        "column",
        "values",
        "rows a value",
        "largest",
        "label alike within (ICC)",
        "standard errors ×",
        "values in training and in test",
    )
    if task.cluster is not None:
        yield FactTable(
            "Clusters",
            columns,
            (alike.described(task, "cluster", task.cluster),),
            "Intervals and tests go by whole clusters. Standard errors ×: how much wider they "
            "get if errors are as alike within a cluster as labels are.",
        )
    yield FactTable(
        "Columns that look like clusters",
        columns,
        tuple(alike.alike(task, unused)),
        "Many rows share a value, and their labels are alike: such rows are not independent, and "
        "intervals that take them to be are too narrow. Name the column: --cluster COLUMN, or "
        'cluster = "COLUMN" in [task].',
    )


def _named(attribute: str, group: str) -> str:
    """Return what a group is called: all examples, or those whose attribute is not annotated."""
    return group or ("(not annotated)" if attribute else "(all)")


def _said(value: str | int | float) -> str | int | float:
    """Return a cell that can be shown: what is undefined says so."""
    return "undefined" if isinstance(value, float) and math.isnan(value) else value


def _all(facts: DataAudit) -> Iterator[FactTable]:
    yield _binary(facts) if len(facts.classes) == BINARY else _by_label(facts)
    yield FactTable(
        "Copies",
        ("split", "also in", "n", "identical", "with another label", "near-duplicates"),
        tuple(
            (*c[:-1], "not compared: too many" if c.near is None else c.near) for c in facts.copies
        ),
        "Identical: the same words whatever the case and the marks.",
    )
    yield FactTable(
        "Length of the texts",
        ("attribute", "group", "unit", "mean", "median", "95th percentile", "longest"),
        tuple(
            (row.attribute, _named(row.attribute, row.group), *row[2:]) for row in facts.lengths
        ),
    )
    yield FactTable(
        "Nothing said",
        ("column", "n", "share"),
        tuple(row for row in facts.missing if row.n),
    )
    yield FactTable(
        "What the group says about the label",
        ("attribute", "n", "Cramér's V", "bias-corrected", "low", "high", "undefined"),
        tuple((row.attribute, row.n, *row.strength) for row in facts.associations),
        "0: nothing, 1: everything; all splits together.",
    )
    yield FactTable(
        "What reweighing would do",
        ("attribute", "group", "label", "training examples", "weight"),
        facts.weights,
        "P(group) P(label) / P(group, label): Kamiran & Calders (2012).",
    )


def _binary(facts: DataAudit) -> FactTable:
    return FactTable(
        "Examples and base rates",
        ("split", "attribute", "group", "n", *facts.classes, "base rate", "low", "high"),
        tuple(
            (
                c.split,
                c.attribute,
                _named(c.attribute, c.group),
                c.n,
                *c.by_class,
                c.base_rate,
                c.low,
                c.high,
            )
            for c in facts.counts
        ),
        "Base rate: share of the positive class, with its 95 % Wilson interval.",
    )


def _by_label(facts: DataAudit) -> FactTable:
    """Return one row a group and label: more than two labels would make a table too wide."""
    counted = {(c.attribute, c.group, c.split): c.by_class for c in facts.counts}
    places = dict.fromkeys((c.attribute, c.group) for c in facts.counts)
    return FactTable(
        "Examples",
        ("attribute", "group", "label", *SPLITS),
        tuple(
            (
                attribute,
                _named(attribute, group),
                name,
                *(counted[attribute, group, s][k] for s in SPLITS),
            )
            for attribute, group in places
            for k, name in enumerate(facts.classes)
        ),
    )
