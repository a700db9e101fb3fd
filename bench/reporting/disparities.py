"""Which groups are treated differently, by which definition, and on how many examples.

That one gap is within chance is no all-clear: other gaps and the four-fifths rule stand beside it.
"""

import math
from collections.abc import Iterator, Sequence

from ..schema import Measurement
from .sentence import Sentence, names
from .sheet import Sheet
from .standing import Axis, Standings, answers_alike, axes, collapsed
from .wording import both_intervals, decimals, estimate, fixed, listed, metric_words, quoted

FOUR_FIFTHS = 0.8
""""A selection rate under four fifths of the highest": Uniform Guidelines (1978), 29 CFR 1607."""
RATES = ("true_positive_rate", "false_positive_rate")
"""The rates that equalized odds compares."""
_LISTED = 3
"""At most so many groups or gaps are listed in a sentence."""


def disparities(sheet: Sheet, field: Standings) -> Iterator[Sentence]:
    """Say how groups fare under the strategy to ship and under the reference."""
    gaps = axes(sheet)[1:]
    if not gaps:
        return
    for label in _subjects(sheet, field):
        if parts := [part for axis in gaps if (part := _extremes(sheet, label, axis))]:
            yield Sentence("evidence", f"Groups under {quoted(label)}: {'; '.join(parts)}.")
        if flags := [flag for axis in gaps for flag in _flags(sheet, label, axis)]:
            text = (
                f"Under {quoted(label)}, the four-fifths rule flags {_some(flags)} as often as "
                "the most selected group."
            )
            yield Sentence("caution", text)
    yield from _within_chance(sheet, gaps)
    metric = sheet.results.definitions.get(gaps[0].metric)
    if metric is not None:
        text = f"Definition of {gaps[0].title}: {metric.definition.rstrip('.')}."
        yield Sentence("evidence", text)


def _subjects(sheet: Sheet, field: Standings) -> list[str]:
    """Return the strategies that a reader may ship: the best, then the reference, at most two."""
    labels = [s.label for s in (*field.winners, *field.traders)][:1]
    measured = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    labels += [sheet.reference] if sheet.reference in measured else measured
    return [label for label in dict.fromkeys(labels) if label not in collapsed(sheet)][:2]


def _extremes(sheet: Sheet, label: str, axis: Axis) -> str:
    """Return a gap, the rate that differs most, and the group with the lowest accuracy."""
    gap = sheet.mean(label, *axis.place)
    if gap is None or not math.isfinite(gap.value):
        return ""
    between = both_intervals(gap)
    text = f"{axis.words} {estimate(gap)}" + (f" ({between})" if between else "")
    pairs = [
        (low, high) for rate in RATES for low, high in _lowest_highest(sheet, label, axis, rate)
    ]
    if pairs:
        low, high = max(pairs, key=lambda pair: pair[1].value - pair[0].value)
        mean = "mean " if sheet.seeds[label] > 1 else ""
        text += f", {mean}{metric_words(low.metric)} {_of(low)} to {_of(high)}"
    worst = [low for low, _ in _lowest_highest(sheet, label, axis, "accuracy")]
    return text + (f", lowest accuracy {_of(worst[0])}" if worst else "")


def _lowest_highest(
    sheet: Sheet, label: str, axis: Axis, metric: str
) -> Iterator[tuple[Measurement, Measurement]]:
    """Yield the groups with the lowest and the highest rate, among those that gaps compare."""
    out = {(x.attribute, x.group) for x in sheet.results.left_out}
    means = [
        m
        for group in sheet.groups(axis.attribute)
        if (axis.attribute, group) not in out
        and (m := sheet.mean(label, metric, axis.attribute, group)) is not None
        and math.isfinite(m.value)
    ]
    if len(means) > 1:
        ordered = sorted(means, key=lambda m: m.value)
        yield ordered[0], ordered[-1]


def _of(m: Measurement) -> str:
    return f"{estimate(m)} for {quoted(m.group)} (n = {m.n:,})"


