"""What a run may not change: a run with less evidence than its baseline does not pass.

A run is judged on the seeds, strategies, budget and audit settings of its baseline. One that
brings fewer or others is not comparable. One in which a model collapsed that did not collapse in
the baseline is worse, whatever the means over seeds still allow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..schema import Evidence, Predictions
from ..statistics.collapse import collapsed, other_answers
from .snapshot import Snapshot, in_order
from .verdicts import RAN, Verdict

FAR = 0.10
"""A seed fails by itself if its balanced accuracy is so far below the baseline's worst seed."""
STANDARD_ERRORS = 4
"""And this many paired standard errors below it."""


def same_budget(run: Snapshot, baseline: Snapshot) -> str:
    """Return how the budgets differ, "" if they do not."""
    sides = [(s.facts.amount, s.facts.currency) for s in (run, baseline)]
    new, old = (f"{amount} {currency}" if currency else "not known" for amount, currency in sides)
    return "" if sides[0] == sides[1] else f"another budget: {new}, the baseline's is {old}"


def shrunk(run: Snapshot, baseline: Snapshot) -> dict[str, str]:
    """Return strategy -> why the run's evidence on it is not that of the baseline.

    More seeds than the baseline's are welcome; fewer or others are not comparable. A strategy with
    a failed or missing cell is not listed: that fails by itself.
    """
    unfinished = {cell.strategy for cell in run.unfinished}
    reasons: dict[str, str] = {}
    for strategy in baseline.judged:
        if strategy in unfinished:
            continue
        if strategy not in run.strategies:
            reasons[strategy] = "in the baseline, but not in this run"
        elif strategy not in run.judged:
            reasons[strategy] = "a trained strategy in the baseline, a yardstick in this run"
        elif lost := sorted(_seeds(baseline, strategy) - _seeds(run, strategy)):
            known = ", ".join(map(str, sorted(_seeds(run, strategy))))
            reasons[strategy] = (
                f"seed {', '.join(map(str, lost))} of the baseline is not in this run (its seeds: "
                f"{known})"
            )
    return reasons


def _seeds(side: Snapshot, strategy: str) -> set[int]:
    return set(side.strategies[strategy].seeds)


def as_the_baseline(run: Snapshot, baseline: Snapshot) -> Snapshot:
    """Return a run that is audited as its baseline was: on its seeds, groups and views."""
    evidence = tuple(
        _of_seeds(e, baseline.strategies[e.strategy].seeds)
        if e.strategy in baseline.strategies
        else e
        for e in run.evidence
    )
    if baseline.evidence:
        evidence = tuple(_of_parts(e, baseline) for e in evidence)
    settings = baseline.settings
    crossed = tuple(c for c in settings.intersections if run.attributes.issuperset(c))
    if crossed != settings.intersections and run.evidence:  # not comparable, which is said
        settings = replace(settings, intersections=crossed)
    return replace(run, facts=replace(run.facts, settings=settings), evidence=evidence)


def _of_parts(evidence: Evidence, baseline: Snapshot) -> Evidence:
    """Return the evidence without groups and views that the baseline does not have."""
    known = baseline.attributes
    seen = {view for e in baseline.evidence for view in e.views}

    def taken(answers: tuple[Predictions, ...]) -> tuple[Predictions, ...]:
        return tuple(
            replace(p, groups={g: column for g, column in p.groups.items() if g in known})
            for p in answers
        )

    views = {view: taken(a) for view, a in evidence.views.items() if view in seen}
    test, validation = taken(evidence.test), taken(evidence.validation)
    return replace(evidence, test=test, validation=validation, views=views)


