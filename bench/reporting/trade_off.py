"""Charts of performance against a gap, and the front: strategies that none beats on both."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..schema import Measurement
from . import charts
from .drawing import Canvas
from .grids import Grid, Text, measurement_text
from .looks import anchors, looks
from .panels import FigureSet, with_interval
from .sheet import Sheet
from .standing import Axis, axes
from .wording import NOTHING, decimals, estimate, fixed, listed, printable, short

Pairs = Mapping[str, tuple[Measurement, Measurement]]
"""Strategy -> its performance and its gap, where both are known."""

Span = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, right, bottom, top in pixels."""

WIDTH, HEIGHT = 860, 360
"""Size of the chart in pixels."""


class Plane(NamedTuple):
    """The two axes of a chart, which direction is better on each (1: more), and the ranges."""

    axes: tuple[Axis, Axis]
    signs: tuple[int, int]
    x: Span
    y: Span


def trade_offs(sheet: Sheet, canvas: Canvas) -> list[FigureSet]:
    """Return one chart of performance against the gap for each attribute."""
    performance, *gaps = axes(sheet)
    pairs = [(gap, _pairs(sheet, performance, gap)) for gap in gaps]
    return [_trade_off(sheet, canvas, known, (performance, gap)) for gap, known in pairs if known]


def _pairs(sheet: Sheet, *both: Axis) -> Pairs:
    known: dict[str, tuple[Measurement, Measurement]] = {}
    for s in sheet.measured_strategies():
        x, y = (sheet.mean(s.label, *a.place) for a in both)
        if x is not None and y is not None and math.isfinite(x.value + y.value):
            known[s.label] = (x, y)
    return known


def _trade_off(sheet: Sheet, canvas: Canvas, known: Pairs, both: tuple[Axis, Axis]) -> FigureSet:
    plane = _plane(sheet, known, both)
    inside = {k: (p, g) for k, (p, g) in known.items() if _within(p, plane.x, g, plane.y)}
    share = _front_probability(sheet, known)
    front = _front({k: pair for k, pair in known.items() if not share or k in share}, plane.signs)
    rows = [_point(sheet, label, inside[label], share.get(label)) for label in inside]
    _place_labels(rows, plane)
    for row in rows:
        row["front"] = front.index(row["key"]) if row["key"] in front else None
    across, up = (f"{a.unmarked} ({_way(s, w)} is better)" for a, s, w in _ways(plane))
    figure = canvas.draw(
        f"trade-off-{canvas.drawn}",
        charts.trade_off((across, up), plane.x, plane.y, (WIDTH, HEIGHT)),
        rows + _floor(sheet, known, plane),
        title="",
        alternative=f"{across} against {up} for {len(inside)} strategies. "
        "The table below holds the same numbers.",
    )
    outside = [
        f"{printable(k)} ({both[0].unmarked} {estimate(p)}, {both[1].unmarked} {estimate(g)}"
        f"{'; on the front' if k in front else ''})"
        for k, (p, g) in known.items()
        if k not in inside
    ]
    notes = (f"Outside the frame: {listed(outside)}.",) if outside else ()
    return FigureSet(both[1].words, (figure,), (_table(known, both, share),), notes)


def _ways(plane: Plane) -> Iterable[tuple[Axis, int, tuple[str, str]]]:
    return zip(plane.axes, plane.signs, (("left", "right"), ("down", "up")), strict=True)


def _way(sign: int, words: tuple[str, str]) -> str:
    return words[sign > 0]


def _plane(sheet: Sheet, known: Pairs, both: tuple[Axis, Axis]) -> Plane:
    """Return a frame around the trained strategies.

    Yardsticks take no part: one far away would press all others together.
    """
    yardsticks = {s.label for s in sheet.strategies if s.yardstick}
    near = [pair for k, pair in known.items() if k not in yardsticks] or [*known.values()]
    better = [sheet.results.definitions.get(a.metric) for a in both]
    ways = [d.better if d else way for d, way in zip(better, ("higher", "lower"), strict=True)]
    signs = (-1 if ways[0] == "lower" else 1, 1 if ways[1] == "higher" else -1)
    y = _span([g for _, g in near])
    return Plane(both, signs, _span([p for p, _ in near]), (0.0, y[1]) if signs[1] < 0 else y)


def _span(shown: Sequence[Measurement]) -> Span:
    ends = [
        v
        for m in shown
        for v in (m.low, m.high, m.value, m.floor_p95)
        if v is not None and math.isfinite(v)
    ]
    room = 0.1 * (max(ends) - min(ends)) or 0.02
    return round(min(ends) - room, 4), round(max(ends) + room, 4)


