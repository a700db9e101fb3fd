"""The comparison: one row a strategy, each number with its interval drawn in the cell."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.facts import StrategyFacts
from bench.reporting.cells import Text, number, undefined_notes
from bench.reporting.looks import Look, anchors, looks
from bench.reporting.sheet import Sheet
from bench.reporting.standing import Axis, axes
from bench.reporting.wording import (
    NOTHING,
    aligned,
    decimals,
    fixed,
    interval,
    metric_words,
    plain,
    quantity,
)
from bench.schema import Contrast, Measurement

CHOICES = {
    "adapt": "what is trained",
    "sampling_weights": "what is seen",
    "objective": "what is minimised",
    "revise": "what is revised",
}

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
    order: float
    plot: Plot | None
    arrow: str
    tone: str
    said: str
    """The contrast with the reference in words; "" where none is shown."""
    hint: str


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
    """One measured column."""

    axis: Axis
    title: str
    direction: str
    scale: Scale
    low_text: str
    high_text: str


class Line(NamedTuple):
    """One strategy's row."""

    name: str
    id: str
    look: Look
    reference: bool
    options: str
    choice: str
    groups_read: str
    seeds: int
    status: str
    cells: tuple[Cell, ...]
    cost: Text
    cost_order: float


class Block(NamedTuple):
    """The strategies that make the same choices."""

    title: str
    lines: tuple[Line, ...]


class Comparison(NamedTuple):
    """The whole table."""

    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    cost_title: str
    notes: tuple[str, ...]


def headline(sheet: Sheet) -> list[Axis]:
    """Return the compared columns: performance, calibration, then each gap and worst group."""
    performance, *gaps = axes(sheet)
    calibration = "expected_calibration_error"
    found = [performance, Axis(calibration, "", "", metric_words(calibration))]
    for gap in gaps:
        where = gap.words.removeprefix(metric_words(gap.metric))
        worst = "worst_group_accuracy"
        found += [gap, Axis(worst, gap.attribute, "gap", metric_words(worst) + where)]
    present = {(m.metric, m.attribute, m.group) for m in sheet.means.values()}
    return [a for a in found if (a.metric, a.attribute, a.group) in present]


def comparison(sheet: Sheet) -> Comparison:
    """Return the comparison table."""
    columns = tuple(_column(sheet, axis) for axis in headline(sheet))
    lines = [(_choice(s), _line(sheet, s, columns)) for s in ordered(sheet)]
    titles = dict.fromkeys(title for title, _ in lines)
    blocks = tuple(Block(t, tuple(x for title, x in lines if title == t)) for t in titles)
    undefined = [
        (f"{plain(s.label)} {c.title}", _mean(sheet, s.label, c.axis))
        for s in sheet.measured()
        for c in columns
    ]
    return Comparison(columns, blocks, _cost_title(sheet), undefined_notes(undefined))


def ordered(sheet: Sheet) -> list[StrategyFacts]:
    """Return the reference, then by the choices that strategies make, then the yardsticks."""
    trained = [s for s in sheet.strategies if not s.yardstick]
    first = [s for s in trained if s.label == sheet.reference]
    rest = [s for s in trained if s.label != sheet.reference]
    rest.sort(key=lambda s: (len(s.choices), sorted(map(list(CHOICES).index, s.choices))))
    return [*first, *rest, *(s for s in sheet.strategies if s.yardstick)]


def _choice(strategy: StrategyFacts) -> str:
    if strategy.yardstick:
        return "Yardsticks, without fine-tuning"
    made = [words for choice, words in CHOICES.items() if choice in strategy.choices]
    if not made:
        return "Nothing changed"
    return "Changes " + " and ".join(made)


def _mean(sheet: Sheet, label: str, axis: Axis) -> Measurement | None:
    return sheet.mean(label, axis.metric, axis.attribute, axis.group)


def _column(sheet: Sheet, axis: Axis) -> Column:
    found = [(s, _mean(sheet, s.label, axis)) for s in sheet.measured()]
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


def _line(sheet: Sheet, strategy: StrategyFacts, columns: Sequence[Column]) -> Line:
    label = strategy.label
    cost = _cost(sheet, label)
    return Line(
        name=plain(label),
        id=anchors(sheet)[label],
        look=looks(sheet)[label],
        reference=label == sheet.reference,
        options=strategy.options,
        choice=_choice(strategy),
        groups_read=" and ".join(sorted(strategy.needs_groups_in, reverse=True)) or NOTHING,
        seeds=sheet.seeds.get(label, 0),
        status=_status(sheet, label),
        cells=tuple(_cell(sheet, label, column) for column in columns),
        cost=Text(quantity(_currency(sheet), cost), number=True),
        cost_order=cost if math.isfinite(cost) else -1.0,
    )


def _status(sheet: Sheet, label: str) -> str:
    cells = [c for c in sheet.facts.cells if c.strategy == label]
    failed = sum(c.status == "failed" for c in cells)
    missing = sum(c.status == "missing" for c in cells)
    parts = [f"{failed} of {len(cells)} failed"] if failed else []
    parts += [f"{missing} of {len(cells)} not finished"] if missing else []
    return ", ".join(parts)


def _cell(sheet: Sheet, label: str, column: Column) -> Cell:
    axis = column.axis
    m = _mean(sheet, label, axis)
    if m is None or not math.isfinite(m.value):
        text = number(m)
        return Cell(text.text, "", -math.inf, None, "", "", "", text.hint)
    digits = decimals(m.low, m.high)
    contrast = sheet.contrast(label, axis.metric, axis.attribute, axis.group)
    arrow, tone, said = _shown(contrast)
    return Cell(
        text=aligned(fixed(m.value, digits), digits),
        interval=interval(m.low, m.high),
        order=m.value,
        plot=_plot(sheet, m, column),
        arrow=arrow,
        tone=tone,
        said=said,
        hint=_hint(m),
    )


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


def _plot(sheet: Sheet, m: Measurement, column: Column) -> Plot:
    scale = column.scale
    reference = _mean(sheet, sheet.reference, column.axis)
    outside = "left" if m.value < scale.low else "right" if m.value > scale.high else ""
    return Plot(
        at=scale.place(m.value) or 0.0,
        low=None if outside else scale.place(m.low),
        high=None if outside else scale.place(m.high),
        band=_band(m, column),
        guide=scale.place(reference.value) if reference is not None else None,
        outside=outside,
    )


def _band(m: Measurement, column: Column) -> tuple[float, float] | None:
    """Return the noise floor: from the level that chance rarely passes to the harmless end."""
    level = column.scale.place(m.floor_p95)
    if level is None:
        return None
    higher = column.direction.startswith("higher")
    return (level, round(100 - level, 2)) if higher else (0.0, level)


def _shown(contrast: Contrast | None) -> tuple[str, str, str]:
    if contrast is None or contrast.verdict not in ("better", "worse"):
        return "", "", ""
    arrow = ARROWS[contrast.difference > 0]
    return arrow, contrast.verdict, f"{contrast.verdict} than {plain(contrast.reference)}"


def _currency(sheet: Sheet) -> str:
    return sheet.facts.currency or "flops"


def _cost_title(sheet: Sheet) -> str:
    return f"spent ({metric_words(_currency(sheet))})" if sheet.facts.currency else "cost"


def _cost(sheet: Sheet, label: str) -> float:
    m = sheet.mean(label, _currency(sheet))
    return m.value if m is not None else math.nan
