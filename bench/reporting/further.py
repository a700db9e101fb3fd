"""Audits without a section of their own: counterfactual, leakage, any plug-in's."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..schema import Measurement
from . import charts
from .drawing import Canvas, Figure
from .grids import Grid, Text, number, undefined_notes
from .panels import GROUPS, Section, drawn, heads, limits, said
from .sheet import Sheet
from .wording import distinct, listed, metric_words, plain

OWN_SECTION = ("accuracy", "calibration", "group_fairness", "trade_off", "cost")

Place = tuple[str, str, str, str]
"""Attribute, group, view, posthoc."""


def further(sheet: Sheet, canvas: Canvas) -> list[Section]:
    """Return a section for every other audit that ran: shares drawn, all numbers in a table."""
    audits = dict.fromkeys(m.audit for m in sheet.means.values() if m.audit not in OWN_SECTION)
    return [_section(sheet, canvas, audit) for audit in audits]


def _section(sheet: Sheet, canvas: Canvas, audit: str) -> Section:
    rows = [m for m in sheet.means.values() if m.audit == audit]
    metrics = tuple(dict.fromkeys(m.metric for m in rows))
    places = list(dict.fromkeys(_place(m) for m in rows))
    figures = tuple(_figures(sheet, canvas, audit, rows))
    return Section(metric_words(audit), figures, (_table(sheet, metrics, places),), limits(sheet))


def _place(m: Measurement) -> Place:
    return m.attribute, m.group, m.view, m.posthoc


def _words(place: Place) -> str:
    attribute, group, view, posthoc = place
    parts = ("" if view == "original" else view, attribute, group, posthoc)
    return " · ".join(plain(part) for part in parts if part) or "all"


def _figures(
    sheet: Sheet, canvas: Canvas, audit: str, rows: Sequence[Measurement]
) -> Iterator[Figure]:
    """Yield a panel a strategy with the shares, those of the whole set on top."""
    shares = [m for m in rows if math.isfinite(m.value) and _is_share(sheet, m.metric)]
    shares.sort(key=lambda m: m.group not in ("", "gap"))
    if not shares:
        return
    metrics = tuple(dict.fromkeys(m.metric for m in shares))
    places = list(dict.fromkeys(_place(m) for m in shares))[:GROUPS]
    names = distinct([_words(place) for place in places])
    spec = charts.group_rates(len(places), tuple(metric_words(m) for m in metrics))
    for label in drawn(sheet):
        head = heads(sheet)[label]
        found = [
            _row(sheet, label, metric, place)
            | {"group": names[_words(place)], "colour": head["colour"], "shape": head["shape"]}
            for metric in metrics
            for place in places
            if sheet.mean(label, metric, *place) is not None
        ]
        found = found if any(math.isfinite(row["value"]) for row in found) else []
        what = listed([metric_words(m) for m in metrics])
        alternative = f"{what} of {head['title']}; the table below holds the same numbers."
        if found:
            yield canvas.draw(f"audit-{audit}", spec, found, alternative=alternative, **head)


def _is_share(sheet: Sheet, metric: str) -> bool:
    known = sheet.results.definitions.get(metric)
    return known is not None and known.low >= 0 and known.high == 1


def _row(sheet: Sheet, label: str, metric: str, place: Place) -> dict[str, Any]:
    m = sheet.mean(label, metric, *place)
    other = sheet.mean(sheet.reference, metric, *place) if label != sheet.reference else None
    return {
        "metric": metric_words(metric),
        "value": m.value if m else math.nan,
        "low": m.low if m else None,
        "high": m.high if m else None,
        "reference": other.value if other else None,
        "line": None,
        "said": said(m) if m else "",
    }


def _table(sheet: Sheet, metrics: Sequence[str], places: Sequence[Place]) -> Grid:
    rows, named = [], []
    for label in drawn(sheet):
        for place in places:
            found = [sheet.mean(label, metric, *place) for metric in metrics]
            if any(m is not None for m in found):
                lead = (Text(plain(label), name=True), Text(_words(place)))
                rows.append((*lead, *map(number, found)))
                named += [(f"{plain(label)}, {_words(place)}", m) for m in found]
    titles = ("strategy", "where", *map(metric_words, metrics))
    return Grid(titles, tuple(rows), undefined_notes(named))
