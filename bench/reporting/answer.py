"""The report's answer: what to ship, how sure that is, what is not known, and then the rest.

What it may say is decided by the verdicts of the tests, and by nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from . import cautions, certainty, disparities, search
from .sentence import Kind, Sentence, all_axes, names
from .sheet import Sheet
from .standing import Standing, Standings, axes, collapsed, standings
from .wording import listed, metric_words, quantity, quoted


def answer(sheet: Sheet) -> list[Sentence]:
    """Return the answer: first what comes before all else, then the three lines, then the rest."""
    field = standings(sheet)
    return [
        *cautions.collapsed_seeds(sheet),
        *cautions.yardstick_ahead(sheet),
        *_ship(sheet, field),
        *certainty.sure(sheet, field),
        *certainty.unknown(sheet, field),
        *cautions.unfinished(sheet),
        *_evidence(sheet, field),
        *search.sentences(sheet),
        *disparities.disparities(sheet, field),
        *cautions.cautions(sheet),
    ]


class AnswerLine(NamedTuple):
    """The sentences of the answer that are shown together under one title."""

    name: str
    """"alarm", "ship", "sure", "unknown" or "rest"."""
    title: str
    sentences: tuple[Sentence, ...]


_LINES: Mapping[str, tuple[Kind, ...]] = {
    "alarm": ("alarm",),
    "ship": ("ship",),
    "sure": ("sure",),
    "unknown": ("unknown", "failed"),
    "rest": ("evidence", "caution"),
}


def lines(sheet: Sheet) -> list[AnswerLine]:
    """Return the answer in lines: an alarm if any, what to ship, how sure, what is not known."""
    sentences = answer(sheet)
    titles = {"sure": "How sure", "unknown": "Not known"}
    titles["ship"] = "What to ship" if sheet.against or sheet.facts.cells else "Result"
    every = (
        AnswerLine(name, titles.get(name, ""), tuple(s for s in sentences if s.kind in kinds))
        for name, kinds in _LINES.items()
    )
    return [line for line in every if line.sentences]


def _ship(sheet: Sheet, field: Standings) -> Iterator[Sentence]:
    measured = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    reference = quoted(sheet.reference)
    if not measured:
        text = "No strategy can be recommended: none has a finished cell."
    elif not sheet.reference:
        text = f"{names(measured)}: measured, and compared with nothing."
    elif sheet.reference not in sheet.seeds:
        text = (
            f"Nothing is decided: {reference}, which the others were to be compared with, has no "
            "finished cell."
        )
    elif sheet.reference in collapsed(sheet):
        text = f"Nothing is decided: {reference}, which the others are compared with, collapsed."
    elif len(measured) == 1:
        text = (
            f"Only {reference} was measured: nothing here says whether another strategy would be "
            "better."
        )
    else:
        text = _choice(sheet, field)
    yield Sentence("ship", text)


def _choice(sheet: Sheet, field: Standings) -> str:
    if field.winners:
        return _winners(sheet, field.winners)
    if field.traders:
        return _trade(sheet, field.traders[0]) + " Which to ship is your decision."
    return _no_winner(sheet, field.every)


def _winners(sheet: Sheet, winners: Sequence[Standing]) -> str:
    reference = quoted(sheet.reference)
    if len(winners) == 1:
        only = winners[0]
        return (
            f"{_budget(sheet)}ship {quoted(only.label)}: it is shown better than {reference} on "
            f"{all_axes(only.better)}."
        )
    return (
        f"{_budget(sheet)}ship one of {names([s.label for s in winners])}: each is shown better "
        f"than {reference}, and worse on nothing that decides."
    )


def _budget(sheet: Sheet) -> str:
    facts = sheet.facts
    if facts.currency is None or facts.amount is None:
        return "At this budget, " if facts.cells else "By these predictions, "
    amount = quantity(facts.currency, facts.amount)
    unit = "" if facts.currency in ("flops", "seconds") else f" {facts.currency}"
    return f"At this budget ({amount}{unit} a cell), "


def _trade(sheet: Sheet, trader: Standing) -> str:
    return (
        f"{quoted(trader.label)} is a trade: shown better than {quoted(sheet.reference)} on "
        f"{all_axes(trader.better)} and worse on {all_axes(trader.worse)}."
    )


def _no_winner(sheet: Sheet, rivals: Sequence[Standing]) -> str:
    reference = quoted(sheet.reference)
    if not rivals:
        return f"Keep {reference}: no other strategy is fit to ship."
    tested = [a for a in axes(sheet) if any(a not in (*s.untested, *s.not_judged) for s in rivals)]
    if not tested and any(s.not_judged for s in rivals):
        return (
            f"Nothing is decided: a strategy with one seed is not judged against {reference}, "
            "for training it again may change it. Train three seeds or more."
        )
    if not tested:
        return f"Nothing is decided: no comparison with {reference} was made."
    return f"Keep {reference}: no strategy is shown better on {all_axes(tested, 'or')}."


def _evidence(sheet: Sheet, field: Standings) -> Iterator[Sentence]:
    """Say which other strategies differ from the reference, and what a winner loses elsewhere."""
    if len(field.winners) > 1:
        yield Sentence("evidence", f"Shown better: {_each(field.winners, better=True)}.")
    for trader in field.traders[0 if field.winners else 1 :]:
        yield Sentence("evidence", _trade(sheet, trader))
    if field.losers:
        yield Sentence("evidence", f"Shown worse: {_each(field.losers, better=False)}.")
    for winner in field.winners:
        if losses := _side_effects(sheet, winner.label):
            text = f"{quoted(winner.label)} is shown worse on {listed(losses)}."
            yield Sentence("caution", text)


def _each(strategies: Sequence[Standing], *, better: bool) -> str:
    return "; ".join(
        f"{quoted(s.label)} on {all_axes(s.better if better else s.worse)}" for s in strategies
    )


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
