"""Audits without a section of their own, such as counterfactual, leakage or a user's own."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..schema import Measurement, Place
from . import charts
from .drawing import Canvas, Figure
from .grids import Grid, Text, measurement_text, undefined_notes
from .panels import (
    GROUPS,
    FigureSet,
    drawn_strategies,
    headings,
    limit_notes,
    placed_audits,
    with_interval,
)
from .sheet import Sheet
from .wording import distinct, listed, metric_words, printable

Subset = Place
"""What a number is of, whatever the metric: its metric is ""."""


def further(sheet: Sheet, canvas: Canvas) -> list[FigureSet]:
    """Return charts of the shares and a table of all numbers, for every other audit that ran."""
    placed = placed_audits()
    audits = dict.fromkeys(m.audit for m in sheet.means.values() if m.audit not in placed)
    return [_figure_set(sheet, canvas, audit) for audit in audits]


def _figure_set(sheet: Sheet, canvas: Canvas, audit: str) -> FigureSet:
    rows = [m for m in sheet.means.values() if m.audit == audit]
    metrics = tuple(dict.fromkeys(m.metric for m in rows))
    subsets = list(dict.fromkeys(_subset(m) for m in rows))
    figures = tuple(_figures(sheet, canvas, audit, rows))
    grids = (_table(sheet, metrics, subsets),)
    return FigureSet(metric_words(audit), figures, grids, limit_notes(sheet))


def _subset(m: Measurement) -> Subset:
    return m.place._replace(metric="")


def _words(subset: Subset) -> str:
    _, attribute, group, view, posthoc = subset
    parts = ("" if view == "original" else view, attribute, group, posthoc)
    return " · ".join(printable(part) for part in parts if part) or "all"


def _figures(
    sheet: Sheet, canvas: Canvas, audit: str, rows: Sequence[Measurement]
) -> Iterator[Figure]:
    """Yield a chart of the shares for each strategy, those of the whole test set on top."""
    shares = [m for m in rows if math.isfinite(m.value) and _is_share(sheet, m.metric)]
    shares.sort(key=lambda m: m.group not in ("", "gap"))
    if not shares:
        return
    metrics = tuple(dict.fromkeys(m.metric for m in shares))
    subsets = list(dict.fromkeys(_subset(m) for m in shares))[:GROUPS]
    names = distinct([_words(subset) for subset in subsets])
    spec = charts.group_rates(len(subsets), tuple(metric_words(m) for m in metrics))
    for label in drawn_strategies(sheet):
        head = headings(sheet)[label]
        drawn = [
            _row(sheet, label, metric, subset)
            | {"group": names[_words(subset)], "colour": head["colour"], "shape": head["shape"]}
            for metric in metrics
            for subset in subsets
            if sheet.mean(label, metric, *subset[1:]) is not None
        ]
        drawn = drawn if any(math.isfinite(row["value"]) for row in drawn) else []
        what = listed([metric_words(m) for m in metrics])
        alternative = f"{what} of {head['title']}; the table below holds the same numbers."
        if drawn:
            yield canvas.draw(f"audit-{audit}", spec, drawn, alternative=alternative, **head)


def _is_share(sheet: Sheet, metric: str) -> bool:
    known = sheet.results.definitions.get(metric)
    return known is not None and known.low >= 0 and known.high == 1


def _row(sheet: Sheet, label: str, metric: str, subset: Subset) -> dict[str, Any]:
    m = sheet.mean(label, metric, *subset[1:])
    other = sheet.mean(sheet.reference, metric, *subset[1:]) if label != sheet.reference else None
    return {
        "metric": metric_words(metric),
        "value": m.value if m else math.nan,
        "low": m.low if m else None,
        "high": m.high if m else None,
        "reference": other.value if other else None,
        "line": None,
        "words": with_interval(m) if m else "",
    }


def _table(sheet: Sheet, metrics: Sequence[str], subsets: Sequence[Subset]) -> Grid:
    rows, named = [], []
    for label in drawn_strategies(sheet):
        for subset in subsets:
            means = [sheet.mean(label, metric, *subset[1:]) for metric in metrics]
            if any(m is not None for m in means):
                lead = (Text(printable(label), name=True), Text(_words(subset)))
                rows.append((*lead, *map(measurement_text, means)))
                named += [(f"{printable(label)}, {_words(subset)}", m) for m in means]
    titles = ("strategy", "where", *map(metric_words, metrics))
    return Grid(titles, tuple(rows), undefined_notes(named))
