"""The comparison table: one row for each strategy, grouped by what the strategy changes."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .. import yardsticks
from ..facts import StrategyFacts
from .columns import Column, Entry, column, entry, headline
from .grids import undefined_notes
from .looks import Look, anchors, looks
from .sheet import Sheet
from .wording import NOTHING, metric_words, printable, quantity

CHOICES = {
    "adapt": "what is trained",
    "sampling_weights": "what is seen",
    "objective": "what is minimised",
    "revise": "what is revised",
}


class Fact(NamedTuple):
    """Something known of a strategy besides its predictions: its cost, where it reads groups."""

    text: str
    order: str
    """The page's script sorts by it."""


class Line(NamedTuple):
    """One strategy's row."""

    name: str
    id: str
    look: Look
    reference: bool
    options: str
    status: str
    """In words, how many of its cells have no result."""
    entries: tuple[Entry, ...]
    facts: tuple[Fact, ...]
    """One for each title in `Comparison.facts`."""


class Block(NamedTuple):
    """The strategies that change the same."""

    title: str
    lines: tuple[Line, ...]


class Comparison(NamedTuple):
    """The comparison table."""

    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    facts: tuple[str, ...]
    """Titles of the columns that were not measured on predictions."""
    notes: tuple[str, ...]


def comparison(sheet: Sheet) -> Comparison:
    """Return the comparison table."""
    columns = tuple(column(sheet, axis) for axis in headline(sheet))
    lines = [(_choice(sheet, s), _line(sheet, s, columns)) for s in ordered(sheet)]
    titles = dict.fromkeys(title for title, _ in lines)
    blocks = tuple(Block(t, tuple(x for title, x in lines if title == t)) for t in titles)
    undefined = [
        (f"{printable(s.label)} {c.axis.unmarked}", sheet.mean(s.label, *c.axis.place))
        for s in sheet.measured_strategies()
        for c in columns
    ]
    return Comparison(columns, blocks, tuple(_facts(sheet)), undefined_notes(undefined))


def ordered(sheet: Sheet) -> list[StrategyFacts]:
    """Return the reference, then the others by what they change, then the yardsticks."""
    trained = [s for s in sheet.strategies if not s.yardstick]
    first = [s for s in trained if s.label == sheet.reference]
    rest = [s for s in trained if s.label != sheet.reference]
    rest.sort(key=lambda s: (len(s.choices), sorted(map(list(CHOICES).index, s.choices))))
    return [*first, *rest, *(s for s in sheet.strategies if s.yardstick)]


def _choice(sheet: Sheet, strategy: StrategyFacts) -> str:
    if not sheet.facts.cells:  # no model was trained here
        return "Predictions as given"
    if strategy.yardstick:
        return "Yardsticks, without fine-tuning"
    changes = [words for choice, words in CHOICES.items() if choice in strategy.choices]
    if not changes:
        return "Nothing changed"
    return "Changes " + " and ".join(changes)


def _line(sheet: Sheet, strategy: StrategyFacts, columns: Sequence[Column]) -> Line:
    label = strategy.label
    return Line(
        name=printable(label),
        id=anchors(sheet)[label],
        look=looks(sheet)[label],
        reference=label == sheet.reference,
        options=_explained(strategy),
        status=_status(sheet, label),
        entries=tuple(entry(sheet, label, c) for c in columns),
        facts=tuple(_facts(sheet)[title](strategy) for title in _facts(sheet)),
    )


def _explained(strategy: StrategyFacts) -> str:
    """Return a strategy's options, or what a yardstick predicts."""
    if not strategy.yardstick:
        return strategy.options
    explained = yardsticks.EXPLAINED
    if "inference" in strategy.needs_groups_in:
        explained = explained | yardsticks.EXPLAINED_BY_GROUP
    return explained.get(strategy.use, "")


def _status(sheet: Sheet, label: str) -> str:
    cells = [c for c in sheet.facts.cells if c.strategy == label]
    failed = sum(c.status == "failed" for c in cells)
    missing = sum(c.status == "missing" for c in cells)
    parts = [f"{failed} of {len(cells)} failed"] if failed else []
    parts += [f"{missing} of {len(cells)} not finished"] if missing else []
    return ", ".join(parts)


def _facts(sheet: Sheet) -> dict[str, Callable[[StrategyFacts], Fact]]:
    """Return column title -> the function that returns one strategy's fact."""
    columns: dict[str, Callable[[StrategyFacts], Fact]] = {}
    currency = sheet.facts.currency or "flops"
    if any(sheet.mean(s.label, currency) for s in sheet.strategies):
        columns[f"spent ({metric_words(currency)})"] = lambda s: _cost(sheet, s, currency)
    if sheet.facts.cells and sheet.attributes:
        columns["reads groups in"] = _reads
    return columns


def _cost(sheet: Sheet, strategy: StrategyFacts, currency: str) -> Fact:
    m = sheet.mean(strategy.label, currency)
    if m is None or not math.isfinite(m.value):
        return Fact(NOTHING, "-Infinity")
    return Fact(quantity(currency, m.value), f"{m.value:.9g}")


def _reads(strategy: StrategyFacts) -> Fact:
    stages = ("train", "validation", "inference")
    text = " and ".join(p for p in stages if p in strategy.needs_groups_in) or NOTHING
    return Fact(text, str(len(strategy.needs_groups_in)))
