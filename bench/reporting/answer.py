"""The report's first paragraph: what the verdicts say about what to ship, and no more."""

import math
from collections.abc import Iterator, Sequence

from ..schema import Contrast
from . import cautions
from .sentence import Sentence, all_axes, names
from .sheet import Sheet
from .standing import Standing, axes, more_examples, standing
from .wording import (
    decimals,
    estimate,
    fixed,
    listed,
    metric_words,
    quantity,
    quoted,
)

_SLACK = 20
"""A need for less than a 20th more examples is not told."""


def answer(sheet: Sheet) -> list[Sentence]:
    """Return the paragraph; its first sentence is the decision the evidence supports."""
    return [
        *cautions.yardstick_ahead(sheet),
        *_decision(sheet),
        *cautions.yardstick_level(sheet),
        *cautions.floors(sheet),
        *cautions.one_answer(sheet),
        *cautions.unfinished(sheet),
        *cautions.one_seed(sheet),
        *cautions.undercovered(sheet),
    ]


def _decision(sheet: Sheet) -> Iterator[Sentence]:
    measured = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    if not measured:
        yield Sentence("decision", "No strategy can be recommended: none has a finished cell.")
    elif not sheet.reference:
        yield Sentence("decision", f"{names(measured)}: measured, and compared with nothing.")
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
        means = [(a, sheet.mean(label, *a.place)) for a in axes(sheet)]
        reached = [
            f"{a.words} {estimate(m)}"
            for a, m in means
            if m is not None and math.isfinite(m.value)
        ]
        if reached:
            yield Sentence("evidence", f"{quoted(label)} reaches {listed(reached)}.")


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
            f"{all_axes(only.better)}{_no_loss(sheet, only)}.",
        )
    else:
        each = [f"{quoted(s.label)} on {all_axes(s.better)}" for s in winners]
        yield Sentence(
            "decision",
            f"{_budget(sheet)}{names([s.label for s in winners])} are each shown better than "
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
        contrast = sheet.contrast(winner.label, *axis.place)
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
        f"{all_axes(trader.better)} and worse on {all_axes(trader.worse)}."
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
        f"No strategy is shown better than {reference} on {all_axes(tested, 'or')}.",
    )


def _losers(losers: Sequence[Standing]) -> Iterator[Sentence]:
    if losers:
        each = [f"{quoted(s.label)} on {all_axes(s.worse)}" for s in losers]
        yield Sentence("evidence", f"Shown worse: {'; '.join(each)}.")


def _open(sheet: Sheet, standings: Sequence[Standing]) -> Iterator[Sentence]:
    for axis in axes(sheet):
        labels = [s.label for s in standings if axis in s.open]
        if not labels:
            continue
        text = f"On {axis.words}, nothing is decided for {names(labels)}"
        contrasts = [sheet.contrast(x, *axis.place) for x in labels]
        yield Sentence("undecided", text + _needed([c for c in contrasts if c is not None]) + ".")


def _needed(contrasts: Sequence[Contrast]) -> str:
    """Say what it takes to decide; a few per cent more is less than a detectable effect knows."""
    needs = [(n, c) for c in contrasts if (n := more_examples(c)) and n >= c.n / _SLACK]
    if not needs:
        return ""
    fewest, contrast = min(needs, key=lambda need: need[0])
    digits = decimals(0, 2 * abs(contrast.difference))
    if fewest > 100 * contrast.n:
        what = "difference is" if len(contrasts) == 1 else "differences are"
        return f"; the {what} too small for a test set of this kind to settle"
    whose = "its" if len(contrasts) == 1 else f"{quoted(contrast.strategy)}'s"
    return (
        f"; to show {whose} difference "
        f"({fixed(contrast.difference, digits, signed=True)}), at least "
        f"{fewest:,} more test examples would be needed"
    )
