"""The compared numbers: a column each, every number with its interval drawn in the cell."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..schema import Contrast, Measurement
from .grids import number
from .sheet import Sheet
from .standing import Axis, axes
from .wording import aligned, decimals, fixed, interval, metric_words, plain

WORST = "worst_group_accuracy"

ARROWS = {True: "▲", False: "▼"}


class Plot(NamedTuple):
    """An in-cell plot; every position is a percentage of the column's scale."""

    at: float
    low: float | None
    high: float | None
    band: tuple[float, float] | None
    """Where it starts and how wide it is: what no disparity looks like."""
    guide: float | None
    """Where the reference stands."""
    outside: str
    """"left" or "right" where the value lies beyond the scale, else ""."""


class Cell(NamedTuple):
    """One number of the comparison."""

    text: str
    interval: str
    order: str
    """What a script sorts by."""
    plot: Plot | None
    arrow: str
    tone: str
    said: str
    """The contrast with the reference in words; "" where none is shown."""
    hint: str
    group: str = ""
    """Whose number it is, where it is the worst group's."""


class Scale(NamedTuple):
    """A column's scale."""

    low: float
    high: float

    def place(self, value: float | None) -> float | None:
        """Return a value's position in percent, kept within the cell; None where there is none."""
        if value is None or not math.isfinite(value):
            return None
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


class Column(NamedTuple):
    """One measured shown."""

    axis: Axis
    title: str
    direction: str
    scale: Scale
    low_text: str
    high_text: str


def headline(sheet: Sheet) -> list[Axis]:
    """Return the compared columns: performance, calibration, then each gap and worst group."""
    performance, *gaps = axes(sheet)
    calibration = "expected_calibration_error"
    found = [performance, Axis(calibration, "", "", metric_words(calibration))]
    for gap in gaps:
        where = gap.words.removeprefix(metric_words(gap.metric))
        found += [gap, Axis(WORST, gap.attribute, "gap", metric_words(WORST) + where)]
    present = {(m.metric, m.attribute, m.group) for m in sheet.means.values()}
    return [a for a in found if a.place in present]


def column(sheet: Sheet, axis: Axis) -> Column:
    """Return the column of one axis, on a scale that fits the strategies."""
    found = [(s, sheet.mean(s.label, *axis.place)) for s in sheet.measured()]
    known = [(s, m) for s, m in found if m is not None and math.isfinite(m.value)]
    scale = _scale([m for s, m in known if not s.yardstick] or [m for _, m in known])
    better = sheet.results.definitions.get(axis.metric)
    directions = {"lower": "lower is better", "higher": "higher is better"}
    width = scale.high - scale.low
    digits = decimals(0, width / 4)
    return Column(
        axis=axis,
        title=axis.words,
        direction=directions.get(better.better, "") if better else "",
        scale=scale,
        low_text=fixed(scale.low, digits),
        high_text=fixed(scale.high, digits),
    )


def _scale(found: Sequence[Measurement]) -> Scale:
    """Span what the strategies' intervals and floors span, with a little room.

    A yardstick far off would flatten everything else; it is drawn at the edge instead.
    """
    ends = [
        end
        for m in found
        for end in (m.value, m.low, m.high, m.floor_p95)
        if end is not None and math.isfinite(end)
    ]
    if any(m.floor_p95 is not None and m.floor_p95 >= (m.floor_mean or 0) for m in found):
        ends.append(0.0)
    if not ends:
        return Scale(0.0, 1.0)
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.05
    start = low if low == 0 else low - room
    return Scale(start, high + room)


def cell(sheet: Sheet, label: str, shown: Column) -> Cell:
    """Return one strategy's cell."""
    axis = shown.axis
    m = sheet.mean(label, *axis.place)
    if m is None or not math.isfinite(m.value):
        text = number(m)
        return Cell(text.text, "", "-Infinity", None, "", "", "", text.hint)
    digits = decimals(m.low, m.high)
    contrast = sheet.contrast(label, *axis.place)
    arrow, tone, said = _shown(contrast)
    return Cell(
        text=aligned(fixed(m.value, digits), digits),
        interval=interval(m.low, m.high),
        order=f"{m.value:.9g}",
        plot=_plot(sheet, m, shown),
        arrow=arrow,
        tone=tone,
        said=said,
        hint=_hint(m),
        group=_worst(sheet, label, axis),
    )


def _worst(sheet: Sheet, label: str, axis: Axis) -> str:
    """Return the name of the group whose accuracy is lowest, for the worst group's column."""
    if axis.metric != WORST:
        return ""
    rows = [sheet.mean(label, "accuracy", axis.attribute, g) for g in sheet.groups(axis.attribute)]
    known = [m for m in rows if m is not None and math.isfinite(m.value)]
    return plain(min(known, key=lambda m: m.value).group) if known else ""


def _hint(m: Measurement) -> str:
    parts = [f"95 % interval {interval(m.low, m.high)}" if m.low is not None else "no interval"]
    digits = decimals(m.low, m.high)
    if m.corrected is not None and math.isfinite(m.corrected):
        parts.append(f"bias-corrected {fixed(m.corrected, digits)}")
    if m.floor_p95 is not None and m.floor_mean is not None:
        beyond = "above" if m.floor_p95 < m.floor_mean else "under"
        level = f"95 % {beyond} {fixed(m.floor_p95, digits)}"
        floor = f"by chance {fixed(m.floor_mean, digits)}, {level}"
        parts.append(floor)
    return "; ".join([*parts, f"n = {m.n:,}"])


def _plot(sheet: Sheet, m: Measurement, shown: Column) -> Plot:
    scale = shown.scale
    reference = sheet.mean(sheet.reference, *shown.axis.place)
    outside = "left" if m.value < scale.low else "right" if m.value > scale.high else ""
    return Plot(
        at=scale.place(m.value) or 0.0,
        low=None if outside else scale.place(m.low),
        high=None if outside else scale.place(m.high),
        band=_band(m, shown),
        guide=scale.place(reference.value) if reference is not None else None,
        outside=outside,
    )


def _band(m: Measurement, shown: Column) -> tuple[float, float] | None:
    """Return the noise floor: from the level that chance rarely passes to the harmless end."""
    level = shown.scale.place(m.floor_p95)
    if level is None:
        return None
    higher = shown.direction.startswith("higher")
    return (level, round(100 - level, 2)) if higher else (0.0, level)


def _shown(contrast: Contrast | None) -> tuple[str, str, str]:
    if contrast is None or contrast.verdict not in ("better", "worse"):
        return "", "", ""
    arrow = ARROWS[contrast.difference > 0]
    return arrow, contrast.verdict, f"{contrast.verdict} than {plain(contrast.reference)}"