def _within(p: Measurement, x: Span, g: Measurement, y: Span) -> bool:
    return x[0] <= p.value <= x[1] and y[0] <= g.value <= y[1]


def _front_probability(sheet: Sheet, known: Pairs) -> dict[str, float]:
    """Return how often each is on the front in bootstrap draws, if measured on these axes."""
    return {
        p.strategy: p.pareto_probability
        for p in sheet.results.trade_off
        if p.strategy in known
        and math.isclose(p.performance, known[p.strategy][0].value, abs_tol=1e-9)
        and math.isclose(p.fairness, 1 - known[p.strategy][1].value, abs_tol=1e-9)
    }


def _point(
    sheet: Sheet, label: str, pair: tuple[Measurement, Measurement], share: float | None
) -> dict[str, Any]:
    p, g = pair
    front = "" if share is None else f" {share:.0%}"
    on_front = f"; on the front{front}" if front else ""
    return {
        "key": label,
        "name": printable(label),
        "label": short(label) + front,
        "href": f"#{anchors(sheet)[label]}",
        "x": p.value,
        "x_low": p.low,
        "x_high": p.high,
        "y": g.value,
        "y_low": g.low,
        "y_high": g.high,
        "words": f"{with_interval(p)}; gap {with_interval(g)}{on_front}",
        **looks(sheet)[label]._asdict(),
    }


def _place_labels(rows: list[dict[str, Any]], plane: Plane) -> None:
    """Put each label on a side of its point where it covers no other label, or leave it out."""
    taken: list[Box] = []
    for row in rows:
        across = WIDTH * (row["x"] - plane.x[0]) / (plane.x[1] - plane.x[0])
        up = HEIGHT * (row["y"] - plane.y[0]) / (plane.y[1] - plane.y[0])
        width = 6.6 * len(row["label"])
        sides = {
            "right": (across + 9, up + 2),
            "left": (across - 9 - width, up + 2),
            "right-under": (across + 9, up - 16),
            "left-under": (across - 9 - width, up - 16),
        }
        boxes = {side: (a, a + width, b, b + 14) for side, (a, b) in sides.items()}
        free = [s for s, box in boxes.items() if box[1] < WIDTH and not _overlaps(box, taken)]
        row["side"] = free[0] if free else ""
        taken += [boxes[side] for side in free[:1]]


def _overlaps(box: Box, others: Iterable[Box]) -> bool:
    return any(box[0] < o[1] and o[0] < box[1] and box[2] < o[3] and o[2] < box[3] for o in others)


def _front(known: Pairs, signs: tuple[int, int]) -> list[str]:
    """Return the strategies that none beats on both axes, the best performance first."""
    scored = sorted(
        ((signs[0] * p.value, signs[1] * g.value, label) for label, (p, g) in known.items()),
        key=lambda score: (-score[0], -score[1]),
    )
    front: list[str] = []
    best = -math.inf
    for _, fairness, label in scored:
        if fairness > best:
            front.append(label)
            best = fairness
    return front


def _floor(sheet: Sheet, known: Pairs, plane: Plane) -> list[dict[str, Any]]:
    """Return the band of the reference's noise floor, to the edge that means no disparity."""
    label = sheet.reference if sheet.reference in known else next(iter(known))
    gap = known[label][1]
    if gap.floor_p95 is None or not math.isfinite(gap.floor_p95):
        return []
    words = "noise floor: what no disparity looks like"
    edge = plane.y[0 if plane.signs[1] < 0 else 1]
    row = {"zero": edge, "floor": gap.floor_p95, "floor_mean": gap.floor_mean}
    return [row | {"floor_words": words}]


def _table(known: Pairs, both: tuple[Axis, Axis], share: Mapping[str, float]) -> Grid:
    rows = tuple(
        (
            Text(printable(label), name=True),
            measurement_text(p),
            measurement_text(g),
            Text(_floor_text(g), number=True),
            Text(f"{share[label]:.0%}" if label in share else NOTHING, number=True),
        )
        for label, (p, g) in known.items()
    )
    titles = (both[0].unmarked, both[1].unmarked)
    return Grid(("strategy", *titles, "noise floor (95 %)", "on the Pareto front"), rows)


def _floor_text(gap: Measurement) -> str:
    return NOTHING if gap.floor_p95 is None else fixed(gap.floor_p95, decimals(gap.low, gap.high))
