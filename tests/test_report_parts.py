"""Parts of the page that can be wrong while the whole still looks right."""

import dataclasses
import json
import re
from io import StringIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests._results import EMBEDDED, GROUPS, Level, contrast, facts, measurements, results
from tunefair.facts import FactTable, RunFacts
from tunefair.reporting import report
from tunefair.reporting.columns import column, entry, headline
from tunefair.reporting.comparison import comparison
from tunefair.reporting.crossing import crossings
from tunefair.reporting.drawing import Canvas
from tunefair.reporting.groups import groups
from tunefair.reporting.looks import look
from tunefair.reporting.sheet import Sheet, sheet
from tunefair.reporting.tables import contrasts, left_out
from tunefair.reporting.trade_off import trade_offs
from tunefair.reporting.wording import marked
from tunefair.schema import LeftOut, Measurement, Results

FEW = {k: EMBEDDED[k] for k in ("tfidf", "full", "lora", "weighted")}


def sheet_of(found: Results, levels: dict | None = None, **more: object) -> Sheet:
    return sheet(found, facts(FEW if levels is None else levels, **more))


def changed(found: Results, metric: str, **fields: object) -> Results:
    rows = (m._replace(**fields) if m.metric == metric else m for m in found.measurements)
    return Results(measurements=tuple(rows), contrasts=found.contrasts)


def test_two_attributes_get_a_column_and_a_plane_each() -> None:
    dialect = {"north": (900, 0.5, -0.4), "south": (900, 0.6, 0.4)}
    both = results(FEW).measurements + tuple(
        row
        for label, level in FEW.items()
        for row in measurements(label, level, dialect, "dialect")
        if row.attribute
    )
    shown = sheet_of(Results(measurements=both))
    assert [c.axis.attribute for c in comparison(shown).columns] == [
        "", "", "target", "target", "dialect", "dialect",
    ]  # fmt: skip
    assert len(trade_offs(shown, Canvas())) == 2
    html = report.render(shown.results, shown.facts)
    assert not re.search("[\u2068\u2069]", html)


def test_an_arrow_stands_only_where_a_difference_is_shown() -> None:
    shown = sheet_of(results(FEW))
    for block in comparison(shown).blocks:
        for line in block.lines:
            for axis, drawn in zip(headline(shown), line.entries, strict=True):
                c = shown.contrast(line.name, *axis.place)
                decided = c is not None and c.verdict in ("better", "worse")
                assert bool(drawn.arrow) == decided
                if c is not None and decided:
                    assert drawn.tone == c.verdict
                    assert drawn.arrow == ("▲" if c.difference > 0 else "▼")


@pytest.mark.parametrize(("mean", "p95"), [(0.74, 0.70), (0.05, 0.10)])
def test_a_floor_is_drawn_towards_the_harmless_end(mean: float, p95: float) -> None:
    metric = "worst_group_accuracy" if p95 < mean else "equalized_odds_difference"
    found = changed(results(FEW), metric, floor_mean=mean, floor_p95=p95)
    definitions = results(FEW).definitions
    shown = sheet_of(Results(measurements=found.measurements, definitions=definitions))
    axis = next(a for a in headline(shown) if a.metric == metric)
    plot = entry(shown, "full", column(shown, axis)).plot
    assert plot is not None
    assert plot.band is not None
    start, width = plot.band
    assert (start == 0) == (p95 > mean)
    assert (start + width == pytest.approx(100)) == (p95 < mean)


def test_a_grid_of_strategies_is_crossed_and_each_stands_in_its_place() -> None:
    levels = FEW | {"lora+weighted": Level(gap=0.05)}
    gap = "equalized_odds_difference"
    found = results(levels)
    more = contrast("lora+weighted", gap, -0.2, "better")
    shown = sheet_of(dataclasses.replace(found, contrasts=(*found.contrasts, more)), levels)
    tables = {table.caption: table for table in crossings(shown)}
    gaps = tables["equalized odds difference"]
    assert gaps.columns == ("trained", "nothing else", "weighted")
    (_, full, weighted), (_, lora, both) = gaps.rows
    assert [row[0].text for row in gaps.rows] == ["everything", "lora"]
    assert full.hint == "reference"
    assert (weighted.tone, lora.tone, both.tone) == ("better", "", "better")
    assert both.text.strip() == "\N{MINUS SIGN}0.200"
    assert both.under == "to 0.05, p 0.012"  # no interval of a gap's change is quoted


def test_strategies_that_make_no_grid_are_not_crossed() -> None:
    assert crossings(sheet_of(results(FEW))) == ()


@given(st.floats(-1, 2), st.floats(0, 0.5))
def test_every_position_lies_within_its_cell(value: float, half: float) -> None:
    low, high = value - half, value + half
    found = changed(results(FEW), "accuracy", value=value, low=low, high=high)
    shown = sheet_of(found)
    plot = entry(shown, "full", column(shown, headline(shown)[0])).plot
    assert plot is not None
    for place in (plot.at, plot.low, plot.high, plot.guide):
        assert place is None or 0 <= place <= 100


