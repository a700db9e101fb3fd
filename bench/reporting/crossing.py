"""The crossing: what is trained × what mitigates, every combination against the reference."""

import math
from collections.abc import Mapping

from ..facts import StrategyFacts
from .columns import headline
from .grids import Grid, Text
from .sheet import Sheet
from .standing import Axis
from .tables import p_words, tone
from .wording import NOTHING, decimals, estimate, fixed, interval, plain

ALL = "everything"
ALONE = "nothing else"

Places = Mapping[tuple[str, str], str]
"""(what is trained, what else is changed) -> the strategy that does so."""


def crossings(sheet: Sheet) -> tuple[Grid, ...]:
    """Return one table a compared number; none where the suite's strategies make no grid."""
    places = _places(sheet)
    rows = list(dict.fromkeys(row for row, _ in places))
    columns = list(dict.fromkeys(column for _, column in places))
    crossed = sum(row != ALL and column != ALONE for row, column in places)
    if not crossed or min(len(rows), len(columns)) < 2:  # noqa: PLR2004
        return ()
    return tuple(_table(sheet, axis, places, (rows, columns)) for axis in headline(sheet))


def _places(sheet: Sheet) -> Places:
    """Return who stands where; the first that claims a place has it, as the suite orders them."""
    found: dict[tuple[str, str], str] = {}
    for strategy in sheet.strategies:
        if not strategy.yardstick and sheet.facts.cells:
            found.setdefault(_place(strategy), strategy.label)
    return found


def _place(strategy: StrategyFacts) -> tuple[str, str]:
    trained = strategy.trains.split("+") if strategy.trains else []
    others = strategy.use.split("+") if strategy.choices else []
    rest = [part for part in others if part not in trained]
    return plain(strategy.trains) if trained else ALL, plain("+".join(rest)) if rest else ALONE


def _table(sheet: Sheet, axis: Axis, places: Places, heads: tuple[list[str], list[str]]) -> Grid:
    rows, columns = heads
    body = tuple(
        (
            Text(row, name=True),
            *(_cell(sheet, axis, places.get((row, column), "")) for column in columns),
        )
        for row in rows
    )
    return Grid(("trained", *columns), body, caption=axis.plain)


def _cell(sheet: Sheet, axis: Axis, label: str) -> Text:
    """Return a combination's difference from the reference, over its interval or its value."""
    mean, contrast = sheet.mean(label, *axis.place), sheet.contrast(label, *axis.place)
    if mean is None or not math.isfinite(mean.value):
        return Text(NOTHING, number=True, hint=mean.undefined if mean else "no result")
    if label == sheet.reference:
        return Text(estimate(mean), interval(mean.low, mean.high), number=True, hint="reference")
    if contrast is None or not math.isfinite(contrast.difference):
        return Text(NOTHING, number=True, hint=contrast.undefined if contrast else "not tested")
    places = decimals(contrast.low, contrast.high)
    between = interval(contrast.low, contrast.high) or f"to {estimate(mean)}"
    return Text(
        fixed(contrast.difference, places, signed=True),
        f"{between}, p {p_words(contrast.p_adjusted)}",
        number=True,
        tone=tone(contrast),
        hint=f"{plain(label)}: {contrast.verdict}",
    )
