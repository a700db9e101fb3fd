"""Charts as specifications without data.

A chart that is drawn once for each strategy is one specification with many data sets. Each
function here says which columns its rows have; `drawing.with_rows` adds the rows.
"""

from functools import cache
from typing import Any

import altair as alt

from .drawing import Spec, compiled
from .looks import BAND, MUTED

ROWS = alt.NamedData(name="rows")

Span = tuple[float, float]
Size = tuple[int, int]
"""Width and height in pixels, without axes."""


@cache
def trade_off(words: tuple[str, str], x: Span, y: Span, size: Size) -> Spec:
    """Return performance against a gap, with the noise floor as a band.

    Rows of strategies: x, x_low, x_high, y, y_low, y_high, colour, shape, name, label, side (of
    the label), href, words, front (number on the Pareto front). One row of the floor: zero, floor,
    floor_mean, floor_words.
    """
    base = alt.Chart(ROWS).transform_filter("isValid(datum.x)")
    across = alt.X("x:Q", title=words[0], scale=alt.Scale(domain=x, nice=False))
    corner = alt.Axis(titleAngle=0, titleAlign="left", titleAnchor="end", titleX=0, titleY=-12)
    up = alt.Y("y:Q", title=words[1], scale=alt.Scale(domain=y, nice=False), axis=corner)
    colour = alt.Color("colour:N", scale=None)
    floors = alt.Chart(ROWS).transform_filter("isValid(datum.floor)")
    band = floors.mark_rect(color=BAND, clip=True).encode(
        y=alt.Y("zero:Q"), y2="floor:Q", tooltip=alt.value(None)
    )
    mean = floors.mark_rule(color=MUTED, strokeDash=[2, 3]).encode(y="floor_mean:Q")
    words = floors.mark_text(color=MUTED, align="left", baseline="bottom", dx=5, dy=-4).encode(
        x=alt.value(0), y="zero:Q", text="floor_words:N"
    )
    front = (
        base.transform_filter("isValid(datum.front)")
        .mark_line(color=MUTED, strokeDash=[4, 3], strokeWidth=1, interpolate="step-after")
        .encode(x=across, y=up, order="front:Q")
    )
    wide = base.mark_rule(strokeWidth=1.5, opacity=0.4, clip=True).encode(
        x=alt.X("x_low:Q"), x2="x_high:Q", y=up, color=colour
    )
    high = base.mark_rule(strokeWidth=1.5, opacity=0.4, clip=True).encode(
        x=across, y=alt.Y("y_low:Q"), y2="y_high:Q", color=colour
    )
    tooltip = [alt.Tooltip("name:N", title="strategy"), alt.Tooltip("words:N", title="here")]
    points = base.mark_point(size=80, filled=True, opacity=1).encode(
        x=across,
        y=up,
        color=colour,
        shape=alt.Shape("shape:N", scale=None),
        href="href:N",
        tooltip=tooltip,
    )
    names = _names(base.encode(x=across, y=up, color=colour, href="href:N"))
    chart = alt.layer(band, mean, words, front, wide, high, points, *names)
    return compiled(chart.properties(width=size[0], height=size[1]))


def _names(base: Any) -> list[Any]:
    """Return a layer of labels for each side of the point where a label can be."""
    sides = {"right": (9, -8, "left"), "left": (-9, -8, "right")}
    sides |= {"right-under": (9, 10, "left"), "left-under": (-9, 10, "right")}
    return [
        base.transform_filter(f"datum.side == '{side}'")
        .mark_text(align=align, dx=dx, dy=dy, fontWeight="bold", fontSize=12)
        .encode(text="label:N")
        for side, (dx, dy, align) in sides.items()
    ]


@cache
def group_rates(groups: int, metrics: tuple[str, ...]) -> Spec:
    """Return dots with intervals by group, one row of charts for each metric.

    Rows: metric, group, value, low, high, reference, line, colour, shape, words.
    """
    base = alt.Chart()
    rows = alt.Y("group:N", title=None, sort=None, axis=alt.Axis(grid=False, labelLimit=90))
    across = alt.X("value:Q", title=None, scale=alt.Scale(domain=(0, 1)), axis=_rate_axis())
    line = base.mark_rule(color=MUTED, strokeDash=[2, 3]).encode(x="line:Q")
    other = base.mark_point(color=MUTED, size=38, strokeWidth=1, shape="circle").encode(
        x="reference:Q", y=rows
    )
    span = base.mark_rule(strokeWidth=2, opacity=0.6, clip=True).encode(
        x="low:Q", x2="high:Q", y=rows, color=alt.Color("colour:N", scale=None)
    )
    tooltip = [alt.Tooltip("group:N"), alt.Tooltip("words:N", title="here")]
    dots = base.mark_point(filled=True, size=42, opacity=1).encode(
        x=across,
        y=rows,
        color=alt.Color("colour:N", scale=None),
        shape=alt.Shape("shape:N", scale=None),
        tooltip=tooltip,
    )
    panel = alt.layer(line, span, other, dots).properties(width=196, height=15 * groups)
    header = alt.Header(title=None, labelOrient="top", labelAnchor="start", labelPadding=3)
    chart = panel.facet(
        row=alt.Row("metric:N", sort=list(metrics), header=header),
        spacing=10,
        data=ROWS,
    )
    return compiled(chart)