def test_the_front_joins_those_that_none_beats() -> None:
    section = trade_offs(sheet_of(results(FEW)), Canvas())[0]
    rows = json.loads(section.figures[0].rows)
    points = [r for r in rows if "key" in r]
    front = {r["key"] for r in points if r["front"] is not None}
    for r in points:
        beaten = any(o["x"] > r["x"] and o["y"] < r["y"] for o in points)
        assert (r["key"] in front) != beaten


def test_a_metric_that_is_better_low_turns_the_plane_around() -> None:
    shown = sheet_of(results(FEW), performance_metric="log_loss")
    lower = {"log_loss": results(FEW).definitions["equalized_odds_difference"]}
    shown = sheet_of(
        Results(measurements=shown.results.measurements, definitions=lower),
        performance_metric="log_loss",
    )
    assert "log loss (left is better)" in trade_offs(shown, Canvas())[0].figures[0].alternative


def test_labels_of_equal_points_never_lie_on_one_another() -> None:
    levels = {f"s{i}": Level() for i in range(9)}
    section = trade_offs(sheet_of(results(levels), levels), Canvas())[0]
    sides = [r["side"] for r in json.loads(section.figures[0].rows) if "key" in r]
    assert sorted(s for s in sides if s) == ["left", "left-under", "right", "right-under"]


def test_a_far_yardstick_does_not_flatten_the_rest() -> None:
    levels = {"majority": EMBEDDED["majority"]} | FEW
    shown = sheet_of(results(levels), levels)
    scale = column(shown, headline(shown)[0]).scale
    assert scale.high - scale.low < 0.1
    plot = entry(shown, "majority", column(shown, headline(shown)[0])).plot
    assert plot is not None
    assert plot.outside == "left"
    assert "majority" in trade_offs(shown, Canvas())[0].notes[0]


def test_the_four_fifths_rule_is_flagged_in_the_bias_audit_table() -> None:
    section = groups(sheet_of(results(FEW)), Canvas())[0]
    law = next(grid for grid in section.grids if "Local Law 144" in grid.caption)
    assert len(law.rows) == len(FEW) * len(GROUPS)
    for *_, ratio, flag in law.rows:
        assert (float(ratio.text) < 0.8) == (flag.text == "under four fifths")


LONGEST = "counterfactual_augmentation+demographic_parity_threshold"
ATTRIBUTES = ("socioeconomic_background", "first_language_of_author")


def two_attributes() -> Sheet:
    levels = dict.fromkeys(("full", LONGEST, "tfidf"), EMBEDDED["weighted"])
    groups = {
        "speakers_of_other_languages": (900, 0.5, -0.4),
        "southern_hemisphere": (900, 0.6, 0.4),
    }
    rows = tuple(
        row
        for i, attribute in enumerate(ATTRIBUTES)
        for label, level in levels.items()
        for row in measurements(label, level, groups, attribute)
        if row.attribute or not i
    )
    contrasts = (contrast(LONGEST, "accuracy", -0.012, "worse"),)
    return sheet(Results(measurements=rows, contrasts=contrasts), facts(levels))


def of_short_names() -> Sheet:
    levels = {"a": Level(seeds=1), "b": Level(seeds=1)}
    rows = tuple(m for m in results(levels).measurements if m.audit == "accuracy")
    return sheet(Results(measurements=rows), RunFacts(suite="a"))


@pytest.mark.parametrize("attributes", [0, 1, 2])
@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_terminal_cuts_and_breaks_nothing(width: int, attributes: int) -> None:
    shown = (of_short_names, lambda: sheet_of(results(FEW)), two_attributes)[attributes]()
    console = Console(file=StringIO(), width=width)
    console.print(report.terminal(shown.results, shown.facts))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    content = comparison(shown)
    table = text[text.index(content.blocks[0].title) :]
    words = set(text.split())
    assert width < 120 or "strategy" in words
    for block in content.blocks:
        assert block.title in table
        for line in block.lines:
            assert line.name in table
            for number in line.entries:
                assert number.text.strip() in words
                assert number.interval.replace(" to ", "–") in words
                assert number.group in text
            assert all(fact.text.replace(" and ", " ").split()[0] in words for fact in line.facts)
    titles = (marked(column.title, "", "") for column in content.columns)
    assert {word for title in titles for word in title.split()} <= {w.strip(":") for w in words}


def test_a_wide_terminal_has_a_table_and_a_narrow_one_a_list() -> None:
    def printed(width: int) -> str:
        console = Console(file=StringIO(), width=width)
        console.print(report.terminal(results(FEW), facts(FEW)))
        return console.file.getvalue()

    assert "strategy" in printed(120)
    assert "accuracy: 0." in printed(60)


