"""Where each strategy stands against the reference, on the few numbers that decide."""

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
    """In a sentence; names in it are marked."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Where a sheet keeps it: metric, attribute, group."""
        return self.metric, self.attribute, self.group

    @property
    def plain(self) -> str:
        """The words without marks."""
        return marked(self.words, "", "")


class Standing(NamedTuple):
    """Where one strategy stands against the reference on every axis."""

    label: str
    better: tuple[Axis, ...]
    worse: tuple[Axis, ...]
    open: tuple[Axis, ...]
    """Tested, without evidence of a difference."""
    untested: tuple[Axis, ...]


def more_examples(contrast: Contrast) -> int | None:
    """Return how many more test examples, at least, it takes to show the observed difference.

    An effect detectable with n examples shrinks as 1/√n, so n′ = n (MDE / |difference|)² makes
    the observed difference detectable at 80 % power. It is a lower bound, rounded down to two
    digits: the seeds' share of the uncertainty does not shrink with test examples. None where
    it is not known, or already reached.
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
    """Return the performance and, for every attribute audited alone, the gap."""
    facts = sheet.facts
    found = [Axis(facts.performance_metric, "", "", metric_words(facts.performance_metric))]
    simple = [a for a in sheet.attributes if " × " not in a]
    for attribute in simple:
        words = metric_words(facts.gap_metric)
        where = f" by {quoted(attribute)}" if len(simple) > 1 else ""
        found.append(Axis(facts.gap_metric, attribute, "gap", words + where))
    return found


def standing(sheet: Sheet, label: str) -> Standing:
    """Return what is shown of one strategy against the reference."""
    sorted_axes: dict[str, list[Axis]] = {}
    for axis in axes(sheet):
        contrast = sheet.contrast(label, *axis.place)
        verdict = contrast.verdict if contrast else "undefined"
        sorted_axes.setdefault(verdict, []).append(axis)
    return Standing(
        label,
        better=tuple(sorted_axes.get("better", ())),
        worse=tuple(sorted_axes.get("worse", ())),
        open=tuple(sorted_axes.get("no evidence of a difference", ())),
        untested=tuple(sorted_axes.get("undefined", ())),
    )
