"""What a reader must know beside the decision: collapsed seeds, yardsticks, failures, limits."""

from collections.abc import Iterator

from ..facts import Collapse, CutTexts
from ..statistics import coverage
from .sentence import Sentence, names
from .sheet import Sheet
from .standing import answers_alike, axes
from .wording import listed, metric_words, quoted

FEW_CLUSTERS = 40
"""Below, intervals by clusters are approximate (docs/uncertainty.md)."""
ALIKE = 0.01
"""Share of near-duplicates among the test texts from which on it is said."""


def collapsed_seeds(sheet: Sheet) -> Iterator[Sentence]:
    """Say which strategies give nearly every example the same answer; this comes first."""
    collapses: dict[str, list[Collapse]] = {}
    for collapse in sheet.facts.collapsed:
        collapses.setdefault(collapse.strategy, []).append(collapse)
    for label, those in collapses.items():
        total = sheet.seeds.get(label, len(those))
        share = min(c.share for c in those)
        everything = (
            "every test example" if share == 1 else f"{100 * share:.1f} % of the test examples"
        )
        answers = listed([quoted(a) for a in dict.fromkeys(c.answer for c in those)], "or")
        seeds = f"seed{'s' * (total > 1)} (seed {listed([str(c.seed) for c in those])})"
        where = f" in {len(those)} of {total} {seeds}" if sheet.facts.cells else ""
        merit = "; that its gaps are small is no merit" if sheet.attributes else ""
        text = f"{quoted(label)} collapsed{where}: it answers {answers} for {everything}."
        if len(those) < total:
            text = f"{text} No interval of a few seeds covers that: look at every seed."
        yield Sentence("alarm", f"{text} Do not ship it{merit}.")


def yardstick_ahead(sheet: Sheet) -> Iterator[Sentence]:
    """Say when a yardstick is shown better than the reference: that comes before the decision."""
    for label, verdict in _yardsticks(sheet):
        if verdict == "better":
            yield Sentence(
                "ship",
                f"The yardstick {quoted(label)}, which needs no fine-tuning, is shown better than "
                f"{quoted(sheet.reference)} on {metric_words(sheet.facts.performance_metric)}: "
                "settle that before choosing a strategy.",
            )


def yardstick_level(sheet: Sheet) -> Iterator[Sentence]:
    """Say when the reference is not shown better than a yardstick."""
    level = [label for label, v in _yardsticks(sheet) if v == "no evidence of a difference"]
    if level:
        yield Sentence(
            "unknown",
            f"{quoted(sheet.reference)} is not shown better than the yardstick {names(level)} on "
            f"{metric_words(sheet.facts.performance_metric)}.",
        )


def _yardsticks(sheet: Sheet) -> Iterator[tuple[str, str]]:
    for strategy in sheet.measured_strategies():
        contrast = sheet.contrast(strategy.label, sheet.facts.performance_metric)
        if strategy.yardstick and contrast is not None:
            yield strategy.label, contrast.verdict


def cautions(sheet: Sheet) -> Iterator[Sentence]:
    """Say what weakens the numbers."""
    yield from _assumptions(sheet)
    yield from one_answer(sheet)
    yield from _mixture(sheet)
    yield from _shared_head(sheet)
    yield from _dependent(sheet)
    yield from _cut_texts(sheet)
    yield from undercovered(sheet)


def one_answer(sheet: Sheet) -> Iterator[Sentence]:
    """Say who answers everything alike, where the facts do not: no gap, and nothing learned."""
    known = {collapse.strategy for collapse in sheet.facts.collapsed}
    trained = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    if constant := [x for x in trained if x not in known and answers_alike(sheet, x)]:
        verb = "gives" if len(constant) == 1 else "give"
        yield Sentence(
            "caution",
            f"{names(constant)} {verb} every example the same answer: the gap of 0 is no merit.",
        )


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
    """Say where the uncertainty covers the test examples only."""
    trained = [s.label for s in sheet.measured_strategies() if not s.yardstick]
    single = [label for label in trained if sheet.seeds[label] == 1]
    if single:
        who = "" if len(single) == len(trained) else f" for {names(single)}"
        verdict = ", so no verdict is given" if sheet.facts.cells else ""
        yield Sentence(
            "sure",
            f"With one seed{who}, the uncertainty is of the test examples only: another training "
            f"run may give other numbers{verdict}.",
        )


