"""Gate rules: where they come from, and which numbers each is about."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from ..audit import declared as declared
from ..schema import BadInputError, Metric, Place
from ..suite import GateRule, Record, Suite, parse

ANY = "*"
GAP = "gap"
DEFAULTS = (
    GateRule(metric="accuracy", max_loss=0.02),
    GateRule(metric="log_loss", max_loss=0.05),
    GateRule(metric="expected_calibration_error", max_loss=0.03),
    GateRule(metric="equalized_odds_difference", attribute=ANY, group=GAP, max_loss=0.10),
    GateRule(metric="worst_group_accuracy", attribute=ANY, group=GAP, max_loss=0.05),
    GateRule(metric="true_positive_rate", attribute=ANY, group=ANY, max_loss=0.10),
    GateRule(metric="false_positive_rate", attribute=ANY, group=ANY, max_loss=0.10),
)
"""What is judged where nobody wrote a rule."""


BOUNDS: Mapping[str, Callable[[Iterable[float]], float]] = {
    "max_loss": min,
    "max_value": min,
    "min_value": max,
}
"""What a rule can bound, and which of two bounds is the tighter one."""


class RuleFile(Record):
    """A file with nothing but rules."""

    gate: tuple[GateRule, ...] = Field(min_length=1)


def read(path: Path) -> tuple[GateRule, ...]:
    """Read a file of `[[gate]]` tables."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: {error}") from None
    return parse(RuleFile, text, str(path)).gate


def of_suite(text: str, where: str) -> tuple[GateRule, ...]:
    """Return the rules that a suite's text states, or the defaults."""
    return (parse(Suite, text, where).gate if text else ()) or DEFAULTS


def check(rules: Iterable[GateRule]) -> None:
    """Refuse a rule whose metric no audit declares, or that asks for a loss where none is defined.

    Raises
    ------
    BadInputError
        The rule's number and its metric are named.
    """
    for number, rule in enumerate(rules, start=1):
        if rule.metric not in declared():
            raise BadInputError(
                f"gate rule {number}: no metric {rule.metric!r}; `tunefair list audits` shows all"
            )
        if rule.max_loss is not None and not declared()[rule.metric][1].directed:
            raise BadInputError(
                f"gate rule {number}: {rule.metric} is neither better high nor low, so it has no "
                "loss; give max_value or min_value"
            )
        _check_range(rule, number, declared()[rule.metric][1])


def _check_range(rule: GateRule, number: int, metric: Metric) -> None:
    """Refuse a bound that no value of the metric could break: 2 of a share is meant as 2 %."""
    width = metric.high - metric.low
    if rule.max_loss is not None and rule.max_loss >= width:
        raise BadInputError(
            f"gate rule {number}: max_loss = {rule.max_loss:g}: {rule.metric} lies between "
            f"{metric.low:g} and {metric.high:g}, so no loss exceeds it; write 2 % as 0.02"
        )
    for key, bound in (("max_value", rule.max_value), ("min_value", rule.min_value)):
        if bound is not None and not metric.low <= bound <= metric.high:
            raise BadInputError(
                f"gate rule {number}: {key} = {bound:g}: {rule.metric} lies between "
                f"{metric.low:g} and {metric.high:g}; give a limit in that range"
            )


def places(rule: GateRule, measured: Sequence[Place]) -> list[Place]:
    """Return the places that a rule is about, in the order measured."""
    near = [
        p
        for p in measured
        if (p.metric, p.view, p.posthoc) == (rule.metric, rule.view, rule.posthoc)
        and rule.attribute in {None, p.attribute, ANY if p.attribute else None}
        and _covers(rule.group, p.group)
    ]
    if rule.group is not None:
        return near
    for kind in ("", GAP):
        if chosen := [p for p in near if p.group == kind]:
            return chosen
    return near


def _covers(wanted: str | None, group: str) -> bool:
    return wanted in {None, group} or (wanted == ANY and group not in {"", GAP})


def _about(rule: GateRule) -> tuple[object, ...]:
    """Return which numbers a rule is about."""
    return rule.metric, rule.attribute, rule.group, rule.view, rule.posthoc, rule.strategies


def tightened(theirs: Sequence[GateRule], own: Sequence[GateRule]) -> tuple[GateRule, ...]:
    """Return the baseline's rules, each with the run's own bounds where these are tighter."""
    return tuple(_tighter(rule, [o for o in own if _about(o) == _about(rule)]) for rule in theirs)


def _tighter(rule: GateRule, own: Sequence[GateRule]) -> GateRule:
    """Return a rule with the tightest bound of each kind that it has."""
    update: dict[str, float | str] = {}
    for key, tightest in BOUNDS.items():
        bounds = [b for r in (rule, *own) if (b := getattr(r, key)) is not None]
        if getattr(rule, key) is not None:
            update[key] = tightest(bounds)
    if any(r.on_inconclusive == "fail" for r in own):
        update["on_inconclusive"] = "fail"
    return rule.model_copy(update=update)


def added(theirs: Sequence[GateRule], own: Sequence[GateRule]) -> tuple[GateRule, ...]:
    """Return what the run's own rules bound and none of the baseline's does."""
    if tuple(own) == DEFAULTS:
        return ()  # nobody wrote them
    more = []
    for rule in own:
        known = {
            key
            for k in theirs
            for key in BOUNDS
            if _about(k) == _about(rule) and getattr(k, key) is not None
        }
        if any(getattr(rule, key) is not None for key in set(BOUNDS) - known):
            more.append(rule.model_copy(update=dict.fromkeys(known)))
    return tuple(more)


def lost(theirs: Sequence[GateRule], own: Sequence[GateRule]) -> list[GateRule]:
    """Return the baseline's rules that the run's own rules do not hold as tightly."""
    return [rule for rule in theirs if not any(_is_as_tight(o, rule) for o in own)]


def _is_as_tight(own: GateRule, rule: GateRule) -> bool:
    return _about(own) == _about(rule) and _tighter(own, [rule]) == own and _bounds(rule, own)


def _bounds(rule: GateRule, own: GateRule) -> bool:
    """Whether `own` bounds everything that `rule` bounds."""
    return all(getattr(own, k) is not None for k in BOUNDS if getattr(rule, k) is not None)


def looser(theirs: Sequence[GateRule], own: Sequence[GateRule]) -> Iterator[str]:
    """Yield a note where the run's suite asks for less than the baseline's rules."""
    if lost(theirs, own):
        yield "the run's suite asks for less than the baseline's rules: the baseline's count"


def describe(rule: GateRule) -> str:
    """Return a rule in one line: its metric, where, and what it bounds."""
    where = [x for x in (rule.attribute, rule.group, rule.posthoc) if x]
    where += [rule.view] if rule.view != "original" else []
    bounds = {"loss": rule.max_loss, "at most": rule.max_value, "at least": rule.min_value}
    words = [
        f"{word} {'at most ' if word == 'loss' else ''}{bound:g}"
        for word, bound in bounds.items()
        if bound is not None
    ]
    place = f" [{', '.join(where)}]" if where else ""
    return f"{rule.metric}{place}: {', '.join(words)}"
