"""From rules and paired estimates to verdicts.

A loss fails when it is significant (one-sided, Holm over all losses of a run) and beyond its
tolerance; it passes when a loss beyond the tolerance is ruled out; else it is inconclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..measuring.contrasts import holm
from ..schema import Metric, Place
from ..statistics.estimates import CENTRED, Estimate
from ..statistics.intervals import LEVEL, interval
from ..suite import GateRule
from .detection import smallest
from .losses import HIDDEN, Loss, loss, more_examples, more_seeds
from .verdicts import GRAVITY, Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule applied to one number of one strategy."""

    rule: GateRule
    number: int
    place: Place
    strategy: str
    metric: Metric
    run: Estimate
    baseline: Estimate | None = None
    not_comparable: str = ""
    """Why the loss cannot be judged."""
    same: bool = False
    """The strategy's predictions are those of the baseline."""
    trained: bool = False
    """The predictions are of training runs, which another seed would have changed."""


def judge(checks: Sequence[Check]) -> list[Verdict]:
    """Return a verdict for every check; p values are adjusted over all of their losses."""
    losses = [_loss(check) for check in checks]
    tested = [i for i, f in enumerate(losses) if f is not None and not f.difference.undefined]
    p_values = [f.p_value for f in (losses[i] for i in tested) if f is not None]
    adjusted = dict(zip(tested, holm(p_values), strict=True))
    return [
        _worse(_judge_loss(check, f, adjusted.get(i, 1.0), len(tested)), judge_limits(check))
        for i, (check, f) in enumerate(zip(checks, losses, strict=True))
    ]


def _loss(check: Check) -> Loss | None:
    judged = check.rule.max_loss is not None and not check.same and not check.not_comparable
    if not judged or check.baseline is None:
        return None
    return loss(check.run, check.baseline, check.metric)


def _worse(first: Verdict, second: Verdict) -> Verdict:
    """Join a loss's and a limit's verdict on the same number: the graver decides."""
    graver, other = sorted((first, second), key=lambda v: GRAVITY[v.outcome], reverse=True)
    reasons = [v.reason for v in (graver, other) if v.reason and v.outcome == graver.outcome]
    return first._replace(outcome=graver.outcome, reason="; ".join(reasons))


def _blank(check: Check, outcome: Outcome, reason: str) -> Verdict:
    value = float(check.run.theta.mean())
    return Verdict(
        outcome=outcome,
        reason=reason,
        **check.place._asdict(),
        strategy=check.strategy,
        rule=check.number,
        blocks=check.rule.on_inconclusive == "fail",
        value=value if np.isfinite(value) else None,
        max_loss=check.rule.max_loss,
        n=check.run.n,
        seeds=len(check.run.theta),
    )


def _judge_loss(check: Check, loss: Loss | None, p_adjusted: float, family: int) -> Verdict:
    if loss is None:
        return _unjudged(check)
    blank = _blank(check, "inconclusive", f"undefined: {loss.difference.undefined}")
    if loss.difference.undefined or check.rule.max_loss is None:
        return blank
    if _is_blind(check, loss):
        reason = (
            "one seed a side says nothing about retraining; train more seeds, or set "
            "one_seed = 'accept' in the rule to judge by the test examples alone"
        )
        return blank._replace(reason=reason, blocks=True)
    level = 1 - check.rule.confidence
    verdict = _measured(blank, loss, p_adjusted, level / max(family, 1))
    if p_adjusted <= level and loss.size > check.rule.max_loss:
        reason = (
            f"{_worse_by(loss.size)} than the baseline, tolerated {check.rule.max_loss:.3g} "
            f"(adjusted p {p_adjusted:.2g})"
        )
        return verdict._replace(outcome="fail", reason=reason + _scope(loss))
    if loss.upper_limit(check.rule.confidence) <= check.rule.max_loss:
        reason = f"{_worse_by(loss.size)}; a loss beyond {check.rule.max_loss:.3g} is ruled out"
        return verdict._replace(outcome="pass", reason=reason + _scope(loss))
    return _undecided(verdict, loss, check.rule, level / max(family, 1))