def _assumptions(sheet: Sheet) -> Iterator[Sentence]:
    """Say what was assumed in reading the files of predictions."""
    for line in sheet.facts.assumptions:
        yield Sentence("caution", f"Assumed in reading: {line}.")


def _mixture(sheet: Sheet) -> Iterator[Sentence]:
    """Say that cells were not made alike."""
    if mixture := sheet.facts.mixture:
        text = "The cells were not made alike, which differences between strategies may reflect: "
        yield Sentence("caution", text + " ".join(mixture))


def _shared_head(sheet: Sheet) -> Iterator[Sentence]:
    """Say that the seeds share a part that usually differs between them."""
    if sheet.facts.model is not None and sheet.facts.model.head_kept:
        yield Sentence(
            "caution",
            "All seeds begin with the checkpoint's own classification head (model.head = "
            '"keep"): how much a new head would vary is not part of the uncertainty.',
        )


def _dependent(sheet: Sheet) -> Iterator[Sentence]:
    """Say what is known of test examples that are not independent."""
    if clusters := sheet.results.clusters:
        few = (
            f" {clusters} clusters are few: intervals are wide, and approximate."
            if clusters < FEW_CLUSTERS
            else ""
        )
        yield Sentence(
            "caution",
            f"Test examples come in {clusters:,} clusters, which are not taken to be independent "
            f"within: intervals, floors and tests go by whole clusters.{few}",
        )
        return
    near, n = _near_duplicates(sheet)
    if near >= ALIKE * n > 0:
        yield Sentence(
            "caution",
            f"{near:,} of {n:,} test texts are near-duplicates of other test texts. Such examples "
            "are not independent, so the intervals are too narrow; name the column of what they "
            'share: cluster = "COLUMN" in [task].',
        )


def _near_duplicates(sheet: Sheet) -> tuple[int, int]:
    """Return how many test texts are near-duplicates of others there, and of how many."""
    for table in sheet.facts.data_audit:
        places = {name: place for place, name in enumerate(table.columns)}
        if {"split", "also in", "near-duplicates"} <= places.keys():
            for row in table.rows:
                near, n = row[places["near-duplicates"]], row[places["n"]]
                inside = row[places["split"]] == row[places["also in"]] == "test"
                if inside and isinstance(near, int) and isinstance(n, int):
                    return near, n
    return 0, 0


def _cut_texts(sheet: Sheet) -> Iterator[Sentence]:
    """Say how many texts are too long for the model, and in which groups most and fewest."""
    model = sheet.facts.model
    whole = next((x for x in sheet.facts.cut_texts if not x.attribute), None)
    if whole is None or not whole.cut or model is None or model.max_tokens is None:
        return
    text = (
        f"{whole.cut:,} of {whole.n:,} test texts ({_share(whole)}) are longer than "
        f"{model.max_tokens} tokens: the model reads only their start"
    )
    parts = [_least_most(sheet, attribute) for attribute in sheet.attributes]
    groups = "; ".join(part for part in parts if part)
    yield Sentence("caution", f"{text}{': ' if groups else ''}{groups}.")


def _least_most(sheet: Sheet, attribute: str) -> str:
    groups = [x for x in sheet.facts.cut_texts if x.attribute == attribute and x.n]
    if len(groups) < 2:  # noqa: PLR2004
        return ""
    low, *_, high = sorted(groups, key=lambda x: x.cut / x.n)
    return f"{_share(low)} of {quoted(low.group)} to {_share(high)} of {quoted(high.group)}"


def _share(texts: CutTexts) -> str:
    percent = 100 * texts.cut / texts.n
    return f"{percent:.0f} %" if percent == 0 or percent >= 1 else "under 1 %"


def undercovered(sheet: Sheet) -> Iterator[Sentence]:
    """Say which of the numbers that decide has an interval that promises too much."""
    for metric in dict.fromkeys(axis.metric for axis in axes(sheet)):
        covered = coverage.of_whole(metric)
        if covered is not None and covered.low < coverage.PROMISED:
            yield Sentence(
                "caution",
                f"The nominal 95 % interval of {metric_words(metric)} contained the true value in "
                f"as few as {covered.low:.1f} % of simulated studies.",
            )


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"
