"""The columns of the comparison table, and the small plot beside every number in them.

A column is one metric on one scale for all strategies. An entry is one strategy's number in it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..schema import Contrast, Measurement
from .grids import measurement_text
from .sheet import Sheet
from .standing import Axis, axes
from .wording import aligned, both_intervals, decimals, fixed, interval, printable

WORST = "worst_group_accuracy"

ARROWS = {True: "▲", False: "▼"}


class Plot(NamedTuple):
    """The small plot of one number; every position is a percentage of the column's scale."""

    at: float
    """The value."""
    low: float | None
    high: float | None
    band: tuple[float, float] | None
    """The noise floor: where it starts, and how wide it is."""
    guide: float | None
    """The reference's value."""
    outside: str
    """"left" or "right" where the value is outside the scale, else ""."""


class Entry(NamedTuple):
    """One strategy's number in one column."""

    text: str
    interval: str
    order: str
    """The page's script sorts by it."""
    plot: Plot | None
    arrow: str
    tone: str
    verdict: str
    """"better than …" or "worse than …"; "" where no difference from the reference is shown."""
    hint: str
    group: str = ""
    """The group with the lowest accuracy, in the column of the worst group."""


class Scale(NamedTuple):
    """The range of values that a column's plots cover."""

    low: float
    high: float

    def position(self, value: float | None) -> float | None:
        """Return a value's position in percent, 0 to 100; None where there is no value."""
        if value is None or not math.isfinite(value):
            return None
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)


class Column(NamedTuple):
    """One metric of the comparison."""

    axis: Axis
    title: str
    direction: str
    scale: Scale
    low_text: str
    high_text: str


def headline(sheet: Sheet) -> list[Axis]:
    """Return the compared metrics: performance, calibration, then each gap and worst group."""
    performance, *gaps = axes(sheet)
    calibration = "expected_calibration_error"
    compared = [performance, Axis(calibration, "", "")]
    for gap in gaps:
        compared += [gap, Axis(WORST, gap.attribute, "gap", gap.by)]
    present = {place for _, place in sheet.means}
    return [a for a in compared if a.place in present]


def column(sheet: Sheet, axis: Axis) -> Column:
    """Return the column of one axis, on a scale that fits the trained strategies."""
    means = [(s, sheet.mean(s.label, *axis.place)) for s in sheet.measured_strategies()]
    known = [(s, m) for s, m in means if m is not None and math.isfinite(m.value)]
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


def _scale(shown: Sequence[Measurement]) -> Scale:
    """Return the range that covers the intervals and the noise floors, with a little room.

    Yardsticks take no part: one far away would make every other plot too small to read. It is
    drawn as an arrow at the edge instead.
    """
    ends = [
        end
        for m in shown
        for end in (m.value, m.low, m.high, m.floor_p95)
        if end is not None and math.isfinite(end)
    ]
    if any(m.floor_p95 is not None and m.floor_p95 >= (m.floor_mean or 0) for m in shown):
        ends.append(0.0)
    if not ends:
        return Scale(0.0, 1.0)
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.05
    start = low if low == 0 else low - room
    return Scale(start, high + room)


def entry(sheet: Sheet, label: str, shown: Column) -> Entry:
    """Return one strategy's number in a column."""
    axis = shown.axis
    m = sheet.mean(label, *axis.place)
    if m is None or not math.isfinite(m.value):
        text = measurement_text(m)
        return Entry(text.text, "", "-Infinity", None, "", "", "", text.hint)
    digits = decimals(m.low, m.high)
    contrast = sheet.contrast(label, *axis.place)
    arrow, tone, verdict = _shown(contrast)
    return Entry(
        text=aligned(fixed(m.value, digits), digits),
        interval=interval(m.low, m.high),
        order=f"{m.value:.9g}",
        plot=_plot(sheet, m, shown),
        arrow=arrow,
        tone=tone,
        verdict=verdict,
        hint=_hint(m),
        group=_worst(sheet, label, axis),
    )


def _worst(sheet: Sheet, label: str, axis: Axis) -> str:
    """Return the group with the lowest accuracy, where the column is about the worst group."""
    if axis.metric != WORST:
        return ""
    rows = [sheet.mean(label, "accuracy", axis.attribute, g) for g in sheet.groups(axis.attribute)]
    known = [m for m in rows if m is not None and math.isfinite(m.value)]
    return printable(min(known, key=lambda m: m.value).group) if known else ""


def _hint(m: Measurement) -> str:
    parts = [f"95 % interval: {both_intervals(m)}" if m.low is not None else "no interval"]
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
        at=scale.position(m.value) or 0.0,
        low=None if outside else scale.position(m.low),
        high=None if outside else scale.position(m.high),
        band=_band(m, shown),
        guide=scale.position(reference.value) if reference is not None else None,
        outside=outside,
    )


def _band(m: Measurement, shown: Column) -> tuple[float, float] | None:
    """Return the noise floor: from the 95 % level to the end of the scale without disparity."""
    level = shown.scale.position(m.floor_p95)
    if level is None:
        return None
    higher = shown.direction.startswith("higher")
    return (level, round(100 - level, 2)) if higher else (0.0, level)


def _shown(contrast: Contrast | None) -> tuple[str, str, str]:
    if contrast is None or contrast.verdict not in ("better", "worse"):
        return "", "", ""
    arrow = ARROWS[contrast.difference > 0]
    return arrow, contrast.verdict, f"{contrast.verdict} than {printable(contrast.reference)}"
