"""How each strategy is drawn and found, the same everywhere on the page.

Colours are named by their light-mode value; the style sheet maps each to its dark-mode one.
"""

from typing import NamedTuple

from .sheet import Sheet

INK, MUTED, RULE, BAND = "#1b1f24", "#59636e", "#d1d9e0", "#eceff2"
PALETTE = ("#0072b2", "#b54d00", "#007a5a", "#a8518a", "#8a6100", "#357391", "#7a4bb0")
"""Okabe and Ito's (2008) hues, darkened where needed to stand at 4.5:1 against white."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")


class Look(NamedTuple):
    """How one strategy is drawn everywhere."""

    colour: str
    shape: str


def look(place: int) -> Look:
    """Return the look of the strategy in that place: 0 the reference, negative a yardstick."""
    if place == 0:
        return Look(INK, "circle")
    if place < 0:
        return Look(MUTED, SHAPES[-place % len(SHAPES)])
    step = place - 1
    return Look(PALETTE[step % len(PALETTE)], SHAPES[step % len(SHAPES)])


def places(sheet: Sheet) -> dict[str, int]:
    """Return each strategy's place in the palette: 0 the reference, negative the yardsticks."""
    found: dict[str, int] = {}
    forward, backward = 0, 0
    for strategy in sheet.strategies:
        if strategy.label == sheet.reference:
            found[strategy.label] = 0
        elif strategy.yardstick:
            backward -= 1
            found[strategy.label] = backward
        else:
            forward += 1
            found[strategy.label] = forward
    return found


def looks(sheet: Sheet) -> dict[str, Look]:
    """Return how each strategy is drawn."""
    return {label: look(place) for label, place in places(sheet).items()}


def anchors(sheet: Sheet) -> dict[str, str]:
    """Return each strategy's id on the page, which no name can spoil."""
    return {s.label: f"strategy-{i}" for i, s in enumerate(sheet.strategies, start=1)}
