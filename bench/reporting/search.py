"""Equal tuning in words and tables: who leads with how many trials, the price, edges of ranges."""

import math
from collections.abc import Iterator, Mapping, Sequence

from ..facts import SearchedOption, TrialFacts, TuningCrossing, TuningCurvePoint, TuningFacts
from .grids import Grid, Text
from .sentence import Sentence
from .sheet import Sheet
from .wording import NOTHING, decimals, fixed, interval, metric_words, printable, quantity, quoted

_EDGE = 1 / 8
"""Share of a range, at either end, that counts as its edge."""
_FEW = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

Where = tuple[str, str]
"""Metric and attribute."""


def curves_of(tuning: TuningFacts) -> dict[Where, dict[str, list[TuningCurvePoint]]]:
    """Return (metric, attribute) -> strategy -> its curve, by the number of trials."""
    found: dict[Where, dict[str, list[TuningCurvePoint]]] = {}
    for point in tuning.curves:
        lines = found.setdefault((point.metric, point.attribute), {})
        lines.setdefault(point.strategy, []).append(point)
    return found


def where_words(where: Where) -> str:
    """Return a number's name as prose, with the attribute between marks."""
    metric, attribute = where
    return metric_words(metric) + (f" by {quoted(attribute)}" if attribute else "")


def sentences(sheet: Sheet) -> Iterator[Sentence]:
    """Say how the order depends on the number of trials, and what lies at the edge of a range."""
    tuning = sheet.facts.tuning
    if tuning is None:
        return
    for where, lines in curves_of(tuning).items():
        if text := _order(where, lines, tuning.crossings):
            yield Sentence("evidence", text)
    for strategy, texts in edges(tuning).items():
        yield Sentence("caution", f"Of {quoted(strategy)}, {'; '.join(texts)}: look further.")
    for note in tuning.notes:
        label, _, text = note.partition(": ")
        yield Sentence("caution", f"{quoted(label)}: {text}.")


def _order(
    where: Where,
    lines: Mapping[str, Sequence[TuningCurvePoint]],
    crossings: Sequence[TuningCrossing],
) -> str:
    """Return who leads with one trial, and who from how many on."""
    known = {label: points for label, points in lines.items() if points[-1].value is not None}
    if len(known) < 2:  # noqa: PLR2004
        return ""
    changes = [c for c in crossings if (c.metric, c.attribute) == where]
    trials = len(next(iter(known.values())))
    if not changes:
        best = {label: points[-1].best for label, points in known.items()}
        if any(b is None for b in best.values()):
            return ""
        leader = max(best, key=lambda label: best[label] or 0.0)
        words = _trials(trials)
        return (
            f"On {where_words(where)} the order does not depend on tuning: {quoted(leader)} leads "
            f"with one trial and with {words} (the best of all in {_percent(best[leader])} of "
            "draws)."
        )
    parts = [f"with one trial {quoted(changes[0].before)} leads"]
    parts += [
        f"from {_number(c.k)} on {quoted(c.after)} does ({_percent(c.share)} of draws)"
        for c in changes
    ]
    unsure = min(c.share for c in changes) < 0.5  # noqa: PLR2004
    rest = ": too few to call the order known" if unsure else ""
    return f"On {where_words(where)}, {'; '.join(parts)}{rest}."


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0.0):.0f} %"


def _number(count: int) -> str:
    return _FEW[count] if count < len(_FEW) else str(count)


def _trials(count: int) -> str:
    return f"{_number(count)} trial{'' if count == 1 else 's'}"


def edges(tuning: TuningFacts) -> dict[str, list[str]]:
    """Return strategy -> what was chosen at the edge of where it was looked for."""
    found: dict[str, list[str]] = {}
    for searched in tuning.options:
        mine = [t for t in tuning.trials if t.strategy == searched.strategy]
        chosen = [t for t in mine if t.chosen]
        if chosen and searched.low is not None and searched.high is not None:
            words = _edge(searched, chosen[0], mine)
            if words:
                named = metric_words(printable(searched.option))
                found.setdefault(searched.strategy, []).append(f"the best {named} is {words}")
    return found


def _edge(searched: SearchedOption, chosen: TrialFacts, trials: Sequence[TrialFacts]) -> str:
    tried = sorted({float(t.options[searched.option]) for t in trials})
    value = float(chosen.options[searched.option])
    if len(tried) < 3:  # noqa: PLR2004
        return ""
    place = _place(searched, value)
    if value == tried[-1] and place >= 1 - _EDGE:
        return f"the largest tried ({value:g})"
    return f"the smallest tried ({value:g})" if value == tried[0] and place <= _EDGE else ""


def _place(searched: SearchedOption, value: float) -> float:
    """Return where a value stands in its range: 0 at the low end, 1 at the high one."""
    low, high = searched.low or 0.0, searched.high or 0.0
    if searched.log and low > 0 and value > 0:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else 0.5


def price(sheet: Sheet) -> Grid | None:
    """Return what each strategy spent on its search, on training, and in all."""
    tuning = sheet.facts.tuning
    if tuning is None:
        return None
    rows = []
    for label in dict.fromkeys(t.strategy for t in tuning.trials):
        mine = [t for t in tuning.trials if t.strategy == label]
        done = [t for t in mine if t.cell and t.seconds]
        cells = [c.ledger for c in sheet.facts.cells if c.strategy == label and c.ledger]
        search = (sum(t.flops for t in done), sum(t.seconds for t in done))
        trained = (sum(x.flops for x in cells), sum(x.seconds for x in cells))
        total = (search[0] + trained[0], search[1] + trained[1])
        rows.append(
            (
                Text(printable(label), name=True),
                Text(f"{len({t.trial for t in mine})}", number=True),
                *(
                    Text(quantity("flops", flops), quantity("seconds", seconds), number=True)
                    for flops, seconds in (search, trained, total)
                ),
            )
        )
    return Grid(("strategy", "trials", "tuning", "training", "total"), tuple(rows))


def every_trial(tuning: TuningFacts) -> Grid:
    """Return a row a trial: what it tried, what it spent, and how good it was on validation."""
    rows = tuple(
        (
            Text(printable(t.strategy), name=True),
            Text(str(t.trial), number=True),
            Text(", ".join(f"{printable(n)} = {_shown(v)}" for n, v in t.options.items())),
            Text(f"{t.budget_fraction:.3g}", number=True),
            Text(NOTHING if t.validation is None else fixed(t.validation, 4), number=True),
            Text(NOTHING if t.test is None else fixed(t.test, 3), number=True),
            Text("chosen" if t.chosen else printable(t.reason) if t.reason else ""),
        )
        for t in tuning.trials
    )
    rule = f"validation {metric_words(tuning.rule)}"
    return Grid(("strategy", "trial", "options", "of a budget", rule, "on test", ""), rows)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else printable(str(value))


def curve_table(lines: Mapping[str, Sequence[TuningCurvePoint]]) -> Grid:
    """Return a curve as a table: a row a strategy, a column a number of trials."""
    most = max(len(points) for points in lines.values())
    rows = tuple(
        (Text(printable(label), name=True), *(_point(p) for p in points))
        for label, points in lines.items()
    )
    return Grid(("strategy", *(_trials(k) for k in range(1, most + 1))), rows)


def _point(point: TuningCurvePoint) -> Text:
    if point.value is None:
        return Text(NOTHING, number=True, hint="a trial failed that might be the only choice")
    text = fixed(point.value, decimals(point.low, point.high))
    best = "" if point.best is None else f"the best choice in {_percent(point.best)} of draws"
    return Text(text, interval(point.low, point.high), number=True, hint=best)
