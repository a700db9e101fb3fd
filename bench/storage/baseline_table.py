"""The predictions of many cells in one table, as a baseline stores them.

There is a row per example and view. Ids, labels and groups are stored once, then the predictions
of each cell, with probabilities of 32 bits. Hidden vectors are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..facts import RunFacts
from ..schema import Array, BadInputError, Evidence, Predictions
from . import records

Part = tuple[str, str]
"""A split and a view."""


class Cell(NamedTuple):
    """One cell's predictions."""

    strategy: str
    seed: int
    answers: Mapping[Part, Predictions]


def write(path: Path, evidence: Sequence[Evidence]) -> None:
    """Write all predictions of several strategies of the same examples.

    Raises
    ------
    BadInputError
        Two cells did not predict the same examples in the same order.
    """
    cells = [cell for e in evidence for cell in _cells(e)]
    parts: dict[Part, Predictions] = {}
    for cell in cells:
        parts = dict(cell.answers) | parts
    columns: dict[str, Any] = {
        "split": np.concatenate([np.full(len(p.label), split) for (split, _), p in parts.items()]),
        "view": np.concatenate([np.full(len(p.label), view) for (_, view), p in parts.items()]),
        "example_id": np.concatenate([p.example_id for p in parts.values()]),
        "label": np.concatenate([p.label for p in parts.values()]).astype(np.int32),
    }
    first = cells[0].answers["test", "original"]
    for name in first.groups:
        columns[records.GROUP + name] = np.concatenate([p.groups[name] for p in parts.values()])
    if all(p.cluster is not None for p in parts.values()):
        clusters = [p.cluster for p in parts.values() if p.cluster is not None]
        columns[records.CLUSTER] = np.concatenate(clusters)
    for index, cell in enumerate(cells):
        _check_same_examples(cell, parts)
        columns |= _columns(index, cell, parts)
    facts = {"classes": list(first.classes), "cells": [[c.strategy, c.seed] for c in cells]}
    records.write_table(path, columns, facts)


def _cells(evidence: Evidence) -> Iterator[Cell]:
    for i, seed in enumerate(evidence.seeds):
        answers = {("test", "original"): evidence.test[i]}
        if evidence.validation:
            answers["validation", "original"] = evidence.validation[i]
        answers |= {("test", view): seen[i] for view, seen in evidence.views.items()}
        yield Cell(evidence.strategy, seed, answers)


def _check_same_examples(cell: Cell, parts: Mapping[Part, Predictions]) -> None:
    for part, answers in cell.answers.items():
        if not np.array_equal(answers.example_id, parts[part].example_id):
            raise BadInputError(
                f"{cell.strategy}, seed {cell.seed}: its {part[0]} examples are not those of the "
                "other cells; a baseline needs one task"
            )


def _columns(index: int, cell: Cell, parts: Mapping[Part, Predictions]) -> dict[str, Any]:
    """Return a cell's columns: prediction -1 and probability NaN where it has none."""
    predictions = [
        cell.answers[part].prediction if part in cell.answers else np.full(len(p.label), -1)
        for part, p in parts.items()
    ]
    columns: dict[str, Any] = {f"prediction:{index}": np.concatenate(predictions).astype(np.int16)}
    if any(a.probability is not None for a in cell.answers.values()):
        stated = [_stated(cell.answers.get(part), p) for part, p in parts.items()]
        columns[f"probability:{index}"] = pa.FixedSizeListArray.from_arrays(
            pa.array(np.concatenate(stated).astype(np.float32).ravel()), stated[0].shape[1]
        )
    return columns


def _stated(answers: Predictions | None, like: Predictions) -> Array:
    if answers is None or answers.probability is None:
        return np.full((len(like.label), len(like.classes)), np.nan)
    return answers.probability


def read(path: Path, facts: RunFacts) -> tuple[Evidence, ...]:
    """Read a table that `write` wrote; ledgers and training counts come from the run's facts."""
    columns, about = records.read_table(path)
    classes = tuple(str(c) for c in about["classes"])
    keys = dict.fromkeys(zip(columns["split"].tolist(), columns["view"].tolist(), strict=True))
    rows = {
        (split, view): np.flatnonzero((columns["split"] == split) & (columns["view"] == view))
        for split, view in keys
    }
    cells = []
    for index, (strategy, seed) in enumerate(about["cells"]):
        tables = {part: _answers(columns, index, r, classes) for part, r in rows.items()}
        answers = {part: table for part, table in tables.items() if table is not None}
        cells.append(Cell(str(strategy), int(seed), answers))
    _check(cells)
    labels = dict.fromkeys(cell.strategy for cell in cells)
    return tuple(_evidence([c for c in cells if c.strategy == label], facts) for label in labels)


def _check(cells: Sequence[Cell]) -> None:
    """Refuse, with a ValueError, predictions that no audit could read: anybody may edit them."""
    known: dict[tuple[str, Part], bool] = {}
    for cell in cells:
        for part, answers in cell.answers.items():
            stated = answers.probability
            if known.setdefault((cell.strategy, part), stated is not None) != (stated is not None):
                raise ValueError("some seeds have probabilities and some have none")
            records.check_answers(answers)


def _answers(
    columns: Mapping[str, Array], index: int, rows: Array, classes: tuple[str, ...]
) -> Predictions | None:
    """Return a cell's predictions of one split and view, None where it has none."""
    prediction = columns[f"prediction:{index}"][rows].astype(np.int64)
    if (prediction < 0).any():
        return None
    stated = columns.get(f"probability:{index}")
    known = None if stated is None else stated[rows].astype(np.float64)
    cluster = columns.get(records.CLUSTER)
    return Predictions(
        example_id=columns["example_id"][rows],
        label=columns["label"][rows].astype(np.int64),
        groups={
            name.removeprefix(records.GROUP): column[rows]
            for name, column in columns.items()
            if name.startswith(records.GROUP)
        },
        prediction=prediction,
        probability=None if known is None or np.isnan(known).any() else known,
        classes=classes,
        cluster=None if cluster is None else cluster[rows],
    )


def _evidence(cells: Sequence[Cell], facts: RunFacts) -> Evidence:
    first = cells[0]
    spent = {c.seed: c.ledger for c in facts.cells if c.strategy == first.strategy}
    ledgers = [spent.get(cell.seed) for cell in cells]
    known = [ledger for ledger in ledgers if ledger is not None]
    original: Part = ("validation", "original")
    views = [view for split, view in first.answers if split == "test" and view != "original"]
    return Evidence(
        strategy=first.strategy,
        seeds=tuple(cell.seed for cell in cells),
        test=tuple(cell.answers["test", "original"] for cell in cells),
        validation=tuple(c.answers[original] for c in cells if original in c.answers),
        views={view: tuple(cell.answers["test", view] for cell in cells) for view in views},
        ledgers=tuple(known) if len(known) == len(cells) else (),
        training_counts={
            attribute: {group: np.array(count) for group, count in groups.items()}
            for attribute, groups in facts.training_counts.items()
        },
    )
