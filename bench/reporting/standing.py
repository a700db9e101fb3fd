"""Whether each strategy is better or worse than the reference, on the few numbers that decide."""

import math
from typing import NamedTuple

from ..schema import Contrast, Place
from .sheet import Sheet
from .wording import marked, metric_words, quoted


class Axis(NamedTuple):
    """One of the few numbers that the answer is about."""

    metric: str
    attribute: str
    group: str
    by: str = ""
    """The attribute, where several have the same metric."""

    @property
    def place(self) -> Place:
        """What the number is of."""
        return Place(self.metric, self.attribute, self.group)

    @property
    def title(self) -> str:
        """The metric in words."""
        return metric_words(self.metric)

    @property
    def words(self) -> str:
        """Its name in a sentence; an attribute's name in it is marked."""
        return f"{self.title} by {quoted(self.by)}" if self.by else self.title

    @property
    def unmarked(self) -> str:
        """The words without marks around names."""
        return marked(self.words, "", "")


class Standing(NamedTuple):
    """How one strategy compares with the reference on every axis."""

    label: str
    better: tuple[Axis, ...]
    worse: tuple[Axis, ...]
    open: tuple[Axis, ...]
    """Tested, and no difference was shown."""
    untested: tuple[Axis, ...]
    not_judged: tuple[Axis, ...] = ()
    """Numbers without a verdict, because a strategy was trained with one seed."""


def more_examples(contrast: Contrast) -> int | None:
    """Return how many more test examples are needed, at least, to show the observed difference.

    The smallest detectable effect (MDE) shrinks as 1/√n. So n′ = n (MDE / |difference|)² examples
    make the observed difference detectable at 80 % power. This is a lower bound, rounded down to
    two digits: more test examples do not shrink the uncertainty that comes from seeds. None where
    the effect is not known, or where n examples are enough.
    """
    mde, size = contrast.minimum_detectable_effect, abs(contrast.difference)
    if mde is None or not math.isfinite(mde) or not math.isfinite(size) or size == 0:
        return None
    needed = contrast.n * ((mde / size) ** 2 - 1)
    if needed < 1 or not math.isfinite(needed):
        return None
    step = 10 ** max(math.floor(math.log10(needed)) - 1, 0)
    return int(needed // step * step)


def axes(sheet: Sheet) -> list[Axis]:
    """Return the performance, and the gap of every attribute that is no intersection."""
    facts = sheet.facts
    performance = facts.performance_metric
    decisive = [Axis(performance, "", "")]
    simple = [a for a in sheet.attributes if " × " not in a]
    for attribute in simple:
        by = attribute if len(simple) > 1 else ""
        decisive.append(Axis(facts.gap_metric, attribute, "gap", by))
    return decisive


class Standings(NamedTuple):
    """How the trained strategies compare with the reference, without those that collapsed."""

    winners: tuple[Standing, ...] = ()
    """Better on something and worse on nothing."""
    traders: tuple[Standing, ...] = ()
    """Better on something and worse on something."""
    losers: tuple[Standing, ...] = ()
    """Worse on something and better on nothing."""
    others: tuple[Standing, ...] = ()

    @property
    def every(self) -> tuple[Standing, ...]:
        """All of them."""
        return (*self.winners, *self.traders, *self.losers, *self.others)


def standings(sheet: Sheet) -> Standings:
    """Return how the trained strategies compare with the reference, if that has a result."""
    if sheet.reference not in sheet.seeds or sheet.reference in collapsed(sheet):
        return Standings()
    every = [
        standing(sheet, s.label)
        for s in sheet.measured_strategies()
        if not s.yardstick and s.label != sheet.reference and s.label not in collapsed(sheet)
    ]
    return Standings(
        winners=tuple(s for s in every if s.better and not s.worse),
        traders=tuple(s for s in every if s.better and s.worse),
        losers=tuple(s for s in every if s.worse and not s.better),
        others=tuple(s for s in every if not s.worse and not s.better),
    )


def collapsed(sheet: Sheet) -> frozenset[str]:
    """Return the strategies of which at least one seed gives every example the same answer."""
    return frozenset(collapse.strategy for collapse in sheet.facts.collapsed)


def answers_alike(sheet: Sheet, label: str) -> bool:
    """Whether all answers are the same: no regrouping makes a gap, and yet some are wrong."""
    performance, *gaps = (sheet.mean(label, *axis.place) for axis in axes(sheet))
    flat = [m is not None and m.value == 0 and m.floor_p95 == 0 for m in gaps]
    return bool(flat) and all(flat) and performance is not None and performance.value < 1


def detectable(sheet: Sheet, contrast: Contrast) -> float | None:
    """Return the smallest difference that this data shows with 80 % power.

    It is infinite where no possible difference is that large, and None where it is not known.
    """
    effect = contrast.minimum_detectable_effect
    if effect is None or not math.isfinite(effect):
        return None
    metric = sheet.results.definitions.get(contrast.metric)
    widest = metric.high - metric.low if metric else math.inf
    return effect if effect <= widest else math.inf


def standing(sheet: Sheet, label: str) -> Standing:
    """Return on which axes one strategy is shown better, worse or neither."""
    by_verdict: dict[str, list[Axis]] = {}
    for axis in axes(sheet):
        contrast = sheet.contrast(label, *axis.place)
        verdict = contrast.verdict if contrast else "undefined"
        by_verdict.setdefault(verdict, []).append(axis)
    return Standing(
        label,
        better=tuple(by_verdict.get("better", ())),
        worse=tuple(by_verdict.get("worse", ())),
        open=tuple(by_verdict.get("no evidence of a difference", ())),
        untested=tuple(by_verdict.get("undefined", ())),
        not_judged=tuple(by_verdict.get("not judged", ())),
    )
