"""Results and facts of one run, indexed so that a number is found by its names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..facts import RunFacts, StrategyFacts
from ..schema import Contrast, Measurement, Place, Results

Key = tuple[str, Place]
"""Strategy, and what the number is of."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One run, indexed; what every part of a report reads."""

    results: Results
    facts: RunFacts
    strategies: tuple[StrategyFacts, ...]
    """Those of the suite in its order, then any others that were measured."""
    reference: str
    """Label of the strategy that the others are compared with; "" where there is none."""
    means: Mapping[Key, Measurement]
    """The means over seeds."""
    against: Mapping[Key, Contrast]
    """The contrasts with `reference`."""
    seeds: Mapping[str, int]
    """Label -> number of seeds measured."""
    attributes: tuple[str, ...]

    def mean(self, strategy: str, metric: str, *where: str) -> Measurement | None:
        """Return the mean over seeds; `where`: attribute, group, view, posthoc, or fewer."""
        return self.means.get((strategy, Place(metric, *where)))

    def contrast(self, strategy: str, metric: str, *where: str) -> Contrast | None:
        """Return the contrast with the reference; `where` as in `mean`."""
        return self.against.get((strategy, Place(metric, *where)))

    def measured_strategies(self) -> list[StrategyFacts]:
        """Return the strategies with at least one number, yardsticks included."""
        return [s for s in self.strategies if s.label in self.seeds]

    def groups(self, attribute: str) -> list[str]:
        """Return an attribute's groups, the largest first."""
        return list(self.group_sizes(attribute))

    def group_sizes(self, attribute: str) -> dict[str, int]:
        """Return the test examples of each of an attribute's groups, the largest group first."""
        sizes: dict[str, int] = {}
        for m in self.means.values():
            if m.attribute == attribute and m.group not in ("", "gap"):
                sizes[m.group] = max(m.n, sizes.get(m.group, 0))
        return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _seeds(results: Results, facts: RunFacts) -> dict[str, int]:
    seen: dict[str, set[int]] = {}
    for m in results.measurements:
        seen.setdefault(m.strategy, set()).update(() if m.seed is None else (m.seed,))
    for cell in facts.cells:
        if cell.status == "finished" and cell.strategy in seen:
            seen[cell.strategy].add(cell.seed)
    return {label: len(seeds) or 1 for label, seeds in seen.items()}


def _strategies(results: Results, facts: RunFacts) -> tuple[StrategyFacts, ...]:
    known = {s.label: s for s in facts.strategies}
    for label in _unique(m.strategy for m in results.measurements):
        known.setdefault(label, StrategyFacts(label=label, use=label))
    return tuple(known.values())


def sheet(results: Results, facts: RunFacts) -> Sheet:
    """Return the run's sheet; without a reference in the suite, it is that of the contrasts."""
    reference = facts.reference or next((c.reference for c in results.contrasts), "")
    return Sheet(
        results=results,
        facts=facts,
        strategies=_strategies(results, facts),
        reference=reference,
        means={(m.strategy, m.place): m for m in results.measurements if m.seed is None},
        against={(c.strategy, c.place): c for c in results.contrasts if c.reference == reference},
        seeds=_seeds(results, facts),
        attributes=_unique(m.attribute for m in results.measurements if m.attribute),
    )
