"""Performance against gap: who stands where, and who is beaten on both."""

import math
from collections.abc import Iterable
from typing import Any

from bench.reporting import charts
from bench.reporting.cells import Grid, Text, number
from bench.reporting.drawing import Canvas
from bench.reporting.looks import anchors, looks
from bench.reporting.panels import Section, said
from bench.reporting.sheet import Sheet
from bench.reporting.standing import axes
from bench.reporting.wording import NOTHING, estimate, fixed, listed, plain, short
from bench.schema import Measurement

Pairs = dict[str, tuple[Measurement, Measurement]]
"""Strategy -> performance and gap."""

Box = tuple[float, float, float, float]
"""Left, right, bottom, top in pixels."""

WIDTH, HEIGHT = 860, 360
"""Of the chart, in pixels."""


def trade_offs(sheet: Sheet, canvas: Canvas) -> list[Section]:
    """Return performance against gap, one figure an attribute."""
    performance, *gaps = axes(sheet)
    found = []
    for gap in gaps:
        pairs = {
            s.label: (sheet.mean(s.label, performance.metric), _gap(sheet, s.label, gap.attribute))
            for s in sheet.measured()
        }
        known = {
            label: (x, y)
            for label, (x, y) in pairs.items()
            if x is not None and y is not None and math.isfinite(x.value + y.value)
        }
        if known:
            found.append(_trade_off(sheet, canvas, known, (performance.words, gap.words)))
    return found


def _gap(sheet: Sheet, label: str, attribute: str) -> Measurement | None:
    return sheet.mean(label, sheet.facts.gap_metric, attribute, "gap")


def _trade_off(sheet: Sheet, canvas: Canvas, known: Pairs, words: tuple[str, str]) -> Section:
    yardsticks = {s.label for s in sheet.strategies if s.yardstick}
    near = {k: v for k, v in known.items() if k not in yardsticks} or known
    x, top = _window(near)
    inside = {k: v for k, v in known.items() if x[0] <= v[0].value <= x[1] and v[1].value <= top}
    probability = {p.strategy: p.pareto_probability for p in sheet.results.trade_off}
    rows = [_point(sheet, label, pair, probability) for label, pair in inside.items()]
    _stand_labels(rows, x, top)
    for place, label in enumerate(_front(inside)):
        next(r for r in rows if r["key"] == label)["front"] = place
    rows += _floor(sheet, near)
    figure = canvas.draw(
        f"trade-off-{canvas.drawn}",
        charts.trade_off(words, x, top, (WIDTH, HEIGHT)),
        rows,
        title="",
        alternative=f"{words[0]} against {words[1]} for {len(inside)} strategies; "
        "right and down is better. The table below holds the same numbers.",
    )
    outside = [
        f"{plain(k)} ({words[0]} {estimate(p)}, {words[1]} {estimate(g)})"
        for k, (p, g) in known.items()
        if k not in inside
    ]
    notes = (f"Outside the frame: {listed(outside)}.",) if outside else ()
    return Section(words[1], (figure,), (_trade_table(known, words, probability),), notes)


def _window(near: Pairs) -> tuple[tuple[float, float], float]:
    xs = [v for p, _ in near.values() for v in (p.low, p.high, p.value) if v is not None]
    ys = [v for _, g in near.values() for v in (g.high, g.value, g.floor_p95) if v is not None]
    room = 0.12 * (max(xs) - min(xs)) or 0.02
    x = (round(min(xs) - room, 4), round(max(xs) + room, 4))
    return x, round(max(1.06 * max(ys), 0.05), 4)


def _point(
    sheet: Sheet, label: str, pair: tuple[Measurement, Measurement], probability: dict[str, float]
) -> dict[str, Any]:
    p, g = pair
    share = probability.get(label)
    front = "" if share is None else f" {share:.0%}"
    return {
        "key": label,
        "name": plain(label),
        "label": short(label) + front,
        "href": f"#{anchors(sheet)[label]}",
        "x": p.value,
        "x_low": p.low,
        "x_high": p.high,
        "y": g.value,
        "y_low": g.low,
        "y_high": g.high,
        "said": f"{said(p)}; gap {said(g)}" + (f"; on the front{front}" if front else ""),
        **looks(sheet)[label]._asdict(),
    }


def _stand_labels(rows: list[dict[str, Any]], x: tuple[float, float], top: float) -> None:
    """Let each label stand on the side of its point where it meets no other label."""
    taken: list[tuple[float, float, float, float]] = []
    for row in rows:
        across = WIDTH * (row["x"] - x[0]) / (x[1] - x[0])
        up = HEIGHT * row["y"] / top
        width = 6.6 * len(row["label"])
        sides = {
            "right": (across + 9, up + 2),
            "left": (across - 9 - width, up + 2),
            "right-under": (across + 9, up - 16),
            "left-under": (across - 9 - width, up - 16),
        }
        boxes = {side: (a, a + width, b, b + 14) for side, (a, b) in sides.items()}
        free = [s for s, box in boxes.items() if box[1] < WIDTH and not _meets(box, taken)]
        row["side"] = free[0] if free else "right"
        taken.append(boxes[row["side"]])


def _meets(box: Box, others: Iterable[Box]) -> bool:
    return any(box[0] < o[1] and o[0] < box[1] and box[2] < o[3] and o[2] < box[3] for o in others)


def _front(known: Pairs) -> list[str]:
    """Return those that none beats on both axes, from the best performance down."""
    front: list[str] = []
    lowest = math.inf
    for label, (_, gap) in sorted(known.items(), key=lambda kv: (-kv[1][0].value, kv[1][1].value)):
        if gap.value < lowest:
            front.append(label)
            lowest = gap.value
    return front


def _floor(sheet: Sheet, near: Pairs) -> list[dict[str, Any]]:
    label = sheet.reference if sheet.reference in near else next(iter(near))
    gap = near[label][1]
    if gap.floor_p95 is None:
        return []
    words = "noise floor: what no disparity looks like"
    return [
        {"zero": 0, "floor": gap.floor_p95, "floor_mean": gap.floor_mean, "floor_words": words}
    ]


def _trade_table(known: Pairs, words: tuple[str, str], probability: dict[str, float]) -> Grid:
    rows = tuple(
        (
            Text(plain(label), name=True),
            number(p),
            number(g),
            Text(NOTHING if g.floor_p95 is None else fixed(g.floor_p95, 3), number=True),
            Text(f"{probability[label]:.0%}" if label in probability else NOTHING, number=True),
        )
        for label, (p, g) in known.items()
    )
    columns = ("strategy", *words, "floor (95 %)", "on the Pareto front")
    return Grid(columns, rows)
