"""Results and facts to a page, a summary and a terminal table; no number is computed here."""

from rich.console import RenderableType

from bench.facts import RunFacts
from bench.schema import Results


def render(results: Results, facts: RunFacts, baseline: Results | None = None) -> str:
    """Return the report as one self-contained HTML page; `baseline` is shown beside it."""
    raise NotImplementedError


def markdown(results: Results, facts: RunFacts, baseline: Results | None = None) -> str:
    """Return a summary that fits a pull request, in GitHub's Markdown."""
    raise NotImplementedError


def terminal(results: Results, facts: RunFacts) -> RenderableType:
    """Return the comparison for a rich console, in the page's words."""
    raise NotImplementedError


def numbers(results: Results, facts: RunFacts) -> str:
    """Return all numbers as JSON text: what `report.json` holds; NaN becomes null."""
    raise NotImplementedError
