"""Whether each strategy is better or worse than the reference, on the few numbers that decide."""

import math
from typing import NamedTuple

from ..schema import Contrast
from .sheet import Sheet
from .wording import marked, metric_words, quoted


class Axis(NamedTuple):
    """One of the few numbers that the answer is about."""

    metric: str
    attribute: str
    group: str
    words: str
    """Its name in a sentence; an attribute's name in it is marked."""

    @property
    def place(self) -> tuple[str, str, str]:
        """What a sheet looks it up by: metric, attribute, group."""
        return self.metric, self.attribute, self.group

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
    decisive = [Axis(performance, "", "", metric_words(performance))]
    simple = [a for a in sheet.attributes if " × " not in a]
    for attribute in simple:
        words = metric_words(facts.gap_metric)
        where = f" by {quoted(attribute)}" if len(simple) > 1 else ""
        decisive.append(Axis(facts.gap_metric, attribute, "gap", words + where))
    return decisive


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
    )