def _rate_axis() -> Any:
    return alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f", labelOverlap=False)


def _reliability_layers(predicted: str, observed: str) -> tuple[Any, Any]:
    """Return the diagram and the histogram; rows: x, y, low, high, n, before, colour, words."""
    base = alt.Chart()
    ends = alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    square = alt.Scale(domain=(0, 1))
    across = alt.X(
        "x:Q", title=None, scale=square, axis=alt.Axis(values=[0, 0.5, 1], labels=False)
    )
    up = alt.Y(
        "y:Q", title=observed, scale=square, axis=alt.Axis(values=[0, 0.5, 1], format=".1f")
    )
    perfect = alt.Chart(ends).mark_line(color=MUTED, strokeWidth=1).encode(x=across, y=up)
    before = base.transform_filter("datum.before")
    after = base.transform_filter("!datum.before")
    colour = alt.Color("colour:N", scale=None)
    spans = before.mark_rule(strokeWidth=1.5, opacity=0.45, clip=True).encode(
        x=across, y=alt.Y("low:Q", title=observed), y2="high:Q", color=colour
    )
    tip = [alt.Tooltip("words:N", title="bin")]
    line = {"x": across, "y": up, "color": colour}
    drawn = before.mark_line(strokeWidth=1.5).encode(**line)
    dots = before.mark_point(filled=True, size=26, opacity=1).encode(**line, tooltip=tip)
    hollow = after.mark_point(size=26, strokeWidth=1.2).encode(**line, tooltip=tip)
    diagram = alt.layer(perfect, spans, drawn, hollow, dots)
    bars = before.mark_bar(color=MUTED, opacity=0.55).encode(
        x=alt.X("low_edge:Q", title=predicted, scale=square, axis=alt.Axis(values=[0, 0.5, 1])),
        x2="high_edge:Q",
        y=alt.Y("n:Q", title=None, axis=alt.Axis(tickCount=1, grid=False, format="~s")),
        y2=alt.datum(0),
        tooltip=tip,
    )
    return diagram, bars


@cache
def reliability(predicted: str, observed: str) -> Spec:
    """Return what was predicted against what was observed, over a histogram."""
    diagram, bars = _reliability_layers(predicted, observed)
    both = alt.vconcat(
        diagram.properties(width=224, height=190),
        bars.properties(width=224, height=34),
        spacing=4,
        data=ROWS,
    )
    return compiled(both)


@cache
def reliability_by_group(predicted: str, observed: str, groups: tuple[str, ...]) -> Spec:
    """Return the same diagram for every group, side by side; rows also have `group`."""
    diagram, _ = _reliability_layers(predicted, observed)
    header = alt.Header(title=None, labelAnchor="start", labelLimit=120)
    chart = diagram.properties(width=122, height=122).facet(
        facet=alt.Facet("group:N", sort=list(groups), header=header),
        columns=5,
        spacing=12,
        data=ROWS,
    )
    return compiled(chart)


@cache
def learning_curves(low: float, high: float) -> Spec:
    """Return loss over the budget's fraction, a line a seed; rows: x, y, seed, step, colour."""
    base = alt.Chart(ROWS)
    chart = base.mark_line(strokeWidth=1.2, opacity=0.75, clip=True).encode(
        x=alt.X(
            "x:Q",
            title="fraction of the budget",
            scale=alt.Scale(domain=(0, 1)),
            axis=alt.Axis(values=[0, 0.5, 1], format=".1f"),
        ),
        y=alt.Y("y:Q", title="loss", scale=alt.Scale(domain=(low, high), nice=False)),
        detail="seed:N",
        color=alt.Color("colour:N", scale=None),
        tooltip=[alt.Tooltip("seed:N"), "step:Q", alt.Tooltip("y:Q", title="loss", format=".3f")],
    )
    return compiled(chart.properties(width=224, height=120))
