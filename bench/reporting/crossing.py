"""A table for each metric: a row for what is trained, a column for what else is changed.

Every strategy stands where its two choices meet, with its difference from the reference. The table
is made only where the suite crosses such choices, for example lora × weighted.
"""

import math
from collections.abc import Mapping

from ..facts import StrategyFacts
from .columns import headline
from .grids import Grid, Text
from .sheet import Sheet
from .standing import Axis
from .tables import p_words, tone
from .wording import NOTHING, decimals, estimate, fixed, interval, printable

ALL = "everything"
ALONE = "nothing else"

Choices = tuple[str, str]
"""What is trained, and what else is changed."""


def crossings(sheet: Sheet) -> tuple[Grid, ...]:
    """Return one table for each compared metric; none where no choices are crossed."""
    strategies = _by_choices(sheet)
    rows = list(dict.fromkeys(row for row, _ in strategies))
    columns = list(dict.fromkeys(column for _, column in strategies))
    crossed = sum(row != ALL and column != ALONE for row, column in strategies)
    if not crossed or min(len(rows), len(columns)) < 2:  # noqa: PLR2004
        return ()
    return tuple(_table(sheet, axis, strategies, (rows, columns)) for axis in headline(sheet))


def _by_choices(sheet: Sheet) -> dict[Choices, str]:
    """Return the strategy with each pair of choices; of several, the first in the suite."""
    labels: dict[Choices, str] = {}
    for strategy in sheet.strategies:
        if not strategy.yardstick and sheet.facts.cells:
            labels.setdefault(_choices(strategy), strategy.label)
    return labels


def _choices(strategy: StrategyFacts) -> Choices:
    trained = strategy.trains.split("+") if strategy.trains else []
    others = strategy.use.split("+") if strategy.choices else []
    rest = [part for part in others if part not in trained]
    return (
        printable(strategy.trains) if trained else ALL,
        printable("+".join(rest)) if rest else ALONE,
    )


def _table(
    sheet: Sheet,
    axis: Axis,
    strategies: Mapping[Choices, str],
    titles: tuple[list[str], list[str]],
) -> Grid:
    rows, columns = titles
    body = tuple(
        (
            Text(row, name=True),
            *(_entry(sheet, axis, strategies.get((row, column), "")) for column in columns),
        )
        for row in rows
    )
    return Grid(("trained", *columns), body, caption=axis.unmarked)


def _entry(sheet: Sheet, axis: Axis, label: str) -> Text:
    """Return a strategy's difference from the reference; beneath, its interval or the value."""
    mean, contrast = sheet.mean(label, *axis.place), sheet.contrast(label, *axis.place)
    if mean is None or not math.isfinite(mean.value):
        return Text(NOTHING, number=True, hint=mean.undefined if mean else "no result")
    if label == sheet.reference:
        return Text(estimate(mean), interval(mean.low, mean.high), number=True, hint="reference")
    if contrast is None or not math.isfinite(contrast.difference):
        return Text(NOTHING, number=True, hint=contrast.undefined if contrast else "not tested")
    digits = decimals(contrast.low, contrast.high)
    beneath = interval(contrast.low, contrast.high) or f"to {estimate(mean)}"
    return Text(
        fixed(contrast.difference, digits, signed=True),
        f"{beneath}, p {p_words(contrast.p_adjusted)}",
        number=True,
        tone=tone(contrast),
        hint=f"{printable(label)}: {contrast.verdict}",
    )
