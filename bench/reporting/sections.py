"""The sections of the page in their order: one entry here and one template for each.

To add a section, write `reports/templates/<name>.html` and add one entry to `SECTIONS`. The page,
its navigation and its tests read this list.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import compress
from typing import Any, NamedTuple

from ..facts import FactTable
from . import (
    curves,
    definitions,
    further,
    groups,
    reliability_diagrams,
    search,
    search_charts,
    tables,
    trade_off,
)
from .answer import lines
from .certainty import test_size
from .comparison import comparison
from .crossing import crossings
from .drawing import Canvas
from .grids import Grid, Text
from .sheet import Sheet
from .wording import duration, long_date, marked, metric_words, printable, quantity

_GROUPS_NAMED = 6
"""At most so many groups are named with their size on the first screen."""

Values = Mapping[str, Any]
"""What a template reads, by name."""


class Material(NamedTuple):
    """What sections are made from."""

    sheet: Sheet
    baseline: Sheet | None
    """An older run to show beside this one."""
    canvas: Canvas
    """Collects the charts that were drawn."""


class Section(NamedTuple):
    """One entry of the page's list."""

    name: str
    """The name of its template, and its address on the page."""
    title: str
    """In the navigation; a value called "title" replaces it."""
    fill: Callable[[Material], Iterable[Values]]
    """Returns the template's values, once for each time that the section is shown.

    Nothing is returned where the run has nothing to show: the section is then left out.
    """


class Filled(NamedTuple):
    """A section with the values that its template reads."""

    template: str
    anchor: str
    title: str
    values: Values


def filled(material: Material) -> list[Filled]:
    """Return the sections that have something to show, in the page's order."""
    return [shown for section in SECTIONS for shown in _shown(section, material)]


def _shown(section: Section, material: Material) -> Iterator[Filled]:
    every = list(section.fill(material))
    for place, values in enumerate(every, start=1):
        anchor = section.name if len(every) == 1 else f"{section.name}-{place}"
        title = values.get("title", section.title)
        yield Filled(f"{section.name}.html", anchor, title, values)


def common(sheet: Sheet) -> Values:
    """Return the values that every template may read."""
    return {
        "facts": sheet.facts,
        "reference": printable(sheet.reference) if sheet.reference else "",
        "has_groups": bool(sheet.attributes),
        "two_forms": any(m.systematic_low is not None for m in sheet.means.values()),
        "one_seed": set(sheet.seeds.values()) == {1},
    }


def _answer(material: Material) -> Iterator[Values]:
    sheet = material.sheet
    yield {
        "lines": lines(sheet),
        "size": test_size(sheet),
        "group_sizes": _group_sizes(sheet),
        "cost": _cost_words(sheet),
        "date": long_date(sheet.facts.date),
        "amount": quantity(sheet.facts.currency or "", sheet.facts.amount),
        "commit": _short_commit(sheet.facts.commit),
        "seeds": max(sheet.seeds.values(), default=0),
    }


def _group_sizes(sheet: Sheet) -> list[tuple[str, str]]:
    """Return each attribute with the sizes of its groups in the test set, the largest first."""
    sizes = []
    for attribute in sheet.attributes:
        groups = sheet.group_sizes(attribute)
        if " × " not in attribute and groups:
            shown = [f"{printable(g)} {n:,}" for g, n in [*groups.items()][:_GROUPS_NAMED]]
            more = len(groups) - len(shown)
            sizes.append((attribute, ", ".join(shown) + (f" and {more} more" if more else "")))
    return sizes


def _cost_words(sheet: Sheet) -> str:
    """Return how long a cell took, the fastest and the slowest, and the most memory of any."""
    ledgers = [cell.ledger for cell in sheet.facts.cells if cell.ledger is not None]
    if not ledgers:
        return ""
    spent = [ledger.seconds for ledger in ledgers]
    seconds = [duration(min(spent)), duration(max(spent))]
    memory = quantity("_bytes", max(ledger.peak_memory_bytes for ledger in ledgers))
    return f"{' to '.join(dict.fromkeys(seconds))}, {memory} of memory"


