"""The audit of the data as tables that a report can print."""

import math
from collections.abc import Mapping

from bench.data_audit import MOST_COMPARED, SPLITS, Count, DataAudit
from bench.facts import Table

_BINARY = 2
_NOTHING = "–"


def tables(audit: DataAudit) -> tuple[Table, ...]:
    """Return one table for each question that the audit answers."""
    made = [_examples(audit), _copies(audit), _lengths(audit), _missing(audit)]
    if len(audit.classes) == _BINARY:
        made.insert(1, _base_rates(audit))
    if audit.associations:
        made.append(_associations(audit))
    if any(w.n for w in audit.weights):
        made.append(_weights(audit))
    return tuple(made)


def _examples(audit: DataAudit) -> Table:
    rows: list[tuple[str | int, ...]] = [
        (attribute, group, label, *(by_split[split].by_class[number] for split in SPLITS))
        for (attribute, group), by_split in _by_part(audit).items()
        for number, label in enumerate(audit.classes)
    ]
    return Table("Examples", ("attribute", "group", "label", *SPLITS), tuple(rows))


def _base_rates(audit: DataAudit) -> Table:
    rows = [
        (attribute, group, *(_rate(by_split[split]) for split in SPLITS))
        for (attribute, group), by_split in _by_part(audit).items()
    ]
    return Table(
        f"Base rates: the share of “{audit.classes[1]}”",
        ("attribute", "group", *SPLITS),
        tuple(rows),
        "With 95 % Wilson intervals. Where base rates differ, even a perfect classifier selects "
        "some groups more often than others.",
    )


def _copies(audit: DataAudit) -> Table:
    rows = [
        (
            c.split,
            c.other if c.other != c.split else "itself, again",
            c.n,
            c.identical,
            c.contradicting,
            _NOTHING if c.near is None else c.near,
        )
        for c in audit.copies
    ]
    columns = ("of", "also in", "examples", "identical", "…with another label", "near-duplicates")
    return Table(
        "Copies across and within splits",
        columns,
        tuple(rows),
        "Near-duplicates: word sets with a Jaccard index of 0.6, word trigrams of 0.4, or 0.8 of "
        "the shorter text's trigrams, and chains of these; paraphrases are not found. "
        f"Not looked for in more than {MOST_COMPARED:,} rows.",
    )


def _lengths(audit: DataAudit) -> Table:
    rows = [
        (x.unit, *_named(x.attribute, x.group), x.mean, x.median, x.p95, x.longest)
        for x in audit.lengths
    ]
    columns = ("unit", "attribute", "group", "mean", "median", "95th percentile", "longest")
    return Table("Length of the texts", columns, tuple(rows))


def _missing(audit: DataAudit) -> Table:
    rows = [(x.column, x.n, _percent(x.share)) for x in audit.missing]
    return Table("Missing values", ("column", "examples", "share"), tuple(rows))


def _associations(audit: DataAudit) -> Table:
    rows = [
        (
            a.attribute,
            a.n,
            a.strength.undefined or f"{a.strength.value:.3f}",
            _NOTHING if a.strength.undefined else f"{a.strength.low:.3f} to {a.strength.high:.3f}",
            _NOTHING if a.strength.undefined else f"{a.strength.corrected:.3f}",
        )
        for a in audit.associations
    ]
    return Table(
        "What a group says about the label: Cramér's V",
        ("attribute", "examples", "V", "95 % interval", "corrected for bias"),
        tuple(rows),
        "0: nothing; 1: everything. Interval by the noncentral χ² distribution (Steiger 2004), "
        "correction by Bergsma (2013).",
    )


def _weights(audit: DataAudit) -> Table:
    rows = [
        (*_named(w.attribute, w.group), w.label, w.n, f"{w.weight:.2f}" if w.n else _NOTHING)
        for w in audit.weights
    ]
    used = [w.weight for w in audit.weights if w.n]
    return Table(
        "What reweighing would do",
        ("attribute", "group", "label", "training examples", "weight"),
        tuple(rows),
        f"P(group) P(label) / P(group, label), Kamiran & Calders (2012): "
        f"{min(used):.2f} to {max(used):.2f}. A large weight lets few examples speak for many.",
    )


def _by_part(audit: DataAudit) -> Mapping[tuple[str, str], Mapping[str, Count]]:
    """Return the counts of each part of the data by split, in words."""
    parts: dict[tuple[str, str], dict[str, Count]] = {}
    for count in audit.counts:
        name = _named(count.attribute, count.group)
        parts.setdefault(name, {})[count.split] = count
    return parts


def _named(attribute: str, group: str) -> tuple[str, str]:
    """Return attribute and group in words: all examples, or those not annotated."""
    if not attribute:
        return _NOTHING, "all"
    return attribute, group or "not annotated"


def _rate(count: Count) -> str:
    if math.isnan(count.base_rate):
        return _NOTHING
    return f"{count.base_rate:.3f} ({count.low:.3f} to {count.high:.3f})"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
