"""What a reader must know beside the decision: yardsticks, floors, failures, single seeds."""

from collections.abc import Iterator

from ..statistics import coverage
from .sentence import Sentence, names
from .sheet import Sheet
from .standing import axes
from .wording import decimals, estimate, fixed, listed, metric_words, quoted


def yardstick_ahead(sheet: Sheet) -> Iterator[Sentence]:
    """Say when a yardstick is shown better than the reference: that comes before all else."""
    for label, verdict in _yardsticks(sheet):
        if verdict == "better":
            yield Sentence(
                "decision",
                f"The yardstick {quoted(label)}, which needs no fine-tuning, is shown better than "
                f"{quoted(sheet.reference)} on {metric_words(sheet.facts.performance_metric)}: "
                "settle that before choosing a strategy.",
            )


def yardstick_level(sheet: Sheet) -> Iterator[Sentence]:
    """Say when the reference is not shown better than a yardstick."""
    level = [label for label, v in _yardsticks(sheet) if v == "no evidence of a difference"]
    if level:
        yield Sentence(
            "caution",
            f"{quoted(sheet.reference)} is not shown better than the yardstick {names(level)} on "
            f"{metric_words(sheet.facts.performance_metric)}.",
        )


def _yardsticks(sheet: Sheet) -> Iterator[tuple[str, str]]:
    for strategy in sheet.measured_strategies():
        contrast = sheet.contrast(strategy.label, sheet.facts.performance_metric)
        if strategy.yardstick and contrast is not None:
            yield strategy.label, contrast.verdict


def floors(sheet: Sheet) -> Iterator[Sentence]:
    """Say whose gap cannot be told from none."""
    for axis in axes(sheet)[1:]:
        under = []
        for strategy in sheet.measured_strategies():
            m = sheet.mean(strategy.label, *axis.place)
            if m is None or m.floor_p95 is None or strategy.yardstick:
                continue
            if m.value <= m.floor_p95 and not _constant(sheet, strategy.label):
                digits = decimals(m.low, m.high)
                values = f"({estimate(m)}, floor {fixed(m.floor_p95, digits)})"
                under.append(f"{quoted(strategy.label)} {values}")
        if under:
            verb = "lies" if len(under) == 1 else "lie"
            chance = "within what groups of these sizes show by chance"
            text = f"The {axis.words} of {listed(under)} {verb} {chance}: no disparity is shown."
            yield Sentence("caution", text)


def one_answer(sheet: Sheet) -> Iterator[Sentence]:
    """Say who answers everything alike: no gap, and nothing learned."""
    trained = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    if constant := [label for label in trained if _constant(sheet, label)]:
        verb = "gives" if len(constant) == 1 else "give"
        yield Sentence(
            "caution",
            f"{names(constant)} {verb} every example the same answer: the gap of 0 is no merit.",
        )


def _constant(sheet: Sheet, label: str) -> bool:
    """Whether all answers are the same: no regrouping makes a gap, and yet some are wrong."""
    performance, *gaps = (sheet.mean(label, *axis.place) for axis in axes(sheet))
    flat = [m is not None and m.value == 0 and m.floor_p95 == 0 for m in gaps]
    return bool(flat) and all(flat) and performance is not None and performance.value < 1


def unfinished(sheet: Sheet) -> Iterator[Sentence]:
    """Say what failed or is missing."""
    cells = sheet.facts.cells
    failed = [c for c in cells if c.status == "failed"]
    missing = [c for c in cells if c.status == "missing"]
    if failed:
        named = names(list(dict.fromkeys(c.strategy for c in failed)))
        yield Sentence("failed", f"{len(failed)} of {_cells(len(cells))} failed: {named}.")
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield Sentence("failed", f"{len(missing)} of {_cells(len(cells))} {verb} not finished.")


def one_seed(sheet: Sheet) -> Iterator[Sentence]:
    """Say where the uncertainty is of the test examples only."""
    trained = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    single = [label for label in trained if sheet.seeds[label] == 1]
    if single:
        who = "" if len(single) == len(trained) else f" for {names(single)}"
        yield Sentence(
            "caution",
            f"With one seed{who}, the uncertainty is of the test examples only: another training "
            "run may land elsewhere.",
        )


def undercovered(sheet: Sheet) -> Iterator[Sentence]:
    """Say which of the numbers that decide has an interval that promises too much."""
    for metric in dict.fromkeys(axis.metric for axis in axes(sheet)):
        covered = coverage.of_whole(metric)
        if covered is not None and covered.low < coverage.PROMISED:
            yield Sentence(
                "caution",
                f"The nominal 95 % interval of {metric_words(metric)} held the truth in as few as "
                f"{covered.low:.1f} % of simulated studies.",
            )


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
