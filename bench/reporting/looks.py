"""The colour, the shape and the address of each strategy, the same everywhere on the page.

A colour here is the one of light mode; the style sheet replaces each in dark mode.
"""

from typing import NamedTuple

from .sheet import Sheet

INK, MUTED, RULE, BAND = "#1b1f24", "#59636e", "#d1d9e0", "#eceff2"
PALETTE = ("#0072b2", "#b54d00", "#007a5a", "#a8518a", "#8a6100", "#357391", "#7a4bb0")
"""Okabe and Ito's (2008) hues, darkened where needed to stand at 4.5:1 against white."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")


class Look(NamedTuple):
    """The colour and shape of one strategy, in every chart and table."""

    colour: str
    shape: str


def look(number: int) -> Look:
    """Return the look of a strategy by its number, as `palette_numbers` gives them."""
    if number == 0:
        return Look(INK, "circle")
    if number < 0:
        return Look(MUTED, SHAPES[-number % len(SHAPES)])
    step = number - 1
    return Look(PALETTE[step % len(PALETTE)], SHAPES[step % len(SHAPES)])


def palette_numbers(sheet: Sheet) -> dict[str, int]:
    """Return each strategy's number: 0 for the reference, below 0 for yardsticks."""
    numbers: dict[str, int] = {}
    trained, yardsticks = 0, 0
    for strategy in sheet.strategies:
        if strategy.label == sheet.reference:
            numbers[strategy.label] = 0
        elif strategy.yardstick:
            yardsticks += 1
            numbers[strategy.label] = -yardsticks
        else:
            trained += 1
            numbers[strategy.label] = trained
    return numbers


def looks(sheet: Sheet) -> dict[str, Look]:
    """Return each strategy's colour and shape."""
    return {label: look(number) for label, number in palette_numbers(sheet).items()}


def anchors(sheet: Sheet) -> dict[str, str]:
    """Return each strategy's id on the page; it is a number, so that any name is safe."""
    return {s.label: f"strategy-{i}" for i, s in enumerate(sheet.strategies, start=1)}
