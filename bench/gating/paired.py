"""Paired estimates: a run and its baseline on the same draws of the same test examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from ..audit import declared, shipped
from ..schema import Array, Evidence, Place, Predictions
from ..statistics.estimates import Estimate, nothing
from ..statistics.grouping import Grouping
from ..statistics.sample import Sample, Statistic, Table
from ..suite import GateRule
from . import rules
from .judging import Check
from .snapshot import Snapshot, in_order

Numbers = Mapping[Place, Estimate]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A run and its baseline, and why they may not be compared."""

    run: Snapshot
    baseline: Snapshot | None
    not_comparable: str = ""
    shrunk: Mapping[str, str] = field(default_factory=dict)
    """Strategy -> why the run's evidence on it is not that of the baseline."""

    @property
    def old(self) -> Mapping[str, Evidence]:
        """Label -> evidence of the baseline, as far as it may be compared."""
        return {} if self.baseline is None or self.not_comparable else self.baseline.strategies


class Study:
    """The estimates of both sides, on the same draws of the same test examples."""

    def __init__(self, pair: Pair, chosen: Sequence[GateRule]) -> None:
        """Draw the examples; estimate what the rules are about."""
        named = set(chain.from_iterable(rule.strategies for rule in chosen))
        labels = [s for s in pair.run.strategies if s in named or s in pair.run.judged]
        ids = pair.run.evidence[0].test[0].example_id
        self.pair = pair
        self.new = {s: in_order(pair.run.strategies[s], ids) for s in labels}
        self.old = {s: in_order(pair.old[s], ids) for s in labels if s in pair.old}
        self._before()
        self.sample = Unpermuted([*self.new.values(), *self.old.values()], pair.run.settings)
        facts = pair.run.facts.strategies
        self._trained = {s.label for s in facts if not s.yardstick}
        self._run = {s: numbers(e, self.sample, chosen) for s, e in self.new.items()}
        self._baseline = {s: numbers(e, self.sample, chosen) for s, e in self.old.items()}

    def _before(self) -> None:
        """Tell each side what the model before answered: of the baseline that is itself."""
        for label, old in self.old.items():
            self.new[label] = replace(self.new[label], before=old.test)
            self.old[label] = replace(old, before=old.test)

    @property
    def places(self) -> list[Place]:
        """Everything that was measured of any strategy of either side."""
        sides = (*self._run.values(), *self._baseline.values())
        return list(dict.fromkeys(chain.from_iterable(sides)))

    def estimate(self, strategy: str, place: Place) -> Estimate | None:
        """Return the run's estimate of a number; None where it is not measured."""
        return self._run.get(strategy, {}).get(place)

    def check(self, rule: GateRule, number: int, place: Place, strategy: str) -> Check | None:
        """Return a rule's check of one number; None where the rule does not ask for it."""
        sides = (*self._run.values(), *self._baseline.values())
        like = next(n[place] for n in sides if place in n)
        absent = replace(like, values=nothing(1), undefined="not measured for this strategy")
        check = Check(
            rule=rule,
            number=number,
            place=place,
            strategy=strategy,
            metric=rules.declared()[rule.metric][1],
            run=self._run[strategy].get(place, absent),
            trained=strategy in self._trained,
            not_comparable=self._why_not(rule, strategy),
        )
        if check.not_comparable or strategy not in self.old:
            limits = rule.max_value is not None or rule.min_value is not None
            return check if check.not_comparable or limits else None
        same = check.run.family != "point" and is_same(self.new[strategy], self.old[strategy])
        gone = replace(absent, undefined="not measured in the baseline")
        old = self._baseline[strategy].get(place, gone)
        lost = check.run.undefined if not check.run.defined and old.defined else ""
        why = f"defined in the baseline, not in this run: {lost}" if lost else ""
        return replace(check, baseline=old, same=same, not_comparable=why)

    def _why_not(self, rule: GateRule, strategy: str) -> str:
        if self.pair.not_comparable or self.pair.baseline is None:
            return self.pair.not_comparable
        if strategy in self.pair.shrunk:
            return self.pair.shrunk[strategy]
        version = self.pair.baseline.versions.get(rule.metric)
        if version != self.pair.run.versions[rule.metric]:
            return (
                f"{rule.metric} is defined by version {self.pair.run.versions[rule.metric]}, the "
                f"baseline's is {'not known' if version is None else version}"
            )
        named = strategy in rule.strategies and strategy not in self.old
        return "not in the baseline" if named else ""

    def notes(self) -> list[str]:
        """Return what no rule asked for: new strategies, groups left out."""
        new = [s for s in self.new if s not in self.old and self.pair.old]
        return [f"{s}: not in the baseline, so its losses are not judged" for s in new] + [
            f"{out.attribute} {out.group or '(no group)'}: left out of gaps, {out.n} examples, "
            f"{out.reason}"
            for out in self.sample.left_out
        ]


def is_same(new: Evidence, old: Evidence) -> bool:
    """Whether every answer of every seed is that of the baseline."""
    sides = [(*e.test, *e.validation, *chain.from_iterable(e.views.values())) for e in (new, old)]
    return len(sides[0]) == len(sides[1]) and all(map(_equal, *sides))


def _equal(one: Predictions, other: Predictions) -> bool:
    if one.probability is None or other.probability is None:
        stated = one.probability is other.probability
    else:
        stated = np.array_equal(one.probability, other.probability)
    return stated and np.array_equal(one.prediction, other.prediction)


def numbers(evidence: Evidence, sample: Sample, chosen: Sequence[GateRule]) -> Numbers:
    """Return the estimates that rules may be about; of two audits' the first counts.

    What the rules do not ask for is not measured, and groups only where the whole test set does
    not settle a rule: a gate must answer in seconds.
    """
    estimates: dict[Place, Estimate] = {}
    whole = [rule for rule in chosen if not rule.attribute and not rule.group]
    for asking, groupings in ((whole, ()), (chosen, sample.groupings)):
        for name in dict.fromkeys(a for r in asking for a in declared()[r.metric][0]):
            audit = shipped()[name]
            waiting = [r for r in asking if not _is_settled(r, estimates)]
            wanted = {r.metric for r in waiting} & set(audit.metrics)
            if not wanted:
                continue
            narrow = sample.narrowed(sorted(wanted), groupings)
            for estimate in sample.resting(audit.estimates(evidence, narrow)):
                if estimate.metric in wanted:
                    estimates.setdefault(estimate.place, estimate)
    return estimates


def _is_settled(rule: GateRule, estimates: Numbers) -> bool:
    """Whether a rule on the whole test set has its number already."""
    whole = not rule.attribute and not rule.group
    return whole and any(
        not p.attribute and not p.group for p in rules.places(rule, list(estimates))
    )


class Unpermuted(Sample):
    """A sample whose floors cost nothing: no rule reads one."""

    def permuted(self, table: Table, grouping: Grouping, statistic: Statistic) -> Array:
        """Return the statistic of one table without rows, in the shape of a draw."""
        width = 1 if table.values is None else table.values.shape[1]
        return statistic(np.zeros((*table.shape, width, 1)))
