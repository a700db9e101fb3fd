"""Sections made of small multiples: which strategies are drawn, and what a section holds."""

from typing import Any, NamedTuple

from ..schema import Measurement
from .drawing import Figure
from .grids import Grid
from .looks import looks
from .sheet import Sheet
from .wording import estimate, interval, plain

STRATEGIES = 12
"""Strategies drawn as small multiples; report.json holds all."""

GROUPS = 15
"""Groups drawn in a panel, the largest; the tables hold all."""


class Section(NamedTuple):
    """Figures with the tables behind them, for one attribute."""

    title: str
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()


def drawn(sheet: Sheet) -> list[str]:
    """Return the strategies that are drawn: the reference, the suite's order, yardsticks last."""
    measured = sheet.measured()
    first = [s.label for s in measured if s.label == sheet.reference]
    rest = [s.label for s in measured if s.label != sheet.reference and not s.yardstick]
    yardsticks = [s.label for s in measured if s.label != sheet.reference and s.yardstick]
    return [*first, *rest, *yardsticks][:STRATEGIES]


def limits(sheet: Sheet) -> tuple[str, ...]:
    """Return a note where not every strategy is drawn."""
    count = len(sheet.measured())
    if count <= STRATEGIES:
        return ()
    return (f"Shown: the first {STRATEGIES} of {count} strategies; report.json holds all.",)


def heads(sheet: Sheet) -> dict[str, dict[str, Any]]:
    """Return what heads each strategy's panel: its name, colour and shape."""
    return {
        label: {"title": plain(label), **look._asdict()} for label, look in looks(sheet).items()
    }


def said(m: Measurement) -> str:
    """Return a number with its interval, or why there is none."""
    between = interval(m.low, m.high)
    return m.undefined or estimate(m) + (f" ({between})" if between else "")
