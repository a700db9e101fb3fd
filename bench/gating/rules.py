"""Gate rules: where they come from, and which numbers each is about."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field

from ..audit import declared as declared
from ..schema import BadInputError, Place
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
        if rule.max_loss is not None and declared()[rule.metric][1].better == "neither":
            raise BadInputError(
                f"gate rule {number}: {rule.metric} is neither better high nor low, so it has no "
                "loss; give max_value or min_value"
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