def _is_blind(check: Check, loss: Loss) -> bool:
    """Whether the seeds' variance matters, is not known, and the rule does not accept that."""
    matters = check.trained and loss.difference.family != "point"
    return matters and not loss.noise.knows_seeds and check.rule.one_seed != "accept"


def _unjudged(check: Check) -> Verdict:
    """Return the verdict of a check whose loss is not to be estimated."""
    if check.not_comparable and check.rule.max_loss is not None:
        return _blank(check, "not comparable", check.not_comparable)
    if check.same:
        verdict = _blank(check, "pass", "the predictions are those of the baseline")
        return verdict._replace(baseline=verdict.value, difference=0.0, loss=0.0)
    return _blank(check, "pass", "")


def _measured(verdict: Verdict, loss: Loss, p_adjusted: float, level: float) -> Verdict:
    """Return a verdict with the numbers of its loss."""
    paired = loss.difference
    half = paired.half_width(LEVEL)
    quoted = paired.family not in CENTRED and paired.family != "point"
    return verdict._replace(
        baseline=paired.second,
        difference=paired.value,
        low=paired.value - half if quoted else None,
        high=paired.value + half if quoted else None,
        loss=loss.size,
        p_adjusted=p_adjusted,
        detectable_loss=smallest(loss.noise, verdict.max_loss or 0.0, level)
        + HIDDEN * loss.shrinkage,
        n=paired.n,
    )


def _undecided(verdict: Verdict, loss: Loss, rule: GateRule, level: float) -> Verdict:
    """Return an inconclusive verdict with what would decide it."""
    tolerance = rule.max_loss or 0.0
    room, probability = tolerance - loss.worst_case, rule.confidence
    if loss.size > tolerance:
        room, probability = loss.size, 1 - level
    examples = more_examples(loss, room, probability)
    seeds = more_seeds(loss, room, probability)
    wishes = [f"{n:,} more {what}" for n, what in ((examples, "examples"), (seeds, "seeds")) if n]
    limit = loss.upper_limit(rule.confidence)
    reason = (
        f"{_worse_by(loss.size)}, and up to {limit:.3g} is possible, tolerated {tolerance:.3g}; "
        f"of {verdict.n:,} examples a loss is caught from {verdict.detectable_loss:.3g} on; "
        f"{' or '.join(wishes) or 'neither examples nor seeds alone'} would decide it"
    )
    return verdict._replace(
        outcome="inconclusive",
        reason=reason + _scope(loss),
        more_examples=examples,
        more_seeds=seeds,
    )


def _worse_by(size: float) -> str:
    return f"{abs(size):.3g} {'worse' if size > 0 else 'better'}"


def _scope(loss: Loss) -> str:
    if loss.noise.knows_seeds or loss.difference.family == "point":
        return ""
    return " (examples only: one seed a side says nothing about retraining)"


def judge_limits(check: Check) -> Verdict:
    """Return whether the run keeps `max_value` and `min_value`."""
    rule, value = check.rule, float(check.run.theta.mean())
    if rule.max_value is None and rule.min_value is None:
        return _blank(check, "pass", "")
    if not np.isfinite(value):
        return _blank(check, "inconclusive", f"undefined: {check.run.undefined}")
    low, high = value, value
    if rule.limit_on == "interval":
        bounds = interval(check.run, (check.metric.low, check.metric.high))
        low = value if bounds.low is None else bounds.low
        high = value if bounds.high is None else bounds.high
    return _within(check, low, high)


def _within(check: Check, low: float, high: float) -> Verdict:
    """Judge an estimate, where both ends are the same, or an interval."""
    rule = check.rule
    least = -np.inf if rule.min_value is None else rule.min_value
    most = np.inf if rule.max_value is None else rule.max_value
    interval = f"{low:.3g}" if low == high else f"[{low:.3g}, {high:.3g}]"
    bounds = (("at least", rule.min_value), ("at most", rule.max_value))
    wanted = " and ".join(f"{word} {bound:.3g}" for word, bound in bounds if bound is not None)
    if least <= low and high <= most:
        return _blank(check, "pass", f"{interval}, {wanted} is kept")
    if high < least or low > most:
        return _blank(check, "fail", f"{interval}, but {wanted} is required")
    return _blank(
        check, "inconclusive", f"{interval} of {check.run.n:,} examples reaches beyond {wanted}"
    )
