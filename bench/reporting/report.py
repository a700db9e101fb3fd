"""Turns results and facts into a page, a summary and a terminal table; computes no number."""

import json
from typing import Any

from rich.console import RenderableType

from ..facts import RunFacts
from ..schema import Results, json_value
from ..statistics import coverage
from . import pull_request
from . import terminal as console
from .sheet import sheet


def render(results: Results, facts: RunFacts, baseline: Results | None = None) -> str:
    """Return the report as one self-contained HTML page; `baseline` is shown beside it."""
    from .page import page  # charts are slow to load, and only a page needs them

    old = None if baseline is None else sheet(baseline, facts)
    return page(sheet(results, facts), old)


def markdown(results: Results, facts: RunFacts, baseline: Results | None = None) -> str:
    """Return a summary that fits a pull request, in GitHub's Markdown."""
    return pull_request.summary(
        sheet(results, facts), None if baseline is None else sheet(baseline, facts)
    )


def terminal(results: Results, facts: RunFacts) -> RenderableType:
    """Return the comparison for a rich console, in the page's words."""
    return console.terminal(sheet(results, facts))


def as_json(results: Results, facts: RunFacts) -> str:
    """Return all numbers as JSON text, the content of `report.json`; NaN becomes null."""
    content = {"facts": facts, "results": results, "coverage": _covered(results)}
    return json.dumps(
        json_value(content),
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
    )


def _covered(results: Results) -> dict[str, Any]:
    """Return metric -> how often its 95 % intervals covered in simulations, in %."""
    return {
        metric: {"whole": coverage.of_whole(metric), "smallest_group": coverage.of_group(metric)}
        for metric in results.definitions
    }
