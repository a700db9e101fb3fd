"""Sets of small charts, one a strategy: which strategies are drawn, and what heads each chart."""

from typing import Any, NamedTuple

from ..audit import shipped
from ..schema import Measurement
from .drawing import Figure
from .grids import Grid
from .looks import looks
from .sheet import Sheet
from .wording import both_intervals, estimate, printable

STRATEGIES = 12
"""At most so many strategies are drawn; report.json holds all."""

GROUPS = 15
"""At most so many groups are drawn in a chart, the largest; the tables hold all."""


class FigureSet(NamedTuple):
    """Figures with the tables behind them, for one attribute."""

    title: str
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()


def placed_audits() -> set[str]:
    """Return the audits whose numbers are shown in a section of the page's own list."""
    return {name for name, audit in shipped().items() if audit.section}


def drawn_strategies(sheet: Sheet) -> list[str]:
    """Return the strategies that are drawn: the reference first, yardsticks last."""
    strategies = sheet.measured_strategies()
    first = [s.label for s in strategies if s.label == sheet.reference]
    rest = [s.label for s in strategies if s.label != sheet.reference and not s.yardstick]
    yardsticks = [s.label for s in strategies if s.label != sheet.reference and s.yardstick]
    return [*first, *rest, *yardsticks][:STRATEGIES]


def limit_notes(sheet: Sheet) -> tuple[str, ...]:
    """Return a note where not every strategy is drawn."""
    count = len(sheet.measured_strategies())
    if count <= STRATEGIES:
        return ()
    return (f"Shown: the first {STRATEGIES} of {count} strategies; report.json holds all.",)


def headings(sheet: Sheet) -> dict[str, dict[str, Any]]:
    """Return what heads each strategy's chart: its name, colour and shape."""
    every = looks(sheet).items()
    return {label: {"title": printable(label), **look._asdict()} for label, look in every}


def with_interval(m: Measurement) -> str:
    """Return a number with its interval, or why there is none."""
    between = both_intervals(m)
    return m.undefined or estimate(m) + (f" ({between})" if between else "")
