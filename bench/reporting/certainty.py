"""How sure the answer is, and what it leaves open."""

import math
from collections.abc import Iterator, Sequence

from ..schema import Contrast
from . import cautions
from .sentence import Sentence, all_axes, names
from .sheet import Sheet
from .standing import Axis, Standing, Standings, axes, detectable, more_examples
from .tables import p_words
from .wording import both_intervals, decimals, estimate, fixed, listed, quoted

_LEAST_SHARE = 0.05
"""A need for fewer more examples than this share of the test set is not printed."""
_TOO_MANY = 100
"""A need for more than so many times the test set is printed as out of reach."""
_DESCRIBED = 3
"""At most so many strategies are described in a line."""


def sure(sheet: Sheet, field: Standings) -> Iterator[Sentence]:
    """Say how large the shown differences are, on how much data, and what one seed hides."""
    if chosen := field.winners or field.traders[:1]:
        for strategy in chosen[:_DESCRIBED]:
            yield Sentence("sure", _differences(sheet, strategy))
    elif field.every:
        yield from _power(sheet, field.every)
    else:
        yield from _levels(sheet)
    if size := _size(sheet):
        yield Sentence("sure", size)
    yield from cautions.one_seed(sheet)


def _differences(sheet: Sheet, strategy: Standing) -> str:
    parts = []
    for axis in (*strategy.better, *strategy.worse):
        new, old = (sheet.mean(x, *axis.place) for x in (strategy.label, sheet.reference))
        contrast = sheet.contrast(strategy.label, *axis.place)
        if new and old and contrast:
            p = contrast.p_adjusted if contrast.p_adjusted is not None else contrast.p_value
            numbers = f"{estimate(new)} where {quoted(sheet.reference)} has {estimate(old)}"
            parts.append(f"{axis.words} {numbers} (p {p_words(p)})")
    return f"{quoted(strategy.label)} has {listed(parts)}: more than chance explains."


def _power(sheet: Sheet, rivals: Sequence[Standing]) -> Iterator[Sentence]:
    """Say which differences would probably have been shown, had they been there."""
    largest: dict[str, float] = {}
    for axis in axes(sheet):
        contrasts = [sheet.contrast(s.label, *axis.place) for s in rivals]
        effects = [e for c in contrasts if c and (e := detectable(sheet, c)) is not None]
        if effects:
            largest[axis.title] = max(*effects, largest.get(axis.title, 0.0))
    shown = [f"{t} from {fixed(e, decimals(0, e))}" for t, e in largest.items() if e < math.inf]
    if shown:
        text = f"A difference in {listed(shown)} upwards would probably have been shown."
        yield Sentence("sure", text)
    if hopeless := [title for title, effect in largest.items() if effect == math.inf]:
        text = (
            f"No difference in {listed(hopeless)}, however large, could be shown with this data."
        )
        yield Sentence("sure", text)


def _levels(sheet: Sheet) -> Iterator[Sentence]:
    """Say what the strategies reach where nothing was compared."""
    labels = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    for label in labels[:_DESCRIBED]:
        means = [(axis, sheet.mean(label, *axis.place)) for axis in axes(sheet)]
        reached = [
            f"{axis.words} {estimate(m)}" + (f" ({between})" if between else "")
            for axis, m in means
            if m is not None and math.isfinite(m.value)
            for between in [both_intervals(m)]
        ]
        if reached:
            yield Sentence("sure", f"{quoted(label)} reaches {listed(reached)}.")


def test_size(sheet: Sheet) -> int:
    """Return the number of test examples; 0 where nothing was measured."""
    means = [sheet.mean(label, sheet.facts.performance_metric) for label in sheet.seeds]
    return max((m.n for m in means if m is not None), default=0)


