"""The gate: a run against its baseline, rule by rule."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..schema import BadInputError, LeftOut, Place
from ..suite import GateRule
from . import integrity, rules, snapshot
from .baseline import NotComparableError, read
from .comparable import difference_of_tests, differences_of_tasks
from .judging import Check, judge
from .paired import Pair, Study
from .snapshot import Snapshot
from .verdicts import RAN, Judgement, Verdict

ENOUGH = 5
"""Training seeds a side, below which most gates leave some loss undecided (docs/gate.md)."""


def of_run(folder: Path, baseline: Path, rule_file: Path | None) -> Judgement:
    """Judge a run's folder against a baseline's, by a file of rules or the baseline's.

    The run's own suite may tighten these rules and add others; it never loosens one.
    """
    run = snapshot.of_run(folder)
    try:
        old = read(baseline).snapshot
    except NotComparableError as error:
        verdict = Verdict("not comparable", str(error), RAN, "")
        return Judgement(verdicts=(verdict,), rules=rules_for(run, str(folder), rule_file))
    if rule_file is not None:
        judged = gate(run, old, rules.read(rule_file))
        return judged.noting(f"judged by the rules of {rule_file}, not by the baseline's")
    theirs = rules.of_suite(old.facts.suite_toml, f"{baseline}: its suite")
    own = rules.of_suite(run.facts.suite_toml, f"{folder}: its suite")
    chosen = rules.tightened(theirs, own)
    judged = gate(run, old, chosen, added=rules.added(theirs, own))
    return judged.noting(*rules.looser(theirs, own))


def of_sides(run: Snapshot, baseline: Snapshot, rule_file: Path | None) -> Judgement:
    """Judge two files of predictions by the rules of a file, or the defaults."""
    judged = gate(run, baseline, rules_for(run, "", rule_file))
    return judged.noting(*run.facts.assumptions)


def rules_for(run: Snapshot, where: str, rule_file: Path | None) -> tuple[GateRule, ...]:
    """Return the rules of a file, else of the run's suite, else the defaults."""
    if rule_file is not None:
        return rules.read(rule_file)
    return rules.of_suite(run.facts.suite_toml, f"{where}: its suite")


def gate(
    run: Snapshot,
    baseline: Snapshot | None,
    chosen: Sequence[GateRule] = rules.DEFAULTS,
    added: Sequence[GateRule] = (),
) -> Judgement:
    """Judge a run by rules; without a baseline only hard limits are judged.

    Parameters
    ----------
    run, baseline : the two sides; audits are made with the settings of the baseline
    chosen : the baseline's rules
    added : rules of the run's own, corrected by themselves so that they hide no other loss

    Raises
    ------
    BadInputError
        A rule names a metric, attribute or group that is not measured.
    """
    rules.check([*chosen, *added])
    notes = list(run.facts.mixture)
    if baseline is not None:
        notes += [f"baseline: {difference}" for difference in baseline.facts.mixture]
        notes += integrity.differences(run, baseline)
        notes += differences_of_tasks(run, baseline)
    added, new = _about_new_groups(run, baseline, added)
    pair = _pair(run, baseline)
    run = pair.run
    if not any(strategy in run.strategies for strategy in run.judged):
        every = (*chosen, *added, *new)
        return Judgement(verdicts=tuple(_ran(pair)), rules=every, notes=tuple(notes))
    judged: list[Verdict] = []
    for family, first in ((chosen, 1), (added, len(chosen) + 1)):
        checks, verdicts, remarks = _checks(pair, family, first) if family else ([], [], [])
        judged += [*judge(checks), *verdicts]
        notes += [remark for remark in remarks if remark not in notes]
    judged += [_not_in_baseline(r, n) for n, r in enumerate(new, len(chosen) + len(added) + 1)]
    return Judgement(
        verdicts=(*_ran(pair), *judged),
        rules=(*chosen, *added, *new),
        notes=(*notes, *_want_of_seeds(judged)),
    )


def _about_new_groups(
    run: Snapshot, baseline: Snapshot | None, added: Sequence[GateRule]
) -> tuple[list[GateRule], list[GateRule]]:
    """Return the run's own rules about what the baseline has too, and about what is new."""
    known = run.attributes if baseline is None else baseline.attributes
    new = [rule for rule in added if rule.attribute in run.attributes - known]
    return [rule for rule in added if rule not in new], new


def _not_in_baseline(rule: GateRule, number: int) -> Verdict:
    reason = f"the baseline has no attribute {rule.attribute!r}: make it again with this run"
    return Verdict(
        "not comparable",
        reason,
        rule.metric,
        "",
        attribute=rule.attribute or "",
        group=rule.group or "",
        rule=number,
    )


def _pair(run: Snapshot, baseline: Snapshot | None) -> Pair:
    if baseline is None:
        return Pair(run=run, baseline=None)
    why = difference_of_tests(run, baseline) or integrity.same_budget(run, baseline)
    return Pair(
        run=integrity.as_the_baseline(run, baseline),
        baseline=baseline,
        not_comparable=why,
        shrunk=integrity.shrunk(run, baseline),
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
    """Yield what is wrong with the run itself, else one pass."""
    wrong = [
        Verdict("fail", f"seed {cell.seed} is {cell.status}: {cell.reason}", RAN, cell.strategy)
        for cell in pair.run.unfinished
    ]
    wrong += [Verdict("not comparable", why, RAN, name) for name, why in pair.shrunk.items()]
    if pair.not_comparable:
        wrong.append(Verdict("not comparable", pair.not_comparable, RAN, ""))
    elif pair.baseline is not None:
        wrong += integrity.failed_seeds(pair.run, pair.baseline)
    if not pair.run.judged and not wrong:
        wrong.append(Verdict("fail", "no strategy has a finished cell", RAN, ""))
    yield from wrong or [Verdict("pass", "", RAN, "")]


def _checks(
    pair: Pair, chosen: Sequence[GateRule], first: int
) -> tuple[list[Check], list[Verdict], list[str]]:
    """Return what is to be judged, what is known without estimates, and notes."""
    study = Study(pair, chosen)
    checks, verdicts, notes = [], [], study.notes()
    for number, rule in enumerate(chosen, start=first):
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
