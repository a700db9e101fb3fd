"""Charts of a search: value over trials and over the budget, and options against value."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import altair as alt

from ..facts import SearchedOption, TrialFacts, TuningFacts
from .charts import ROWS
from .drawing import Canvas, Figure, Spec, compiled
from .looks import looks
from .search import Where, curves_of, where_words
from .sheet import Sheet
from .wording import distinct, fixed, interval, marked, metric_words, printable

Span = tuple[float, float]


@cache
def _lines(words: tuple[str, str], y: Span, log: bool) -> Spec:
    """Return a line with its band for each strategy.

    Rows: x, y, low, high, name, colour, shape, words, last, label_y (of the name at its end).
    """
    base = alt.Chart(ROWS)
    scale = alt.Scale(type="log" if log else "linear", nice=False)
    axis = alt.Axis(format="~g") if log else alt.Axis(format="d", tickMinStep=1)
    across = alt.X("x:Q", title=words[0], scale=scale, axis=axis)
    height = alt.Scale(domain=y, nice=False, zero=False)
    up = alt.Y("y:Q", title=words[1], scale=height)
    colour = alt.Color("colour:N", scale=None)
    band = base.mark_area(opacity=0.1, clip=True).encode(
        x=across,
        y=alt.Y("low:Q", title=words[1], scale=height),
        y2="high:Q",
        color=colour,
        detail="name:N",
    )
    line = base.mark_line(strokeWidth=1.8, clip=True).encode(
        x=across, y=up, color=colour, detail="name:N"
    )
    tooltip = [alt.Tooltip("name:N", title="strategy"), alt.Tooltip("words:N", title="here")]
    dots = base.mark_point(filled=True, size=30, opacity=1).encode(
        x=across, y=up, color=colour, shape=alt.Shape("shape:N", scale=None), tooltip=tooltip
    )
    ends = (
        base.transform_filter("datum.last")
        .mark_text(align="left", dx=7)
        .encode(x=across, y=alt.Y("label_y:Q", scale=height), color=colour, text="name:N")
    )
    return compiled(alt.layer(band, line, dots, ends).properties(width=340, height=200))


@cache
def _option(titles: tuple[str, str, str], log: bool, named: bool) -> Spec:
    """Return an option against the value on validation, above the one on test.

    Rows: x, validation, test, chosen, colour, words.
    """
    base = alt.Chart()
    scale = alt.Scale(type="log" if log else "linear", zero=False, nice=False)
    axis = alt.Axis(format="~g", tickCount=3)
    tip = [alt.Tooltip("words:N", title="trial")]
    panels = []
    for place, column in enumerate(("validation", "test")):
        last = place == 1
        title = titles[0] if last else None
        x = (
            alt.X("x:N", title=title)
            if named
            else alt.X("x:Q", title=title, scale=scale, axis=axis)
        )
        y = alt.Y(f"{column}:Q", title=titles[1 + place], scale=alt.Scale(zero=False))
        dots = base.mark_point(size=36, strokeWidth=1.4).encode(
            x=x, y=y, color=alt.Color("colour:N", scale=None), tooltip=tip
        )
        chosen = (
            base.transform_filter("datum.chosen")
            .mark_point(filled=True, size=70)
            .encode(x=x, y=y, color=alt.Color("colour:N", scale=None), tooltip=tip)
        )
        panels.append(alt.layer(dots, chosen).properties(width=190, height=90))
    return compiled(alt.vconcat(*panels, spacing=8, data=ROWS))


def trial_curves(sheet: Sheet, tuning: TuningFacts, canvas: Canvas) -> tuple[Figure, ...]:
    """Return a chart a metric: the expected test value of the choice, over the trials."""
    figures: list[Figure] = []
    for where, lines in curves_of(tuning).items():
        rows = [
            {"x": p.k, "last": p.k == len(points), **_place(sheet, p.strategy), **_numbers(p)}
            for points in lines.values()
            for p in points
            if p.value is not None
        ]
        if rows:
            words = "of the choice among k trials, a line a strategy."
            chart = _Curves(f"trials-{len(figures)}", "trials of each strategy", words)
            figures.append(_drawn(canvas, chart, where, rows))
    return tuple(figures)


def budget_curves(sheet: Sheet, tuning: TuningFacts, canvas: Canvas) -> tuple[Figure, ...]:
    """Return a chart a metric: the tuned strategies' test value over the budget."""
    figures: list[Figure] = []
    for where in dict.fromkeys((p.metric, p.attribute) for p in tuning.budgets):
        points = [p for p in tuning.budgets if (p.metric, p.attribute) == where]
        most = max(p.fraction for p in points)
        rows = [
            {
                "x": p.fraction,
                "last": p.fraction == most,
                **_place(sheet, p.strategy),
                **_numbers(p),
            }
            for p in points
            if p.value is not None
        ]
        if rows:
            words = "of each tuned strategy, over the budget."
            chart = _Curves(
                f"budgets-{len(figures)}", "budget, times the suite's", words, log=True
            )
            figures.append(_drawn(canvas, chart, where, rows))
    return tuple(figures)


