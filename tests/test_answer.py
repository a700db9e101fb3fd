"""The first paragraph: what it may say is decided by verdicts, and by nothing else."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests import _runs
from tests._results import EMBEDDED, Level, contrast, facts, measurements, results
from tunefair.cli.app import app
from tunefair.facts import CellFacts, Collapse, CutTexts, ModelCard, RunFacts
from tunefair.measuring import of_run
from tunefair.reporting import tables
from tunefair.reporting.answer import answer, lines
from tunefair.reporting.sheet import sheet
from tunefair.reporting.standing import more_examples
from tunefair.reporting.wording import marked
from tunefair.schema import Contrast, Results

GAP = "equalized_odds_difference"
NOTHING = "no evidence of a difference"


def paragraph(contrasts: list[Contrast], levels: dict | None = None, **more: object) -> list[str]:
    levels = {k: EMBEDDED[k] for k in ("full", "lora", "weighted")} if levels is None else levels
    rows = tuple(row for label in levels for row in measurements(label, levels[label]))
    found = Results(measurements=rows, contrasts=tuple(contrasts))
    sentences = answer(sheet(found, facts(levels, **more)))
    return [marked(s.text, "`", "`") for s in sentences]


def test_a_clear_winner_is_named_with_what_it_is_better_on() -> None:
    first, *rest = paragraph(
        [
            contrast("weighted", GAP, -0.13, "better"),
            contrast("weighted", "accuracy", -0.005, NOTHING),
            contrast("lora", "accuracy", -0.02, "worse"),
            contrast("lora", GAP, 0.01, NOTHING),
        ]
    )
    assert first == (
        "At this budget (5.1 PFLOP a cell), ship `weighted`: it is shown better than `full` on "
        "equalized odds difference."
    )
    assert rest[0] == (
        "`weighted` has equalized odds difference 0.12 where `full` has 0.26 (p 0.012): more than "
        "chance explains."
    )
    assert (
        "On accuracy, no difference is shown between `weighted` and `full`; one under 0.017 could "
        "go unseen."
    ) in rest
    assert "Shown worse: `lora` on accuracy." in rest


def test_nothing_decided_says_so_and_what_it_would_take() -> None:
    first, *rest = paragraph(
        [
            contrast("weighted", "accuracy", -0.004, NOTHING),
            contrast("weighted", GAP, -0.06, NOTHING),
            contrast("lora", "accuracy", -0.004, NOTHING),
            contrast("lora", GAP, 0.01, NOTHING),
        ]
    )
    assert first == (
        "Keep `full`: no strategy is shown better on accuracy or equalized odds difference."
    )
    needed = math.floor(2294 * ((0.09 / 0.06) ** 2 - 1) / 100) * 100
    assert any(
        s.startswith("On equalized odds difference, nothing is decided for `lora` and `weighted`")
        and f"at least {needed:,} more test examples would be needed" in s
        for s in rest
    )


def test_a_trade_off_is_left_to_the_reader() -> None:
    first, *_ = paragraph(
        [
            contrast("weighted", GAP, -0.13, "better"),
            contrast("weighted", "accuracy", -0.03, "worse"),
            contrast("lora", "accuracy", -0.004, NOTHING),
            contrast("lora", GAP, 0.01, NOTHING),
        ]
    )
    assert first == (
        "`weighted` is a trade: shown better than `full` on equalized odds difference and worse "
        "on accuracy. Which to ship is your decision."
    )
    assert "ship `" not in first


def test_two_winners_are_not_ranked() -> None:
    first, *rest = paragraph(
        [
            contrast("weighted", GAP, -0.13, "better"),
            contrast("weighted", "accuracy", 0.0, NOTHING),
            contrast("lora", "accuracy", 0.03, "better"),
            contrast("lora", GAP, 0.01, NOTHING),
        ]
    )
    assert "ship one of `lora` and `weighted`: each is shown better than `full`" in first
    assert "Which of them is best was not tested." in rest
    assert "Shown better: `lora` on accuracy; `weighted` on equalized odds difference." in rest


def test_a_failed_reference_decides_nothing() -> None:
    levels = {"weighted": EMBEDDED["weighted"]}
    cells = (
        CellFacts(strategy="full", seed=0, status="failed", reason="out of memory"),
        CellFacts(strategy="weighted", seed=0, status="finished"),
    )
    first, *rest = paragraph([], levels, cells=cells)
    assert first == (
        "Nothing is decided: `full`, which the others were to be compared with, has no finished "
        "cell."
    )
    assert "1 of 2 cells failed: `full`." in rest
    assert not any("ship" in sentence for sentence in [first, *rest])


def test_only_one_strategy_is_compared_with_nothing() -> None:
    first, second, *_ = paragraph([], {"full": EMBEDDED["full"]})
    assert first.startswith("Only `full` was measured")
    assert second == (
        "`full` reaches accuracy 0.764 (0.744 to 0.783) and equalized odds difference 0.26 "
        "(0.19 to 0.32)."
    )


def test_predictions_without_a_reference_are_described_only() -> None:
    first, *rest = paragraph(
        [], {"mine": Level(seeds=1)}, reference="", strategies=(), cells=(), currency=None
    )
    assert first == "`mine`: measured, and compared with nothing."
    assert rest[0].startswith("`mine` reaches accuracy ")
    assert any(
        s.startswith("With one seed, the uncertainty is of the test examples") for s in rest
    )


def test_a_gap_under_its_floor_is_no_disparity() -> None:
    levels = {"full": Level(gap=0.10), "lora": Level(gap=0.25)}
    _, *rest = paragraph([contrast("lora", GAP, 0.15, "worse")], levels)
    under = [s for s in rest if "by chance" in s]
    assert len(under) == 1
    assert "`full` (0.10, floor 0.14)" in under[0]
    assert "`lora`" not in under[0]


def test_who_answers_everything_alike_gets_no_praise_for_it() -> None:
    levels = {"full": Level(), "lora": Level()}
    rows = (row for label in levels for row in measurements(label, levels[label]))
    flat = tuple(
        m._replace(value=0.0, floor_mean=0.0, floor_p95=0.0)
        if (m.strategy, m.metric) == ("lora", GAP)
        else m
        for m in rows
    )
    shown = sheet(Results(measurements=flat, contrasts=()), facts(levels))
    said = [sentence.text for sentence in answer(shown)]
    assert [s for s in said if "the same answer" in s and "lora" in s and "full" not in s]
    assert not [s for s in said if "by chance" in s and "lora" in s]


def lines_of(found: Results, known: RunFacts) -> dict[str, list[str]]:
    return {
        line.name: [marked(s.text, "`", "`") for s in line.sentences]
        for line in lines(sheet(found, known))
    }


def test_three_lines_come_first_and_a_collapse_before_them() -> None:
    levels = {k: EMBEDDED[k] for k in ("full", "weighted")}
    found = results(levels)
    assert list(lines_of(found, facts(levels))) == ["ship", "sure", "unknown", "rest"]
    collapse = Collapse("weighted", 1, "biased", 1.0)
    shown = lines_of(found, facts(levels, collapsed=(collapse,)))
    assert next(iter(shown)) == "alarm"
    assert shown["alarm"][0].startswith(
        "`weighted` collapsed in 1 of 3 seeds (seed 1): it answers `biased` for every test "
        "example."
    )
    assert not any("ship `weighted`" in s for s in shown["ship"])  # though its gap is smaller
    assert shown["ship"] == ["Keep `full`: no other strategy is fit to ship."]
    nothing = lines_of(found, facts(levels, collapsed=(Collapse("full", 0, "biased", 0.996),)))
    assert "99.6 % of the test examples" in nothing["alarm"][0]
    assert nothing["ship"] == [
        "Nothing is decided: `full`, which the others are compared with, collapsed."
    ]


def test_a_collapsed_seed_of_a_run_is_found_and_kept_with_its_results(tmp_path: Path) -> None:
    new, _ = _runs.pair(n=300)
    flat = replace(new[1].test[1], prediction=np.zeros(300, dtype=np.int64))
    new[1] = replace(new[1], test=(new[1].test[0], flat, *new[1].test[2:]))
    run = _runs.write(tmp_path / "run", new, audits=("accuracy",))
    computed, kept = (of_run.measured(run)[1].collapsed for _ in range(2))
    answer_given = flat.classes[0]
    assert computed == kept == (Collapse("lora", new[1].seeds[1], answer_given, 1.0),)


def test_a_file_that_answers_all_alike_is_told_first(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    rows = [f"e{i},{i % 2},1,{'ab'[i % 3 > 0]}" for i in range(200)]
    path.write_text("\n".join(["id,label,prediction,g", *rows]))
    columns = ["--label", "label", "--prediction", "prediction", "--group", "g"]
    done = CliRunner().invoke(app, ["audit", str(path), *columns, "--replicates", "100"])
    assert done.exit_code == 0, done.output
    assert "p collapsed: it answers 1 for every test example." in " ".join(done.output.split())


def test_attributes_share_a_sentence_where_the_same_holds_for_them() -> None:
    levels = {k: EMBEDDED[k] for k in ("full", "lora")}
    attributes = ("target", "dialect")
    rows = tuple(
        row
        for i, attribute in enumerate(attributes)
        for label in levels
        for row in measurements(label, levels[label], attribute=attribute)
        if row.attribute or not i
    )
    tested = [contrast("lora", GAP, 0.01, NOTHING, attribute=a) for a in attributes]
    shown = lines_of(Results(measurements=rows, contrasts=(*tested,)), facts(levels))
    text = "On equalized odds difference by `target` and `dialect`, nothing is decided for `lora`"
    (only,) = (s for s in shown["unknown"] if "nothing is decided" in s)
    assert only.startswith(text)
    assert "On accuracy, `lora` was not tested." in shown["unknown"]


def test_who_is_harmed_on_how_many_by_which_definition() -> None:
    levels = {"full": EMBEDDED["full"]}
    rest = lines_of(results(levels), facts(levels))["rest"]
    group = next(s for s in rest if s.startswith("Groups under `full`"))
    assert "equalized odds difference 0.26" in group
    assert "for `jews` (n = 417)" in group
    assert "for `female` (n = 595)" in group
    flagged = next(s for s in rest if "four-fifths rule flags" in s)
    ratios = {
        m.group: m.value
        for m in results(levels).measurements
        if m.metric == "impact_ratio" and m.seed is None and m.value < 0.8
    }
    assert all(
        f"`{group}`, selected {value:.2f} times" in flagged for group, value in ratios.items()
    )
    assert any(s.startswith("Definition of equalized odds difference: larger of") for s in rest)


def test_beside_no_disparity_stand_the_disparities_that_are_shown() -> None:
    levels = {"full": Level(gap=0.10)}  # demographic parity 0.11, above its floor of 0.10
    rest = lines_of(results(levels), facts(levels))["rest"]
    under = next(s for s in rest if "no disparity is shown in this gap" in s)
    shown = "the four-fifths rule for `full`; demographic parity difference for `full`."
    assert under.endswith(f"Other measures do show one: {shown}")
    assert any("four-fifths rule flags `black`, selected 0.7" in s for s in rest)
    small = {"full": Level(gap=0.01)}
    rest = lines_of(results(small), facts(small))["rest"]
    alone = next(s for s in rest if "no disparity is shown in this gap" in s)
    assert "demographic parity" not in alone


def test_an_effect_larger_than_possible_is_called_undetectable() -> None:
    levels = {k: EMBEDDED[k] for k in ("full", "lora")}
    wide = contrast("lora", GAP, 0.01, NOTHING, minimum_detectable_effect=5.6)
    found = dataclasses.replace(results(levels), contrasts=(wide,))
    shown = lines_of(found, facts(levels))
    assert (
        "No difference in equalized odds difference, however large, could be shown with this data."
    ) in shown["sure"]
    assert "5.6" not in str(shown)
    grid = tables.contrasts(sheet(found, facts(levels)), family=True)
    assert [row[5].text for row in grid.rows] == ["none"]


def test_cut_texts_and_cells_made_differently_are_cautions() -> None:
    levels = {"full": EMBEDDED["full"]}
    cut = (
        CutTexts("", "", 2294, 230),
        CutTexts("target", "female", 595, 119),
        CutTexts("target", "jews", 417, 2),
    )
    model = ModelCard(name="m", max_tokens=64)
    mixture = ("2 of 4 cells were made with torch 2.12.0, 2 with torch 2.13.0.",)
    rest = lines_of(results(levels), facts(levels, cut_texts=cut, model=model, mixture=mixture))
    assert (
        "230 of 2,294 test texts (10 %) are longer than 64 tokens: the model reads only their "
        "start: under 1 % of `jews` to 20 % of `female`."
    ) in rest["rest"]
    assert any(mixture[0] in s and "not made alike" in s for s in rest["rest"])


def test_all_cells_failed() -> None:
    cells = tuple(CellFacts(strategy="full", seed=k, status="failed") for k in range(3))
    first, *rest = paragraph([], {}, cells=cells)
    assert first == "No strategy can be recommended: none has a finished cell."
    assert rest == ["3 of 3 cells failed: `full`."]


def test_a_yardstick_ahead_comes_first_and_a_level_one_is_a_caution() -> None:
    levels = {k: EMBEDDED[k] for k in ("tfidf", "full", "weighted")}
    won = contrast("weighted", GAP, -0.13, "better")
    first, second, *_ = paragraph([contrast("tfidf", "accuracy", 0.02, "better"), won], levels)
    assert first.startswith("The yardstick `tfidf`, which needs no fine-tuning, is shown better")
    assert "ship `weighted`" in second
    first, *rest = paragraph([contrast("tfidf", "accuracy", -0.01, NOTHING), won], levels)
    assert "ship `weighted`" in first
    assert "`full` is not shown better than the yardstick `tfidf` on accuracy." in rest


def test_side_effects_count_only_where_the_declared_family_shows_them() -> None:
    won = contrast("weighted", GAP, -0.13, "better")
    brier = contrast("weighted", "brier_score", 0.02, "worse")
    assert any("worse on brier score" in s for s in paragraph([won, brier]))
    uncorrected = brier._replace(p_adjusted=None)
    assert not any("worse on brier score" in s for s in paragraph([won, uncorrected]))


VERDICTS = st.sampled_from(["better", "worse", NOTHING, "undefined"])


@given(st.lists(VERDICTS, min_size=4, max_size=4))
@settings(max_examples=120, deadline=None)
def test_only_what_is_shown_better_and_worse_on_nothing_is_ever_shipped(
    verdicts: list[str],
) -> None:
    grid = {
        "lora": {"accuracy": verdicts[0], GAP: verdicts[1]},
        "weighted": {"accuracy": verdicts[2], GAP: verdicts[3]},
    }
    found = [contrast(s, m, 0.02, v) for s, row in grid.items() for m, v in row.items()]
    text = " ".join(paragraph(found))
    for label, row in grid.items():
        if f"ship `{label}`" in text:
            assert "better" in row.values()
            assert "worse" not in row.values()
        if "better" not in row.values():
            assert f"`{label}` is a trade" not in text
    if "better" not in verdicts:
        assert "ship `" not in text


@given(
    n=st.integers(30, 10**6),
    mde=st.floats(1e-4, 1),
    difference=st.floats(1e-4, 1),
)
def test_more_examples_shrink_the_detectable_effect_as_the_root_of_n(
    n: int, mde: float, difference: float
) -> None:
    c = contrast("lora", "accuracy", -difference, NOTHING)
    found = more_examples(c._replace(n=n, minimum_detectable_effect=mde))
    exact = n * ((mde / difference) ** 2 - 1)
    if exact < 1:
        assert found is None
    else:
        assert found is not None
        assert 0.9 * exact - 1 <= found <= exact


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_more_examples_are_unknown_without_a_detectable_effect(unknown: float | None) -> None:
    c = contrast("lora", "accuracy", 0.01, NOTHING)
    assert more_examples(c._replace(minimum_detectable_effect=unknown)) is None
