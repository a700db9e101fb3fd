"""Rates by group: charts of dots and intervals, and the tables with the same numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import charts
from .disparities import FOUR_FIFTHS
from .drawing import Canvas
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

RATES = (
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "accuracy",
    "impact_ratio",
)
"""The rates that are drawn, from the top."""


def groups(sheet: Sheet, canvas: Canvas) -> list[FigureSet]:
    """Return the rates by group, one set of charts for each attribute or intersection."""
    every = (_figure_set(sheet, canvas, attribute) for attribute in sheet.attributes)
    return [figure_set for figure_set in every if figure_set.grids]


def _figure_set(sheet: Sheet, canvas: Canvas, attribute: str) -> FigureSet:
    every, placed = sheet.groups(attribute), placed_audits()
    shown = distinct(sorted(every[:GROUPS]))
    audit = [
        m
        for m in sheet.means.values()
        if m.audit in placed and (m.attribute, m.view, m.posthoc) == (attribute, "original", "")
        if m.group in every
    ]
    columns = tuple(dict.fromkeys(m.metric for m in audit if m.metric != "n"))
    metrics = tuple(metric for metric in RATES if metric in columns)
    if not metrics:
        return FigureSet(attribute)
    spec = charts.group_rates(len(shown), tuple(metric_words(m) for m in metrics))
    what = f"{listed([metric_words(m) for m in metrics])} by {printable(attribute)}"
    known = any(m.metric in metrics and math.isfinite(m.value) for m in audit)
    figures = tuple(
        canvas.draw(
            f"groups-{attribute}",
            spec,
            [row | {"colour": head["colour"], "shape": head["shape"]} for row in rows],
            alternative=f"{what} for {head['title']}, with 95 % intervals; "
            "the table below holds the same numbers.",
            **head,
        )
        for head, rows in (
            (headings(sheet)[label], list(_group_rows(sheet, label, attribute, shown, metrics)))
            for label in (drawn_strategies(sheet) if known else ())
        )
    )
    grids = (_group_table(sheet, attribute, sorted(every), columns), *_law(sheet, attribute))
    notes = limit_notes(sheet)
    if len(every) > GROUPS:
        notes += (f"Drawn: the {GROUPS} largest of {len(every)} groups; the table holds all.",)
    return FigureSet(attribute, figures, grids, notes)


def _group_rows(
    sheet: Sheet, label: str, attribute: str, shown: Mapping[str, str], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    for metric in metrics:
        for group in shown:
            m = sheet.mean(label, metric, attribute, group)
            other = sheet.mean(sheet.reference, metric, attribute, group)
            if m is not None:
                yield {
                    "metric": metric_words(metric),
                    "group": shown[group],
                    "value": m.value,
                    "low": m.low,
                    "high": m.high,
                    "reference": other.value if other and label != sheet.reference else None,
                    "line": FOUR_FIFTHS if metric == "impact_ratio" else None,
                    "words": with_interval(m),
                }


def _group_table(
    sheet: Sheet, attribute: str, every: Sequence[str], columns: Sequence[str]
) -> Grid:
    rows, named = [], []
    for label in drawn_strategies(sheet):
        for group in every:
            means = [sheet.mean(label, metric, attribute, group) for metric in columns]
            n = next((m.n for m in means if m is not None), 0)
            lead = (Text(printable(label), name=True), Text(printable(group), name=True))
            rows.append((*lead, Text(f"{n:,}", number=True), *map(measurement_text, means)))
            named += [
                (f"{printable(label)} · {printable(group)} · {metric_words(c)}", m)
                for c, m in zip(columns, means, strict=True)
            ]
    titles = ("strategy", "group", "n", *map(metric_words, columns))
    return Grid(titles, tuple(rows), undefined_notes(named), "All rates by group")


def _law(sheet: Sheet, attribute: str) -> list[Grid]:
    """Return the bias audit table in the shape of New York City's Local Law 144."""
    rows = []
    for label in drawn_strategies(sheet):
        for group in sorted(sheet.groups(attribute)):
            rate = sheet.mean(label, "selection_rate", attribute, group)
            ratio = sheet.mean(label, "impact_ratio", attribute, group)
            if rate is None or ratio is None:
                continue
            under = math.isfinite(ratio.value) and ratio.value < FOUR_FIFTHS
            lead = (Text(printable(label), name=True), Text(printable(group), name=True))
            flag = Text("under four fifths" if under else "", tone="worse" if under else "")
            counted = Text(f"{rate.n:,}", number=True)
            rows.append((*lead, counted, measurement_text(rate), measurement_text(ratio), flag))
    if not rows:
        return []
    columns = ("strategy", "category", "n", "selection rate", "impact ratio", "four-fifths rule")
    caption = "Bias audit table (selection rate and impact ratio, as NYC Local Law 144 asks)"
    return [Grid(columns, tuple(rows), (), caption)]
