"""What was predicted against what was observed: reliability diagrams and their tables."""

from collections.abc import Sequence
from typing import Any

from ..schema import ReliabilityBin
from . import charts
from .drawing import Canvas, Spec
from .grids import Grid, Text, measurement_text
from .panels import GROUPS, FigureSet, drawn_strategies, headings, limit_notes
from .sheet import Sheet
from .wording import decimals, distinct, fixed, interval, metric_words, printable

Bins = dict[str, list[ReliabilityBin]]
"""Strategy -> the bins of its diagram."""

DIAGRAMS = 40
"""At most so many small diagrams are drawn of one attribute: they make a page large."""


def calibration(sheet: Sheet, canvas: Canvas) -> list[FigureSet]:
    """Return reliability diagrams: of the whole set, then by group."""
    bins: dict[tuple[str, str], list[ReliabilityBin]] = {}
    for point in sheet.results.reliability:
        bins.setdefault((point.strategy, point.attribute), []).append(point)
    figure_sets = []
    for attribute in dict.fromkeys(a for _, a in bins):
        chosen = {x: bins[x, attribute] for x in drawn_strategies(sheet) if (x, attribute) in bins}
        if chosen:
            figure_sets.append(_reliability(sheet, canvas, attribute, chosen))
    return sorted(figure_sets, key=lambda figure_set: figure_set.title != "")


def _reliability(sheet: Sheet, canvas: Canvas, attribute: str, chosen: Bins) -> FigureSet:
    shown = distinct(sorted(sheet.groups(attribute)[:GROUPS])) if attribute else {"": ""}
    most = max(1, DIAGRAMS // len(shown))
    whose = f"by {printable(attribute)}" if attribute else "on the whole test set"
    figures = tuple(
        canvas.draw(
            f"reliability-{attribute}",
            _spec([*shown.values()] if attribute else []),
            [
                _bin_row(x, shown[x.group], head["colour"])
                for x in chosen[label]
                if x.n > 0 and x.group in shown
            ],
            alternative=f"Reliability diagram of {head['title']} {whose}: what was predicted "
            "against what was observed, before and after temperature scaling.",
            **head,
        )
        for label, head in ((label, headings(sheet)[label]) for label in [*chosen][:most])
    )
    grids = () if attribute else (_calibration_table(sheet), _bin_table(chosen))
    notes = limit_notes(sheet)
    if len(chosen) > most:
        notes = (f"Drawn: the first {most} of {len(chosen)} strategies; report.json holds all.",)
    return FigureSet(attribute, figures, grids, notes)


def _spec(groups: Sequence[str]) -> Spec:
    words = ("predicted", "observed")
    if not groups:
        return charts.reliability(*words)
    return charts.reliability_by_group(*words, tuple(groups))


def _bin_row(x: ReliabilityBin, group: str, colour: str) -> dict[str, Any]:
    digits = decimals(x.low, x.high)
    after = f", after {x.posthoc}" if x.posthoc else ""
    return {
        "group": group,
        "x": x.mean_probability,
        "y": x.observed,
        "low": x.low,
        "high": x.high,
        "low_edge": x.low_edge,
        "high_edge": x.high_edge,
        "n": x.n,
        "before": x.posthoc == "",
        "colour": colour,
        "words": f"predicted {fixed(x.mean_probability, 2)}, observed {fixed(x.observed, digits)} "
        f"({interval(x.low, x.high)}), n = {x.n:,}{after}",
    }


def _bin_table(chosen: Bins) -> Grid:
    rows = tuple(
        (
            Text(printable(label), name=True),
            Text(x.posthoc or "as predicted"),
            Text(f"{fixed(x.low_edge, 2)} to {fixed(x.high_edge, 2)}", number=True),
            Text(fixed(x.mean_probability, 3), number=True),
            Text(fixed(x.observed, decimals(x.low, x.high)), interval(x.low, x.high), number=True),
            Text(f"{x.n:,}", number=True),
        )
        for label, points in chosen.items()
        for x in points
        if x.n > 0
    )
    columns = ("strategy", "probabilities", "bin", "predicted", "observed", "n")
    return Grid(columns, rows, (), "All bins of the whole test set")


def _calibration_table(sheet: Sheet) -> Grid:
    keys = dict.fromkeys(
        (m.metric, m.posthoc)
        for m in sheet.means.values()
        if m.audit == "calibration" and not m.attribute
    )
    labels = drawn_strategies(sheet)
    rows = tuple(
        (
            Text(metric_words(metric) + (f", after {posthoc}" if posthoc else "")),
            *(
                measurement_text(sheet.mean(label, metric, "", "", "original", posthoc))
                for label in labels
            ),
        )
        for metric, posthoc in keys
    )
    return Grid(("metric", *map(printable, labels)), rows, (), "Calibration metrics")