def _of_seeds(evidence: Evidence, seeds: Sequence[int]) -> Evidence:
    """Return the evidence of those seeds; all of it where it has none of them."""
    rows = [i for i, seed in enumerate(evidence.seeds) if seed in seeds]
    if not rows or len(rows) == len(evidence.seeds):
        return evidence

    def taken(column: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(column[i] for i in rows) if column else ()

    return replace(
        evidence,
        seeds=taken(evidence.seeds),
        test=taken(evidence.test),
        validation=taken(evidence.validation),
        views={view: taken(answers) for view, answers in evidence.views.items()},
        start=taken(evidence.start),
        ledgers=taken(evidence.ledgers),
    )


def differences(run: Snapshot, baseline: Snapshot) -> Iterator[str]:
    """Yield a note for everything of the run that the baseline's takes the place of."""
    for name, value in vars(baseline.settings).items():
        if name != "only" and (own := getattr(run.settings, name)) != value:
            yield f"audit setting {name}: the baseline's {value!r} counts, not this run's {own!r}"
    for strategy in run.judged:
        if strategy in baseline.strategies:
            more = sorted(_seeds(run, strategy) - _seeds(baseline, strategy))
            if more and len(more) < len(_seeds(run, strategy)):
                yield (
                    f"{strategy}: {len(more)} more seeds than the baseline has are left out "
                    f"({', '.join(map(str, more[:10]))}); renew the baseline to count them"
                )


def failed_seeds(run: Snapshot, baseline: Snapshot) -> Iterator[Verdict]:
    """Yield a failure for every strategy of which more seeds collapsed or fell far behind."""
    for strategy in run.judged:
        if strategy in baseline.strategies:
            yield from _failed(strategy, run.strategies[strategy], baseline.strategies[strategy])


def _failed(strategy: str, new: Evidence, old: Evidence) -> Iterator[Verdict]:
    healthy = [p for p in old.test if collapsed(p) is None]
    before = len(old.test) - len(healthy)
    gone = _collapsed(new, healthy)
    if len(gone) > before:
        words = "; ".join(f"seed {seed} answers {words}" for seed, words in gone.items())
        reason = f"collapsed: {words} ({before or 'none'} of the baseline's seeds did)"
        yield Verdict("fail", reason, RAN, strategy)
    for seed, drop in _far_behind(new, replace(old, test=tuple(healthy))).items():
        if seed not in gone:
            reason = (
                f"seed {seed}: balanced accuracy is {drop:.3g} below the baseline's worst seed"
            )
            yield Verdict("fail", reason, RAN, strategy)


def _collapsed(evidence: Evidence, healthy: Sequence[Predictions]) -> dict[int, str]:
    """Return seed -> what it answers, of seeds that collapsed and differ from the healthy ones.

    The other answers of a healthy seed (the fewest, b) and of this one (r) are counts. They differ
    where b − r ≥ 3 √(b + r), three standard deviations of a difference of Poisson counts.
    """
    descriptions = {}
    usual = min((other_answers(p) for p in healthy), default=0)
    for seed, predictions in zip(evidence.seeds, evidence.test, strict=True):
        state, others = collapsed(predictions), other_answers(predictions)
        if state is not None and usual - others >= 3 * np.sqrt(usual + others) > 0:
            descriptions[seed] = f"{state.answer!r} to {state.share:.1%} of the test examples"
    return descriptions


def _far_behind(new: Evidence, old: Evidence) -> Mapping[int, float]:
    """Return seed -> how far below the baseline's worst its balanced accuracy is, where it is far.

    Balanced accuracy is the mean of the classes' recalls, so it is about rare labels too. The
    difference is paired: a weighted mean over the examples, with its standard error.
    """
    if not old.test:
        return {}
    ids, label = new.test[0].example_id, new.test[0].label
    counts = np.bincount(label)
    weight = len(label) / (np.count_nonzero(counts) * counts[label])
    right = [weight * (p.prediction == p.label) for p in in_order(old, ids).test]
    worst = min(right, key=lambda answers: float(answers.mean()))
    far: dict[int, float] = {}
    for seed, predictions in zip(new.seeds, new.test, strict=True):
        lost = worst - weight * (predictions.prediction == predictions.label)
        error = float(lost.std(ddof=1)) / np.sqrt(len(lost)) if len(lost) > 1 else np.inf
        if (drop := float(lost.mean())) > max(FAR, STANDARD_ERRORS * error):
            far[seed] = drop
    return far