def test_a_page_without_groups_has_no_words_about_them() -> None:
    rows = tuple(m for m in results(FEW).measurements if not m.attribute)
    contrasts = tuple(c for c in results(FEW).contrasts if not c.attribute)
    found = dataclasses.replace(
        results(FEW), measurements=rows, contrasts=contrasts, left_out=(), trade_off=(),
        reliability=tuple(x for x in results(FEW).reliability if not x.attribute),
    )  # fmt: skip
    of_all = FactTable(
        "Examples", ("split", "attribute", "group", "n"), (("test", "", "(all)", 9),)
    )
    known = facts(FEW, training_counts={}, data_audit=(of_all,), card=None)
    html = report.render(found, known)
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", html[html.index("<main>") :], flags=re.S)
    text = re.sub(r"<[^>]*>", " ", body).lower().replace("tunefair", "")
    assert (
        re.findall(r"fair|odds|parity|dispar|\bgaps?\b|\bgroups?\b|four.fifths|floor", text) == []
    )


def test_the_front_and_its_percentages_are_of_the_same_strategies() -> None:
    levels = {"majority": EMBEDDED["majority"]} | FEW
    found = results(levels)
    left = tuple(p for p in found.trade_off if p.strategy != "weighted")
    section = trade_offs(sheet_of(dataclasses.replace(found, trade_off=left), levels), Canvas())[0]
    points = {r["key"]: r for r in json.loads(section.figures[0].rows) if "key" in r}
    assert points["weighted"]["front"] is None  # the best of all, but without a percentage
    assert "%" not in points["weighted"]["label"]
    assert all(" 0%" not in p["label"] for p in points.values() if p["front"] is not None)


def test_a_gap_with_two_intervals_says_what_each_is_of() -> None:
    gap = "equalized_odds_difference"
    found = changed(
        results(FEW), gap, low=0.11, high=0.42, systematic_low=0.14, systematic_high=0.38
    )
    shown = sheet_of(found)
    axis = next(a for a in headline(shown) if a.metric == gap)
    both = "one model 0.11 to 0.42, whatever the seed 0.14 to 0.38"
    assert both in entry(shown, "full", column(shown, axis)).hint
    html = report.render(found, shown.facts)
    assert f"({both})" in html  # on the first screen
    assert "two 95 % intervals" in html
    assert "two 95 % intervals" not in report.render(results(FEW), shown.facts)


def test_a_yardstick_says_what_it_predicts() -> None:
    levels = {"majority": EMBEDDED["majority"]} | FEW
    known = facts(levels)
    told = tuple(
        dataclasses.replace(s, needs_groups_in=frozenset({"train", "inference"}))
        if s.label == "majority"
        else s
        for s in known.strategies
    )
    shown = sheet(results(levels), dataclasses.replace(known, strategies=told))
    options = {x.name: x.options for b in comparison(shown).blocks for x in b.lines}
    assert "told the group of each text" in options["majority"]
    assert options["tfidf"] == "logistic regression on the words of a text"


def test_rows_of_other_views_stay_out_of_the_group_tables() -> None:
    flips = Measurement(
        "counterfactual", "flip_rate", "target", "black", "swap:names", value=0.1, n=90,
        strategy="full",
    )  # fmt: skip
    found = Results(measurements=(*results(FEW).measurements, flips))
    section = groups(sheet_of(found), Canvas())[0]
    assert "flip rate" not in section.grids[0].columns


def test_reasons_for_leaving_out_are_told_once() -> None:
    reason = "no positives: left out of "
    out = (
        LeftOut("target", "amish", 40, reason + "equalized_odds_difference"),
        LeftOut("target", "amish", 40, reason + "equal_opportunity_difference"),
        LeftOut("target", "quakers", 12, "fewer than 30 examples"),
    )
    grid = left_out(sheet_of(Results(measurements=results(FEW).measurements, left_out=out)))
    assert grid is not None
    assert [[t.text for t in row] for row in grid.rows] == [
        ["target", "amish", "40", "no positives",
         "equal opportunity difference and equalized odds difference"],
        ["target", "quakers", "12", "fewer than 30 examples", "every gap"],
    ]  # fmt: skip


def test_contrasts_outside_the_family_are_told_apart() -> None:
    inside = contrast("lora", "accuracy", -0.02, "worse")
    outside = contrast("weighted", "f1_macro", -0.02, "worse", p_adjusted=None)
    found = Results(measurements=results(FEW).measurements, contrasts=(outside, inside))
    family, rest = (contrasts(sheet_of(found), family=f) for f in (True, False))
    columns = [[row[i].text for g in (family, rest) for row in g.rows] for i in (0, 4, 6)]
    assert columns == [["lora", "weighted"], ["0.012", "0.004"], ["worse", "worse"]]
    assert (family.rows[0][6].tone, rest.rows[0][6].tone) == ("worse", "")
    assert "p, uncorrected" in rest.columns


def test_neighbours_in_the_palette_differ_in_colour_and_shape() -> None:
    drawn = [look(i) for i in range(40)]
    assert len(set(drawn)) == 40
    for one, other in pairwise(drawn[1:]):
        assert one.colour != other.colour
        assert one.shape != other.shape
