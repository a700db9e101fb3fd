"""Figures: the measurements of one exported model, found by what they are of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..facts import CellFacts, RunFacts, StrategyFacts
from ..measuring.contrasts import HEADLINE
from ..measuring.of_run import measured
from ..reporting.sheet import Sheet, sheet
from ..schema import Array, Measurement, Place


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of one strategy and one seed."""

    sheet: Sheet
    chosen: CellFacts
    strategy: StrategyFacts
    own: Mapping[Place, Measurement]
    """Of this seed: what this model has."""
    unknown: Mapping[str, int]
    """Attribute -> test examples of which no group is known."""

    @property
    def facts(self) -> RunFacts:
        """What is known of the run."""
        return self.sheet.facts

    @property
    def attributes(self) -> tuple[str, ...]:
        """Group attributes that were measured."""
        return self.sheet.attributes

    def of(self, metric: str, *where: str) -> Measurement | None:
        """Return a number of this model; `where`: attribute, group, view, posthoc, or fewer."""
        return self.own.get(Place(metric, *where))

    def mean(self, metric: str, *where: str) -> Measurement | None:
        """Return the mean over seeds."""
        return self.sheet.mean(self.chosen.strategy, metric, *where)

    def headline(self) -> list[Measurement]:
        """Return the numbers that every comparison is decided by, as far as they are defined."""
        found = []
        for metric in HEADLINE:
            places = [Place(metric), *(Place(metric, a, "gap") for a in self.attributes)]
            found += [self.own[p] for p in places if p in self.own and not self.own[p].undefined]
        return found


def figures(run: Path, strategy: str, seed: int, groups: Mapping[str, Array]) -> Figures:
    """Return the figures of one cell, computed again only if the run changed.

    Parameters
    ----------
    groups : attribute -> group of every test example
    """
    results, facts = measured(run)
    own = (m for m in results.measurements if (m.strategy, m.seed) == (strategy, seed))
    return Figures(
        sheet=sheet(results, facts),
        chosen=next(c for c in facts.cells if (c.strategy, c.seed) == (strategy, seed)),
        strategy=next(s for s in facts.strategies if s.label == strategy),
        own={m.place: m for m in own},
        unknown={name: int(np.sum(column == "")) for name, column in groups.items()},
    )