class _Curves(NamedTuple):
    """A chart of one metric's lines."""

    name: str
    across: str
    """Title of the horizontal axis."""
    alternative: str
    """In words, after the metric's name."""
    log: bool = False


def _drawn(
    canvas: Canvas, chart: _Curves, where: Where, rows: Sequence[Mapping[str, Any]]
) -> Figure:
    title = marked(where_words(where), "", "")
    return canvas.draw(
        chart.name,
        _lines((chart.across, title), _span(rows), chart.log),
        _apart(rows),
        title=title,
        alternative=f"{title} {chart.alternative}",
    )


def _numbers(point: Any) -> dict[str, Any]:
    words = f"{fixed(point.value, 3)} ({interval(point.low, point.high)})"
    return {"y": point.value, "low": point.low, "high": point.high, "words": words}


def _place(sheet: Sheet, label: str) -> dict[str, Any]:
    names = distinct(s.label for s in sheet.strategies)
    known = looks(sheet).get(label)
    shown = known._asdict() if known else {}
    return {"name": names.get(label, printable(label)), **shown}


def _span(rows: Sequence[Mapping[str, Any]]) -> Span:
    values = [r[c] for r in rows for c in ("y", "low", "high") if r[c] is not None]
    low, high = min(values), max(values)
    room = (high - low) * 0.04 or 0.01
    return round(low - room, 4), round(high + room, 4)


def _apart(rows: Sequence[Mapping[str, Any]], least: float = 0.07) -> list[dict[str, Any]]:
    """Return the rows with a place for each line's name, apart by a share of the height."""
    low, high = _span(rows)
    names: dict[str, float] = {}
    below = low - (high - low)
    for row in sorted((r for r in rows if r["last"]), key=lambda r: r["y"]):
        below = max(float(row["y"]), below + least * (high - low))
        names[row["name"]] = below
    over = max(below - high, 0.0)
    return [{**row, "label_y": names.get(row["name"], row["y"]) - over} for row in rows]


def options(
    sheet: Sheet, tuning: TuningFacts, canvas: Canvas
) -> Iterator[tuple[str, tuple[Figure, ...]]]:
    """Yield each strategy with a small chart an option: its value against what came of it."""
    for label in dict.fromkeys(o.strategy for o in tuning.options):
        trials = _first(t for t in tuning.trials if t.strategy == label)
        figures = tuple(
            _option_chart(sheet, tuning, option, trials, canvas)
            for option in tuning.options
            if option.strategy == label
        )
        yield printable(label), figures


def _first(trials: Iterator[TrialFacts]) -> list[TrialFacts]:
    """Return the trials at the budget that all have, each as chosen where it was."""
    short: dict[int, TrialFacts] = {}
    for t in trials:
        known = short.setdefault(t.trial, t)
        short[t.trial] = known._replace(chosen=known.chosen or t.chosen)
    return list(short.values())


def _option_chart(
    sheet: Sheet,
    tuning: TuningFacts,
    option: SearchedOption,
    trials: Sequence[TrialFacts],
    canvas: Canvas,
) -> Figure:
    name = metric_words(printable(option.option))
    performance = metric_words(sheet.facts.performance_metric)
    titles = (name, f"validation {metric_words(tuning.rule)}", f"test {performance}")
    named = bool(option.choices)
    spec = _option(titles, option.log, named)
    rows = [
        {
            "x": printable(str(t.options[option.option])) if named else t.options[option.option],
            "validation": t.validation,
            "test": t.test,
            "chosen": t.chosen,
            "words": f"{t.trial}{', chosen' if t.chosen else ''}",
            **_place(sheet, t.strategy),
        }
        for t in trials
        if t.validation is not None
    ]
    return canvas.draw(
        f"option-{option.log}-{named}-{name}",
        spec,
        rows,
        title=name,
        alternative=f"{name} of each trial, against its value on validation and on test.",
    )