def _size(sheet: Sheet) -> str:
    """Return on how many examples and seeds the answer rests."""
    n = test_size(sheet)
    seeds = {sheet.seeds[s.label] for s in sheet.measured_strategies() if not s.yardstick}
    if not n or not seeds:
        return ""
    few, many = min(seeds), max(seeds)
    trained = f" and {few if few == many else f'{few} to {many}'} seed{'s' * (many > 1)}"
    clusters = sheet.results.clusters
    among = f" in {clusters:,} clusters" if clusters else ""
    return f"Measured on {n:,} test examples{among}{trained if sheet.facts.cells else ''}."


def unknown(sheet: Sheet, field: Standings) -> Iterator[Sentence]:
    """Say which questions the tests leave open, and what it takes to close them."""
    if len(field.winners) > 1:
        yield Sentence("unknown", "Which of them is best was not tested.")
    told = field.winners[:1] if len(field.winners) == 1 else ()
    for winner in told:
        yield from _unseen(sheet, winner)
    yield from _open(sheet, [s for s in field.every if s not in told])
    yield from _untested(sheet, field.every)
    yield from cautions.yardstick_level(sheet)
    if field.every and not any(s.open or s.untested or s.not_judged for s in field.every):
        yield Sentence("unknown", f"No comparison on {all_axes(axes(sheet), 'or')} is undecided.")


def _unseen(sheet: Sheet, winner: Standing) -> Iterator[Sentence]:
    """Say on what the winner may be worse without anybody seeing it."""
    for axis in winner.open:
        contrast = sheet.contrast(winner.label, *axis.place)
        effect = detectable(sheet, contrast) if contrast else None
        unseen = (
            ""
            if effect is None
            else f"; one under {fixed(effect, decimals(0, effect))} could go unseen"
        )
        if effect == math.inf:
            unseen = "; this data cannot show one of any size"
        text = f"On {axis.words}, no difference is shown between {quoted(winner.label)} and "
        yield Sentence("unknown", f"{text}{quoted(sheet.reference)}{unseen}.")


def _open(sheet: Sheet, rivals: Sequence[Standing]) -> Iterator[Sentence]:
    """Say what is undecided: one sentence for a metric where the same strategies are concerned."""
    together: dict[tuple[str, tuple[str, ...]], list[Axis]] = {}
    for axis in axes(sheet):
        labels = tuple(s.label for s in rivals if axis in s.open)
        if labels:
            together.setdefault((axis.title, labels), []).append(axis)
    for (_, labels), same in together.items():
        contrasts = [sheet.contrast(label, *axis.place) for axis in same for label in labels]
        text = f"On {all_axes(same)}, nothing is decided for {names(labels)}"
        needed = _needed([c for c in contrasts if c is not None])
        yield Sentence("unknown", f"{text}{needed}.")


def _untested(sheet: Sheet, rivals: Sequence[Standing]) -> Iterator[Sentence]:
    """Say what was not tested, where something was."""
    together: dict[tuple[str, ...], list[Axis]] = {}
    for axis in axes(sheet):
        labels = tuple(s.label for s in rivals if axis in s.untested)
        if labels:
            together.setdefault(labels, []).append(axis)
    for labels, same in together.items():
        if len(same) < len(axes(sheet)) or len(labels) < len(rivals):
            verb = "was" if len(labels) == 1 else "were"
            text = f"On {all_axes(same)}, {names(labels)} {verb} not tested."
            yield Sentence("unknown", text)


def _needed(contrasts: Sequence[Contrast]) -> str:
    """Return how many more examples would decide the nearest difference; "" where it is few."""
    needs = [(n, c) for c in contrasts if (n := more_examples(c)) and n >= c.n * _LEAST_SHARE]
    if not needs:
        return ""
    fewest, contrast = min(needs, key=lambda need: need[0])
    digits = decimals(0, 2 * abs(contrast.difference))
    if fewest > _TOO_MANY * contrast.n:
        what = "difference is" if len(contrasts) == 1 else "differences are"
        return f"; the {what} too small for a test set of this kind to show"
    whose = "its" if len(contrasts) == 1 else f"{quoted(contrast.strategy)}'s"
    return (
        f"; to show {whose} difference "
        f"({fixed(contrast.difference, digits, signed=True)}), at least "
        f"{fewest:,} more test examples would be needed"
    )