def _short_commit(commit: str) -> str:
    """Return the first twelve digits, and whether the tree was changed."""
    digits, plus, changes = printable(commit).partition("+")
    return digits[:12] + plus + changes if commit else ""


def _comparison(material: Material) -> Iterator[Values]:
    sheet = material.sheet
    yield {
        "comparison": comparison(sheet),
        "crossings": crossings(sheet),
        "contrasts": tables.contrasts(sheet, family=True),
        "other_contrasts": tables.contrasts(sheet, family=False),
        "every_metric": tables.every_metric(sheet),
    }


def _baseline(material: Material) -> Iterator[Values]:
    if material.baseline:
        yield {"baseline": tables.old_beside_new(material.sheet, material.baseline)}


def _trade_off(material: Material) -> Iterator[Values]:
    if figure_sets := trade_off.trade_offs(material.sheet, material.canvas):
        yield {"figure_sets": figure_sets}


def _groups(material: Material) -> Iterator[Values]:
    figure_sets = groups.groups(material.sheet, material.canvas)
    left_out = tables.left_out(material.sheet)
    if figure_sets or left_out:
        yield {"figure_sets": figure_sets, "left_out": left_out}


def _calibration(material: Material) -> Iterator[Values]:
    if figure_sets := reliability_diagrams.calibration(material.sheet, material.canvas):
        yield {"figure_sets": figure_sets}


def _tuning(material: Material) -> Iterator[Values]:
    sheet, tuning = material.sheet, material.sheet.facts.tuning
    if tuning is None:
        return
    lines = search.curves_of(tuning).items()
    yield {
        "trials": max((t.trial for t in tuning.trials), default=0),
        "sampler": tuning.sampler,
        "rule": metric_words(tuning.rule),
        "curves": search_charts.trial_curves(sheet, tuning, material.canvas),
        "curve_tables": [
            (f"{marked(search.where_words(w), '', '')} over trials", search.curve_table(of))
            for w, of in lines
        ],
        "budgets": search_charts.budget_curves(sheet, tuning, material.canvas),
        "price": search.price(sheet),
        "options": list(search_charts.options(sheet, tuning, material.canvas)),
        "every": search.every_trial(tuning),
        "notes": [printable(note) for note in tuning.notes],
    }


def _cost(material: Material) -> Iterator[Values]:
    if cost := tables.cost(material.sheet):
        yield {
            "cost": cost,
            "curves": curves.learning_curves(material.sheet, material.canvas),
            "failures": tables.failures(material.sheet),
        }


def _further_audits(material: Material) -> Iterator[Values]:
    for figure_set in further.further(material.sheet, material.canvas):
        title = printable(metric_words(figure_set.title)).capitalize()
        yield {"title": title, "figure_set": figure_set}


def _data(material: Material) -> Iterator[Values]:
    if fact_tables := material.sheet.facts.data_audit:
        by_group = bool(material.sheet.attributes)
        yield {"grids": [_grid(table, by_group) for table in fact_tables]}


def _grid(table: FactTable, by_group: bool) -> Grid:
    """Return a table of facts, without its columns about groups where there are none."""
    chosen = [by_group or title not in ("attribute", "group") for title in table.columns]
    columns = tuple(compress(table.columns, chosen))
    rows = tuple(tuple(map(_fact_text, compress(row, chosen))) for row in table.rows)
    return Grid(columns, rows, (table.note,) if table.note else (), table.title)


def _fact_text(value: str | int | float) -> Text:
    if isinstance(value, str):
        return Text(printable(value))
    return Text(f"{value:,}" if isinstance(value, int) else f"{value:.3g}", number=True)


def _methods(material: Material) -> Iterator[Values]:
    yield {"definitions": definitions.definitions(material.sheet)}


SECTIONS = (
    Section("answer", "Answer", _answer),
    Section("comparison", "Comparison", _comparison),
    Section("baseline", "Baseline", _baseline),
    Section("trade-off", "Trade-off", _trade_off),
    Section("tuning", "Tuning", _tuning),
    Section("groups", "Groups", _groups),
    Section("calibration", "Calibration", _calibration),
    Section("cost", "Cost", _cost),
    Section("audit", "Further audits", _further_audits),
    Section("data", "Data", _data),
    Section("methods", "Methods", _methods),
)
