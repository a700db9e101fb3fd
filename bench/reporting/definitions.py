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
    "known: in the worst setting and in the best, for the whole test set or the gap, and for the "
    "smallest group. A dash: not simulated."
)


def definitions(sheet: Sheet) -> Grid | None:
    """Return the definitions of the metrics that were used."""
    used = {m.metric for m in sheet.means.values()}
    known = sheet.results.definitions
    rows = tuple(_row(name, metric) for name, metric in known.items() if name in used)
    return Grid(COLUMNS, rows, (COVERED,)) if rows else None


def _row(name: str, metric: Metric) -> tuple[Text, ...]:
    best = {"neither": "", "zero": "best 0", "one": "best 1"}.get(metric.better, metric.better)
    return (
        Text(metric_words(name)),
        Text(metric.definition),
        Text(best),
        Text(_range(metric), number=True),
        _covered(name),
        Text(metric.reference),
        Text(str(metric.version), number=True),
    )


def _range(metric: Metric) -> str:
    return f"{metric.low:.3g} to {metric.high:.3g}".replace("inf", "∞").replace("-", MINUS)


def _covered(metric: str) -> Text:
    whole, group = coverage.of_whole(metric), coverage.of_group(metric)
    under = f"group {_percent(group)}" if group else ""
    return Text(_percent(whole) if whole else NOTHING, under, number=True)


def _percent(covered: coverage.Coverage) -> str:
    return f"{covered.low:.1f} to {covered.high:.1f}"
