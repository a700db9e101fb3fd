"""Learning curves over the fraction of the budget."""

import math
from collections.abc import Sequence
from typing import Any

from ..schema import CurvePoint
from . import charts
from .drawing import Canvas
from .panels import FigureSet, drawn_strategies, headings, limit_notes
from .sheet import Sheet


def learning_curves(sheet: Sheet, canvas: Canvas) -> FigureSet | None:
    """Return training loss over the fraction of the budget: a chart a strategy, a line a seed."""
    cells = [c for c in sheet.facts.cells if c.curve and c.strategy in drawn_strategies(sheet)]
    losses = [p.loss for c in cells for p in c.curve if math.isfinite(p.loss)]
    if not losses:
        return None
    spec = charts.learning_curves(min(0.0, min(losses)), max(losses) * 1.02)
    figures = tuple(
        canvas.draw(
            "learning-curves",
            spec,
            [
                row | {"colour": head["colour"]}
                for c in cells
                if c.strategy == label
                for row in _curve(c.seed, c.curve)
            ],
            alternative=f"Training loss of {head['title']} over the budget, a line a seed.",
            **head,
        )
        for label, head in ((label, headings(sheet)[label]) for label in drawn_strategies(sheet))
        if any(c.strategy == label for c in cells)
    )
    return FigureSet("", figures, (), limit_notes(sheet))


def _curve(seed: int, points: Sequence[CurvePoint], most: int = 60) -> list[dict[str, Any]]:
    """Return about `most` points of a curve, the last one included."""
    stride = max(1, math.ceil(len(points) / most))
    thinned = [p for i, p in enumerate(points) if i % stride == 0 or i == len(points) - 1]
    return [
        {"x": round(p.fraction, 3), "y": round(p.loss, 4), "seed": seed, "step": p.step}
        for p in thinned
        if math.isfinite(p.loss)
    ]
