"""The gate: a run against its baseline, rule by rule."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..schema import BadInputError, LeftOut, Place
from ..suite import GateRule
from . import rules, snapshot
from .baseline import NotComparableError, read
from .comparable import difference_of_tests
from .judging import Check, judge
from .paired import Pair, Study
from .snapshot import Snapshot
from .verdicts import RAN, Judgement, Verdict

ENOUGH = 5
"""Training seeds a side, below which most gates leave some loss undecided (docs/gate.md)."""


def of_run(folder: Path, baseline: Path, rule_file: Path | None) -> Judgement:
    """Judge a run's folder against a baseline's, by the rules of a file or of the run's suite."""
    run = snapshot.of_run(folder)
    chosen = rules_for(run, str(folder), rule_file)
    try:
        old = read(baseline)
    except NotComparableError as error:
        verdict = Verdict("not comparable", str(error), RAN, "")
        return Judgement(verdicts=(verdict,), rules=tuple(chosen))
    judged = gate(run, old.snapshot, chosen)
    if rule_file is None and chosen != rules.of_suite(
        old.snapshot.facts.suite_toml, str(baseline)
    ):
        note = "the suite's rules are not those that the baseline was made with"
        return replace(judged, notes=(*judged.notes, note))
    return judged


def of_sides(run: Snapshot, baseline: Snapshot, rule_file: Path | None) -> Judgement:
    """Judge two files of predictions by the rules of a file, or the defaults."""
    return gate(run, baseline, rules_for(run, "", rule_file))


def rules_for(run: Snapshot, where: str, rule_file: Path | None) -> tuple[GateRule, ...]:
    """Return the rules of a file, else of the run's suite, else the defaults."""
    if rule_file is not None:
        return rules.read(rule_file)
    return rules.of_suite(run.facts.suite_toml, f"{where}: its suite")


def gate(
    run: Snapshot, baseline: Snapshot | None, chosen: Sequence[GateRule] = rules.DEFAULTS
) -> Judgement:
    """Judge a run by rules; without a baseline only hard limits are judged.

    Raises
    ------
    BadInputError
        A rule names a metric, attribute or group that is not measured.
    """
    rules.check(chosen)
    why = "" if baseline is None else difference_of_tests(run, baseline)
    pair = Pair(run=run, baseline=baseline, not_comparable=why)
    checks, verdicts, notes = _checks(pair, chosen) if run.evidence else ([], [], [])
    judged = judge(checks)
    return Judgement(
        verdicts=(*_ran(pair), *judged, *verdicts),
        rules=tuple(chosen),
        notes=(*notes, *_want_of_seeds(judged)),
    )


def _want_of_seeds(judged: Sequence[Verdict]) -> Iterator[str]:
    """Yield a note where too few seeds are why losses stay undecided."""
    undecided = [v for v in judged if v.outcome == "inconclusive" and v.loss is not None]
    more = sorted(v.more_seeds for v in undecided if v.more_seeds and v.seeds < ENOUGH)
    if more:
        yield (
            f"{len(more)} of {len(undecided)} undecided losses want seeds: {more[len(more) // 2]} "
            f"more a side would decide half of them; {ENOUGH} seeds a side are a good start"
        )


def _ran(pair: Pair) -> Iterator[Verdict]:
    """Yield a failure for every cell or strategy that is not there, else one pass."""
    unfinished = pair.run.unfinished
    for cell in unfinished:
        reason = f"seed {cell.seed} is {cell.status}: {cell.reason}"
        yield Verdict("fail", reason, RAN, cell.strategy)
    known = set(pair.run.strategies) | {cell.strategy for cell in unfinished}
    gone = [] if pair.baseline is None else [s for s in pair.baseline.judged if s not in known]
    for strategy in gone:
        yield Verdict("fail", "in the baseline, but not in this run", RAN, strategy)
    if not unfinished and not gone:
        yield Verdict("pass", "", RAN, "")


def _checks(
    pair: Pair, chosen: Sequence[GateRule]
) -> tuple[list[Check], list[Verdict], list[str]]:
    """Return what is to be judged, what is known without estimates, and notes."""
    study = Study(pair, chosen)
    checks, verdicts, notes = [], [], study.notes()
    for number, rule in enumerate(chosen, start=1):
        places = rules.places(rule, study.places)
        small = [out for out in study.sample.left_out if _is_about(rule, out)]
        if not places and not small:
            notes.append(_unmeasured(rule, number, chosen, study.places))
        for strategy in rule.strategies or pair.run.judged:
            if strategy not in pair.run.strategies:
                verdicts.append(_absent(rule, number, strategy))
                continue
            verdicts += [_too_small(rule, number, strategy, out) for out in small]
            checks += [
                made
                for p in places
                if (made := study.check(rule, number, p, strategy)) is not None
            ]
    return checks, verdicts, notes


def _is_about(rule: GateRule, out: LeftOut) -> bool:
    named = rule.group in {rules.ANY, out.group} and rule.attribute in {
        None,
        rules.ANY,
        out.attribute,
    }
    return bool(out.group) and named


def _absent(rule: GateRule, number: int, strategy: str) -> Verdict:
    return Verdict("fail", "no finished cell of this strategy", rule.metric, strategy, rule=number)


def _too_small(rule: GateRule, number: int, strategy: str, out: LeftOut) -> Verdict:
    return Verdict(
        "inconclusive",
        f"only {out.n} examples of this group ({out.reason}): too few to judge",
        rule.metric,
        strategy,
        attribute=out.attribute,
        group=out.group,
        rule=number,
        blocks=rule.on_inconclusive == "fail",
        max_loss=rule.max_loss,
        n=out.n,
    )


def _unmeasured(
    rule: GateRule, number: int, chosen: Sequence[GateRule], places: Sequence[Place]
) -> str:
    """Return a note where a default rule finds nothing to judge; a written one is a mistake."""
    if rule in rules.DEFAULTS and len(chosen) == len(rules.DEFAULTS):
        return f"{rules.describe(rule)}: not measured here, so not judged"
    seen = {
        f"attribute = {p.attribute!r}, group = {p.group!r}"
        for p in places
        if p.metric == rule.metric
    }
    known = "; ".join(sorted(seen)[:8]) or "not on these predictions"
    raise BadInputError(
        f"gate rule {number}: {rules.describe(rule)}: nothing is measured there; measured: {known}"
    )
