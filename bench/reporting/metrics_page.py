"""Writes docs/metrics.md, the page of all metrics, from the declarations of the audits."""

import sys
from collections.abc import Iterator, Sequence

from ..audit import Audit, shipped
from ..schema import Metric

_HEAD = """# Metrics

Written by `python -m tunefair.reporting.metrics_page` from the declarations in `bench/audits`; a
test keeps it current. Every number names its direction, range, reference, definition and version.
Undefined is NaN with a reason, never a stand-in. How sure each is, and how that was checked:
[uncertainty](uncertainty.md).

`better` is the best value or direction; *neither* marks a fact, not a merit. For a metric that
should be high, `floor_p95` is the 5th percentile without disparity: the end that looks like one.
"""
_COLUMNS = ("metric", "better", "range", "definition", "reference", "version")


def page() -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(
        line for name, audit in shipped().items() for line in _audit(name, audit)
    )


def _audit(name: str, audit: Audit) -> Iterator[str]:
    about = sys.modules[type(audit).__module__].__doc__ or ""
    yield f"\n## {name}\n\n{about.strip()}\n\n"
    yield _line(_COLUMNS)
    yield _line(["---"] * len(_COLUMNS))
    for metric, declared in audit.metrics.items():
        yield _row(metric, declared)
    if audit.deviations:
        yield "\nWhere this deviates from the libraries of the field, and why:\n\n"
        yield from (f"- `{metric}`: {text}\n" for metric, text in audit.deviations.items())


def _row(name: str, metric: Metric) -> str:
    span = f"{metric.low:g} to {metric.high:g}"
    about = (metric.definition, metric.reference, str(metric.version))
    return _line((f"`{name}`", metric.better, span, *about))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - this is its job