def _flags(sheet: Sheet, label: str, axis: Axis) -> list[str]:
    """Return the groups that the four-fifths rule flags, the lowest ratio first."""
    by = axis.attribute
    ratios = [sheet.mean(label, "impact_ratio", by, group) for group in sheet.groups(by)]
    under = [m for m in ratios if m is not None and m.value < FOUR_FIFTHS]
    return [
        f"{quoted(m.group)}{_by(axis)}, selected {_ratio(m)} times"
        for m in sorted(under, key=lambda m: m.value)
    ]


def _ratio(m: Measurement) -> str:
    return fixed(m.value, max(decimals(m.low, m.high), 2))  # 0.79 is not to be read as 0.8


def _some(items: Sequence[str]) -> str:
    more = len(items) - _LISTED
    return "; ".join(items[:_LISTED]) + (f"; and {more} more" if more > 0 else "")


def _within_chance(sheet: Sheet, gaps: Sequence[Axis]) -> Iterator[Sentence]:
    """Say whose gap is no larger than chance makes, and which other measures show a disparity."""
    under = [
        (strategy.label, axis, m)
        for axis in gaps
        for strategy in sheet.measured_strategies()
        if not strategy.yardstick and strategy.label not in collapsed(sheet)
        if not answers_alike(sheet, strategy.label)
        if (m := sheet.mean(strategy.label, *axis.place)) is not None and _is_within(m)
    ]
    if not under:
        return
    each = [f"{quoted(label)}{_by(axis)} ({_against_floor(m)})" for label, axis, m in under]
    verb = "lies" if len(under) == 1 else "lie"
    text = (
        f"The {under[0][1].title} of {listed(each)} {verb} within what groups of these sizes show "
        "by chance: no disparity is shown in this gap."
    )
    others = _other_measures(sheet, [(label, axis) for label, axis, _ in under])
    text += f" Other measures do show one: {'; '.join(others)}." if others else ""
    yield Sentence("caution", text)


def _other_measures(sheet: Sheet, pairs: Sequence[tuple[str, Axis]]) -> list[str]:
    """Return each measure that shows a disparity, with the attributes and strategies."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, axis in pairs:
        for measure, attribute in _other(sheet, label, axis):
            labels.setdefault((measure, attribute), []).append(label)
    attributes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (measure, attribute), those in labels.items():
        attributes.setdefault((measure, tuple(dict.fromkeys(those))), []).append(attribute)
    return [
        f"{measure}{_by_all(by)} for {names(those)}" for (measure, those), by in attributes.items()
    ]


def _by_all(attributes: Sequence[str]) -> str:
    """Return " by `a` and `b`"; "" for the only attribute."""
    some = [quoted(attribute) for attribute in attributes if attribute]
    return f" by {listed(some)}" if some else ""


def _by(axis: Axis) -> str:
    return f" by {quoted(axis.by)}" if axis.by else ""


def _is_within(m: Measurement) -> bool:
    """Whether chance alone makes gaps as large; false where no floor was measured."""
    if m.floor_p95 is None or m.floor_mean is None:
        return False
    return m.value <= m.floor_p95 if m.floor_p95 >= m.floor_mean else m.value >= m.floor_p95


def _is_beyond(m: Measurement) -> bool:
    known = m.floor_p95 is not None and m.floor_mean is not None
    return known and math.isfinite(m.value) and not _is_within(m)


def _against_floor(m: Measurement) -> str:
    floor = m.floor_p95 if m.floor_p95 is not None else math.nan
    return f"{estimate(m)}, floor {fixed(floor, decimals(m.low, m.high))}"


def _other(sheet: Sheet, label: str, axis: Axis) -> Iterator[tuple[str, str]]:
    """Yield the other disparities of an attribute that are shown: measure, and by what.

    Intersections with the attribute are included. An only attribute is "".
    """
    if _flags(sheet, label, axis):
        yield "the four-fifths rule", axis.by
    for (strategy, place), m in sheet.means.items():
        gap = (place.group, place.view, place.posthoc) == ("gap", "original", "")
        other = strategy == label and place != axis.place
        if gap and other and axis.attribute in place.attribute.split(" × ") and _is_beyond(m):
            alone = place.attribute == axis.attribute
            yield metric_words(m.metric), axis.by if alone else place.attribute
