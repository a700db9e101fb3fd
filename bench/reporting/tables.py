"""Tables without a chart: contrasts, every metric, groups left out of gaps, costs, failures."""

import math

from ..schema import Contrast, Ledger, Place
from .columns import headline
from .comparison import ordered
from .grids import Grid, Text, measurement_text, undefined_notes
from .sheet import Sheet
from .standing import detectable
from .wording import (
    NOTHING,
    aligned,
    decimals,
    fixed,
    interval,
    listed,
    metric_words,
    printable,
    quantity,
)


def contrasts(sheet: Sheet, *, family: bool) -> Grid:
    """Return the contrasts with the reference: those of the declared family, or all others.

    Only the declared family's p values are corrected.
    """
    chosen = [c for c in sheet.against.values() if (c.p_adjusted is not None) == family]
    chosen.sort(key=lambda c: c.group not in ("", "gap"))
    rows = tuple(_contrast_row(sheet, c) for c in chosen)
    reasons = dict.fromkeys(c.undefined for c in chosen if c.undefined)
    columns = (
        "strategy",
        "metric",
        "where",
        "difference",
        "adjusted p" if family else "p, uncorrected",
        "detectable",
        "verdict",
    )
    notes = [f"Undefined: {reason}." for reason in reasons]
    notes += dict.fromkeys(f"Not judged: {c.not_judged}." for c in chosen if c.not_judged)
    return Grid(columns, rows, tuple(notes))


def _contrast_row(sheet: Sheet, c: Contrast) -> tuple[Text, ...]:
    digits = decimals(c.low, c.high)
    p = c.p_adjusted if c.p_adjusted is not None else c.p_value
    return (
        Text(printable(c.strategy), name=True),
        Text(metric_words(c.metric) + (f", after {c.posthoc}" if c.posthoc else "")),
        Text(" · ".join(printable(x) for x in (c.attribute, c.group) if x) or "all"),
        Text(
            aligned(fixed(c.difference, digits, signed=True), digits),
            interval(c.low, c.high),
            number=True,
        ),
        Text(p_words(p), number=True),
        _detectable(sheet, c),
        Text(c.verdict, tone=tone(c)),
    )


def _detectable(sheet: Sheet, contrast: Contrast) -> Text:
    effect = detectable(sheet, contrast)
    if effect is None:
        return Text(NOTHING, number=True)
    if effect == math.inf:
        return Text("none", number=True, hint="no possible difference is large enough")
    return Text(fixed(effect, decimals(0, effect)), number=True)


def tone(contrast: Contrast) -> str:
    """Return "better" or "worse" where a contrast of the declared family shows it, else ""."""
    shown = contrast.p_adjusted is not None and contrast.verdict in ("better", "worse")
    return contrast.verdict if shown else ""


def p_words(p: float | None) -> str:
    """Return a p value with two or three decimals, or "< 0.001"."""
    if p is None or not math.isfinite(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"  # noqa: PLR2004


def every_metric(sheet: Sheet) -> Grid:
    """Return the whole test set's numbers and the gaps: a row a metric, a column a strategy."""
    keys = dict.fromkeys(
        m.place
        for m in sheet.means.values()
        if m.group in ("", "gap") and m.audit != "cost" and m.view == "original"
    )
    labels = [s.label for s in ordered(sheet) if s.label in sheet.seeds]
    rows = tuple(
        (Text(_row_words(key)), *(measurement_text(sheet.mean(label, *key)) for label in labels))
        for key in keys
    )
    named = [(_row_words(key), sheet.mean(label, *key)) for key in keys for label in labels]
    return Grid(("metric", *map(printable, labels)), rows, undefined_notes(named))


def _row_words(place: Place) -> str:
    words = metric_words(place.metric)
    words += f" by {printable(place.attribute)}" if place.attribute else ""
    return words + (f", after {place.posthoc}" if place.posthoc else "")


def old_beside_new(sheet: Sheet, old: Sheet) -> Grid:
    """Return the compared numbers of a baseline and of this run, side by side."""
    labels = dict.fromkeys([*old.seeds, *sheet.seeds])
    columns = headline(sheet)
    rows = []
    for label in labels:
        for axis in columns:
            before, now = old.mean(label, *axis.place), sheet.mean(label, *axis.place)
            if before is not None or now is not None:
                lead = (Text(printable(label), name=True), Text(axis.unmarked))
                rows.append((*lead, measurement_text(before), measurement_text(now)))
    return Grid(("strategy", "metric", "baseline", "now"), tuple(rows))


def left_out(sheet: Sheet) -> Grid | None:
    """Return the groups that take no part in gaps, with the reason; its metrics share one row."""
    metrics_of: dict[tuple[str, str, int, str], list[str]] = {}
    for x in sheet.results.left_out:
        reason, _, metric = x.reason.partition(": left out of ")
        metrics_of.setdefault((x.attribute, x.group, x.n, reason), []).append(metric_words(metric))
    rows = tuple(
        (
            Text(printable(attribute), name=True),
            Text(printable(group), name=True),
            Text(f"{n:,}", number=True),
            Text(reason),
            Text(listed(sorted(set(metrics) - {""})) or "every gap"),
        )
        for (attribute, group, n, reason), metrics in metrics_of.items()
    )
    return Grid(("attribute", "group", "n", "reason", "left out of"), rows) if rows else None


SPENT = (
    "flops",
    "tokens",
    "padded_tokens",
    "examples",
    "steps",
    "seconds",
    "peak_memory_bytes",
    "trainable_parameters",
    "stored_bytes",
    "energy_joules",
    "rows_at_a_time",
)


def cost(sheet: Sheet) -> Grid | None:
    """Return what each cell spent in every currency, and which checkpoint made the predictions."""
    cells = sheet.facts.cells
    if not cells:
        return None
    ledgers = [c.ledger for c in cells if c.ledger is not None]
    columns = [c for c in SPENT if any(getattr(x, c) is not None for x in ledgers)]
    selected = any(x.kept_because for x in ledgers)
    rows = tuple(
        (
            Text(printable(c.strategy), name=True),
            Text(str(c.seed), number=True),
            Text(c.status, tone="worse" if c.status == "failed" else ""),
            *(
                Text(quantity(x, getattr(c.ledger, x)) if c.ledger else NOTHING, number=True)
                for x in columns
            ),
            *([_checkpoint(c.ledger)] if selected else []),
        )
        for c in cells
    )
    titles = (metric_words(c.removesuffix("_bytes").removesuffix("_joules")) for c in columns)
    checkpoint = ("weights kept at",) if selected else ()
    return Grid(("strategy", "seed", "status", *titles, *checkpoint), rows)


def _checkpoint(ledger: Ledger | None) -> Text:
    """Return the fraction of the budget at which the predicting weights were saved, and why."""
    if ledger is None:
        return Text(NOTHING)
    return Text(f"{ledger.kept_fraction:.0%} of budget", ledger.kept_because.replace("_", " "))


def failures(sheet: Sheet) -> Grid | None:
    """Return the cells without a result, each with its reason."""
    rows = tuple(
        (
            Text(printable(c.strategy), name=True),
            Text(str(c.seed), number=True),
            Text(c.status),
            Text(printable(c.reason)),
        )
        for c in sheet.facts.cells
        if c.status != "finished"
    )
    return Grid(("strategy", "seed", "status", "reason"), rows) if rows else None
