"""The comparison: one row a strategy, grouped by the choices that strategies make."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.facts import StrategyFacts
from bench.reporting.cells import Text, undefined_notes
from bench.reporting.columns import Cell, Column, cell, column, headline
from bench.reporting.looks import Look, anchors, looks
from bench.reporting.sheet import Sheet
from bench.reporting.wording import NOTHING, metric_words, plain, quantity

CHOICES = {
    "adapt": "what is trained",
    "sampling_weights": "what is seen",
    "objective": "what is minimised",
    "revise": "what is revised",
}


class Line(NamedTuple):
    """One strategy's row."""

    name: str
    id: str
    look: Look
    reference: bool
    options: str
    choice: str
    groups_read: str
    seeds: int
    status: str
    cells: tuple[Cell, ...]
    cost: Text
    cost_order: float


class Block(NamedTuple):
    """The strategies that make the same choices."""

    title: str
    lines: tuple[Line, ...]


class Comparison(NamedTuple):
    """The whole table."""

    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    cost_title: str
    notes: tuple[str, ...]


def comparison(sheet: Sheet) -> Comparison:
    """Return the comparison table."""
    columns = tuple(column(sheet, axis) for axis in headline(sheet))
    lines = [(_choice(s), _line(sheet, s, columns)) for s in ordered(sheet)]
    titles = dict.fromkeys(title for title, _ in lines)
    blocks = tuple(Block(t, tuple(x for title, x in lines if title == t)) for t in titles)
    undefined = [
        (
            f"{plain(s.label)} {c.axis.plain}",
            sheet.mean(s.label, *c.axis.place),
        )
        for s in sheet.measured()
        for c in columns
    ]
    return Comparison(columns, blocks, _cost_title(sheet), undefined_notes(undefined))


def ordered(sheet: Sheet) -> list[StrategyFacts]:
    """Return the reference, then by the choices that strategies make, then the yardsticks."""
    trained = [s for s in sheet.strategies if not s.yardstick]
    first = [s for s in trained if s.label == sheet.reference]
    rest = [s for s in trained if s.label != sheet.reference]
    rest.sort(key=lambda s: (len(s.choices), sorted(map(list(CHOICES).index, s.choices))))
    return [*first, *rest, *(s for s in sheet.strategies if s.yardstick)]


def _choice(strategy: StrategyFacts) -> str:
    if strategy.yardstick:
        return "Yardsticks, without fine-tuning"
    made = [words for choice, words in CHOICES.items() if choice in strategy.choices]
    if not made:
        return "Nothing changed"
    return "Changes " + " and ".join(made)


def _line(sheet: Sheet, strategy: StrategyFacts, columns: Sequence[Column]) -> Line:
    label = strategy.label
    cost = _cost(sheet, label)
    return Line(
        name=plain(label),
        id=anchors(sheet)[label],
        look=looks(sheet)[label],
        reference=label == sheet.reference,
        options=strategy.options,
        choice=_choice(strategy),
        groups_read=" and ".join(sorted(strategy.needs_groups_in, reverse=True)) or NOTHING,
        seeds=sheet.seeds.get(label, 0),
        status=_status(sheet, label),
        cells=tuple(cell(sheet, label, c) for c in columns),
        cost=Text(quantity(_currency(sheet), cost), number=True),
        cost_order=cost if math.isfinite(cost) else -1.0,
    )


def _status(sheet: Sheet, label: str) -> str:
    cells = [c for c in sheet.facts.cells if c.strategy == label]
    failed = sum(c.status == "failed" for c in cells)
    missing = sum(c.status == "missing" for c in cells)
    parts = [f"{failed} of {len(cells)} failed"] if failed else []
    parts += [f"{missing} of {len(cells)} not finished"] if missing else []
    return ", ".join(parts)


def _currency(sheet: Sheet) -> str:
    return sheet.facts.currency or "flops"


def _cost_title(sheet: Sheet) -> str:
    return f"spent ({metric_words(_currency(sheet))})" if sheet.facts.currency else "cost"


def _cost(sheet: Sheet, label: str) -> float:
    m = sheet.mean(label, _currency(sheet))
    return m.value if m is not None else math.nan
