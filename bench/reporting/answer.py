"""The report's first paragraph: what the verdicts say about what to ship, and no more."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from bench.reporting.sheet import Sheet
from bench.reporting.standing import Axis, Standing, axes, more_examples, standing
from bench.reporting.wording import (
    decimals,
    estimate,
    fixed,
    listed,
    metric_words,
    quantity,
    quoted,
)
from bench.schema import Contrast


class Sentence(NamedTuple):
    """One sentence of the paragraph; its names are marked as `wording.quoted` marks them."""

    kind: Literal["decision", "evidence", "undecided", "failed", "caution"]
    text: str


def answer(sheet: Sheet) -> list[Sentence]:
    """Return the paragraph; its first sentence is the decision the evidence supports."""
    return [
        *_yardstick_ahead(sheet),
        *_decision(sheet),
        *_yardstick_level(sheet),
        *_floors(sheet),
        *_unfinished(sheet),
        *_one_seed(sheet),
    ]


def _decision(sheet: Sheet) -> Iterator[Sentence]:
    measured = [s.label for s in sheet.measured() if not s.yardstick]
    if not measured:
        yield Sentence("decision", "No strategy can be recommended: none has a finished cell.")
    elif not sheet.reference:
        yield Sentence("decision", f"{_names(measured)}: measured, and compared with nothing.")
        yield from _alone(sheet, measured)
    elif sheet.reference not in sheet.seeds:
        yield Sentence(
            "decision",
            f"Nothing is decided: {quoted(sheet.reference)}, which the others were to be "
            "compared with, has no finished cell.",
        )
        yield from _alone(sheet, measured)
    elif rivals := [label for label in measured if label != sheet.reference]:
        yield from _choice(sheet, [standing(sheet, label) for label in rivals])
    else:
        yield Sentence(
            "decision",
            f"Only {quoted(sheet.reference)} was measured: nothing here says whether another "
            "strategy would be better.",
        )
        yield from _alone(sheet, measured)


def _alone(sheet: Sheet, labels: Sequence[str]) -> Iterator[Sentence]:
    for label in labels[:3]:
        found = [(a, sheet.mean(label, a.metric, a.attribute, a.group)) for a in axes(sheet)]
        said = [
            f"{a.words} {estimate(m)}"
            for a, m in found
            if m is not None and math.isfinite(m.value)
        ]
        if said:
            yield Sentence("evidence", f"{quoted(label)} reaches {listed(said)}.")


def _choice(sheet: Sheet, standings: Sequence[Standing]) -> Iterator[Sentence]:
    winners = [s for s in standings if s.better and not s.worse]
    traders = [s for s in standings if s.better and s.worse]
    if winners:
        yield from _winners(sheet, winners)
    elif traders:
        yield Sentence("decision", _trade(sheet, traders[0]) + " Which to ship is yours to weigh.")
        traders = traders[1:]
    else:
        yield _no_winner(sheet, standings)
    for trader in traders:
        yield Sentence("evidence", _trade(sheet, trader))
    yield from _losers([s for s in standings if s.worse and not s.better])
    told = winners if len(winners) == 1 else []
    yield from _open(sheet, [s for s in standings if s not in told])


def _winners(sheet: Sheet, winners: Sequence[Standing]) -> Iterator[Sentence]:
    reference = quoted(sheet.reference)
    if len(winners) == 1:
        only = winners[0]
        yield Sentence(
            "decision",
            f"{_budget(sheet)}ship {quoted(only.label)}: it is shown better than {reference} on "
            f"{_axes(only.better)}{_no_loss(sheet, only)}.",
        )
    else:
        each = [f"{quoted(s.label)} on {_axes(s.better)}" for s in winners]
        yield Sentence(
            "decision",
            f"{_budget(sheet)}{_names([s.label for s in winners])} are each shown better than "
            f"{reference} and worse on nothing decisive; which of them is best was not tested.",
        )
        yield Sentence("evidence", f"Shown better: {'; '.join(each)}.")
    for winner in winners:
        if costs := _side_effects(sheet, winner.label):
            yield Sentence("caution", f"{quoted(winner.label)} is shown worse on {listed(costs)}.")


def _budget(sheet: Sheet) -> str:
    facts = sheet.facts
    if facts.currency is None or facts.amount is None:
        return "At this budget, "
    amount = quantity(facts.currency, facts.amount)
    unit = "" if facts.currency in ("flops", "seconds") else f" {facts.currency}"
    return f"At this budget ({amount}{unit} a cell), "


def _no_loss(sheet: Sheet, winner: Standing) -> str:
    parts = []
    for axis in winner.open:
        contrast = sheet.contrast(winner.label, axis.metric, axis.attribute, axis.group)
        mde = contrast.minimum_detectable_effect if contrast else None
        unseen = (
            "" if mde is None else f" (one under {fixed(mde, decimals(0, mde))} could go unseen)"
        )
        parts.append(f"{axis.words}{unseen}")
    if not parts:
        return ""
    return f", and no difference is shown on {listed(parts)}"


def _side_effects(sheet: Sheet, label: str) -> list[str]:
    decided = {(a.metric, a.attribute) for a in axes(sheet)}
    return [
        metric_words(c.metric)
        for c in sheet.against.values()
        if c.strategy == label
        and c.verdict == "worse"
        and c.p_adjusted is not None
        and c.group in ("", "gap")
        and (c.view, c.posthoc) == ("original", "")
        and (c.metric, c.attribute) not in decided
    ]


def _trade(sheet: Sheet, trader: Standing) -> str:
    return (
        f"{quoted(trader.label)} is a trade: shown better than {quoted(sheet.reference)} on "
        f"{_axes(trader.better)} and worse on {_axes(trader.worse)}."
    )


def _no_winner(sheet: Sheet, standings: Sequence[Standing]) -> Sentence:
    reference = quoted(sheet.reference)
    untested = [a for a in axes(sheet) if all(a in s.untested for s in standings)]
    tested = [a for a in axes(sheet) if a not in untested]
    if not tested:
        return Sentence(
            "decision", f"Nothing is decided: no comparison with {reference} was made."
        )
    return Sentence(
        "decision",
        f"No strategy is shown better than {reference} on {_axes(tested, 'or')}.",
    )


def _losers(losers: Sequence[Standing]) -> Iterator[Sentence]:
    if losers:
        each = [f"{quoted(s.label)} on {_axes(s.worse)}" for s in losers]
        yield Sentence("evidence", f"Shown worse: {'; '.join(each)}.")


def _open(sheet: Sheet, standings: Sequence[Standing]) -> Iterator[Sentence]:
    for axis in axes(sheet):
        labels = [s.label for s in standings if axis in s.open]
        if not labels:
            continue
        text = f"On {axis.words}, nothing is decided for {_names(labels)}"
        found = [sheet.contrast(x, axis.metric, axis.attribute, axis.group) for x in labels]
        yield Sentence("undecided", text + _needed([c for c in found if c is not None]) + ".")


def _needed(contrasts: Sequence[Contrast]) -> str:
    needs = [(n, c) for c in contrasts if (n := more_examples(c)) is not None]
    if not needs:
        return ""
    fewest, contrast = min(needs, key=lambda need: need[0])
    places = decimals(0, 2 * abs(contrast.difference))
    if fewest > 100 * contrast.n:
        return "; the differences seen are too small to be settled by more data of this size"
    whose = "its" if len(contrasts) == 1 else f"{quoted(contrast.strategy)}'s"
    return (
        f"; to show {whose} difference "
        f"({fixed(contrast.difference, places, signed=True)}), at least "
        f"{fewest:,} more test examples would be needed"
    )


def _yardstick_ahead(sheet: Sheet) -> Iterator[Sentence]:
    for label, verdict in _yardsticks(sheet):
        if verdict == "better":
            yield Sentence(
                "decision",
                f"The yardstick {quoted(label)}, which needs no fine-tuning, is shown better than "
                f"{quoted(sheet.reference)} on {metric_words(sheet.facts.performance_metric)}: "
                "settle that before choosing a strategy.",
            )


def _yardstick_level(sheet: Sheet) -> Iterator[Sentence]:
    level = [label for label, v in _yardsticks(sheet) if v == "no evidence of a difference"]
    if level:
        yield Sentence(
            "caution",
            f"{quoted(sheet.reference)} is not shown better than the yardstick {_names(level)} on "
            f"{metric_words(sheet.facts.performance_metric)}.",
        )


def _yardsticks(sheet: Sheet) -> Iterator[tuple[str, str]]:
    for strategy in sheet.measured():
        contrast = sheet.contrast(strategy.label, sheet.facts.performance_metric)
        if strategy.yardstick and contrast is not None:
            yield strategy.label, contrast.verdict


def _floors(sheet: Sheet) -> Iterator[Sentence]:
    for axis in axes(sheet)[1:]:
        under = []
        for strategy in sheet.measured():
            m = sheet.mean(strategy.label, axis.metric, axis.attribute, axis.group)
            if m is None or m.floor_p95 is None or strategy.yardstick:
                continue
            if m.value <= m.floor_p95:
                places = decimals(m.low, m.high)
                values = f"({estimate(m)}, floor {fixed(m.floor_p95, places)})"
                under.append(f"{quoted(strategy.label)} {values}")
        if under:
            yield Sentence(
                "caution",
                f"The {axis.words} of {listed(under)} lies within what groups of these sizes show "
                "by chance: no disparity is shown there.",
            )


def _unfinished(sheet: Sheet) -> Iterator[Sentence]:
    cells = sheet.facts.cells
    failed = [c for c in cells if c.status == "failed"]
    missing = [c for c in cells if c.status == "missing"]
    if failed:
        named = _names(list(dict.fromkeys(c.strategy for c in failed)))
        yield Sentence("failed", f"{len(failed)} of {_cells(len(cells))} failed: {named}.")
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield Sentence("failed", f"{len(missing)} of {_cells(len(cells))} {verb} not finished.")


def _one_seed(sheet: Sheet) -> Iterator[Sentence]:
    trained = [s.label for s in sheet.measured() if not s.yardstick]
    single = [label for label in trained if sheet.seeds[label] == 1]
    if single:
        who = "" if len(single) == len(trained) else f" for {_names(single)}"
        yield Sentence(
            "caution",
            f"With one seed{who}, the uncertainty is of the test examples only: another training "
            "run may land elsewhere.",
        )


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def _names(labels: Sequence[str]) -> str:
    shown = [quoted(label) for label in labels[:6]]
    rest = len(labels) - len(shown)
    return listed(shown) if not rest else f"{', '.join(shown)} and {rest} more"


def _axes(found: Sequence[Axis], joint: str = "and") -> str:
    return f" {joint} ".join(axis.words for axis in found)
