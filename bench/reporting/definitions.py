"""The definitions of the metrics, and how often their intervals contained the true value."""

from ..schema import Metric
from ..statistics import coverage
from .grids import Grid, Text
from .sheet import Sheet
from .wording import MINUS, NOTHING, metric_words

COLUMNS = (
    "metric",
    "definition",
    "better",
    "range",
    "95 % interval covered, %",
    "reference",
    "version",
)
COVERED = (
    "How often a nominal 95 % interval contained the true value in simulated studies, where it is "
    "known: in the worst setting and in the best, for the whole test set{of_groups}. A dash: not "
    "simulated."
)
OF_GROUPS = " or the gap, and for the smallest group"


def definitions(sheet: Sheet) -> Grid | None:
    """Return the definitions of the metrics that were used."""
    used = {m.metric for m in sheet.means.values()}
    known = sheet.results.definitions
    by_group = bool(sheet.attributes)
    rows = tuple(_row(name, metric, by_group) for name, metric in known.items() if name in used)
    note = COVERED.format(of_groups=OF_GROUPS if by_group else "")
    return Grid(COLUMNS, rows, (note,)) if rows else None


def _row(name: str, metric: Metric, by_group: bool) -> tuple[Text, ...]:
    best = {"neither": "", "zero": "best 0", "one": "best 1"}.get(metric.better, metric.better)
    return (
        Text(metric_words(name)),
        Text(metric.definition),
        Text(best),
        Text(_range(metric), number=True),
        _covered(name, by_group),
        Text(metric.reference),
        Text(str(metric.version), number=True),
    )


def _range(metric: Metric) -> str:
    return f"{metric.low:.3g} to {metric.high:.3g}".replace("inf", "∞").replace("-", MINUS)


def _covered(metric: str, by_group: bool) -> Text:
    whole = coverage.of_whole(metric)
    group = coverage.of_group(metric) if by_group else None
    under = f"group {_percent(group)}" if group else ""
    return Text(_percent(whole) if whole else NOTHING, under, number=True)


def _percent(covered: coverage.Coverage) -> str:
    return f"{covered.low:.1f} to {covered.high:.1f}"
