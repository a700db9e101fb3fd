"""Tables for the terminal: what a suite can name, what is planned and finished, plain facts."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich.markup import escape
from rich.table import Column, Table

from .. import facts, plugins, suite
from ..schema import BadInputError

_MOST_CELLS = 200
"""More than these are counted by strategy."""


class CellRow(NamedTuple):
    """A planned cell and what becomes of it."""

    label: str
    seed: int
    id: str
    state: str
    """"finished", "to be trained", "to be trained again", or "not needed" of a first stage."""


KINDS = ("strategies", "audits", "suites", "tasks")


def table(kind: str) -> Table:
    """Return everything of one kind with what a chooser wants to know."""
    if kind not in KINDS:
        raise BadInputError(f"list {kind}: there are: {', '.join(KINDS)}")
    return {
        "strategies": _strategies,
        "audits": _audits,
        "suites": _suites,
        "tasks": _tasks,
    }[kind]()


def facts_table(table: facts.FactTable) -> Table:
    """Return a table of plain facts for the terminal, numbers to the right."""
    shown = Table(title=table.title, caption=escape(table.note) or None, title_justify="left")
    for number, name in enumerate(table.columns):
        figures = all(isinstance(row[number], int | float) for row in table.rows)
        shown.add_column(escape(name), justify="right" if figures else "left")
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def cells_table(cells: Sequence[CellRow], title: str) -> Table:
    """Return what is finished: a row a cell, or a row a strategy where those are too many."""
    if len(cells) <= _MOST_CELLS:
        shown = Table("strategy", "seed", "cell", "state", title=title)
        for cell in cells:
            shown.add_row(escape(cell.label), str(cell.seed), cell.id, cell.state)
        return shown
    shown = Table("strategy", "cells", "finished", "to be trained", title=title)
    total = Counter(cell.label for cell in cells)
    done = Counter(cell.label for cell in cells if cell.state == "finished")
    for label, number in total.items():
        counts = (number, done[label], number - done[label])
        shown.add_row(escape(label), *map(str, counts))
    return shown


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return escape(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _strategies() -> Table:
    from ..planning import compose

    shown = Table("strategy", "what it does", "chooses", "reads groups in", "options")
    shown.columns[0].no_wrap = True
    for name in plugins.names(compose.PACKAGE):
        kind = compose.find(name)
        chooses = ", ".join(sorted(compose.claims(kind())))
        groups = ", ".join(sorted(kind().needs_groups_in))
        options = "\n".join(plugins.options_of(kind))
        about = plugins.summary(compose.PACKAGE, name)
        shown.add_row(*map(escape, (name, about, chooses, groups, options)))
    return shown


def _audits() -> Table:
    from ..audit import PACKAGE, shipped

    common = suite.AuditChoice.model_fields.items()
    options = [f"{name} = {f.default!r}" for name, f in common if name not in ("audits", "pairs")]
    shown = Table(
        "audit",
        "what it measures",
        "by default",
        "needs",
        Column("metrics", overflow="fold"),
        caption=escape(f"options of all, in [audit]: {', '.join(options)}"),
        caption_justify="left",
    )
    for name, kind in shipped().items():
        about = plugins.summary(PACKAGE, name)
        default = "on" if kind.on_by_default else "off"
        shown.add_row(name, about, default, ", ".join(sorted(kind.needs)), ", ".join(kind.metrics))
    return shown


def _suites() -> Table:
    shown = Table("suite", "what it compares", "strategies", "budget of a cell")
    for path in sorted(suite.SUITES.glob("*.toml")):
        record = suite.read(path)
        strategies = ", ".join(record.strategies)
        shown.add_row(path.stem, record.description, strategies, record.budget.words)
    return shown


def _tasks() -> Table:
    from .. import task

    shown = Table("task", "where its rows come from", "options")
    for name in plugins.names(task.PACKAGE):
        kind = plugins.find(task.PACKAGE, name, task.TaskSource)
        options = "\n".join(plugins.options_of(kind, without=[task.FOLDER]))
        shown.add_row(*map(escape, (name, plugins.summary(task.PACKAGE, name), options)))
    return shown
