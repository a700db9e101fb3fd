"""What the page says of a search: who leads with how many trials, the price, edges of ranges."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ndtri

from tests._results import EMBEDDED, facts, results
from tunefair.facts import (
    BudgetPoint,
    SearchedOption,
    TrialFacts,
    TuningCrossing,
    TuningCurvePoint,
    TuningFacts,
)
from tunefair.reporting import report, search
from tunefair.reporting.sheet import sheet
from tunefair.schema import AuditSettings, Place
from tunefair.suite import Tuning
from tunefair.tuning import on_test
from tunefair.tuning.choice import Scored
from tunefair.tuning.curve import curve
from tunefair.tuning.trials import Trial

FEW = {k: EMBEDDED[k] for k in ("full", "weighted")}
WANTED = on_test.Wanted(
    performance="accuracy", gap="equalized_odds_difference", settings=AuditSettings()
)
TRIALS, EXAMPLES = 8, 3000


def trial(strategy, number, validation):
    cell = SimpleNamespace(id=f"{strategy}{number}", seed=number)
    return Scored(Trial(strategy, number, {}, 1.0, cell), validation)


def planted(rng, *, level, slope):
    """Trials whose validation log loss tells their true accuracy, and what they answered.

    Returns log losses (T,), true accuracies (T,) and measured ones with draws (T, 1 + draws).
    """
    merit = rng.permutation(ndtri((np.arange(TRIALS) + 0.5) / TRIALS))
    true = level + slope * merit
    hits = rng.binomial(EXAMPLES, true) / EXAMPLES
    draws = hits[:, None] + 0.006 * rng.standard_normal(400)  # the examples move all alike
    return 0.5 - 0.05 * merit, true, np.column_stack([hits, draws])


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_task_is_told_at_the_right_k(seed):
    """`full` is better untuned, `weighted` from a few trials on: the answer says from when."""
    rng = np.random.default_rng(seed)
    made = {
        "full": planted(rng, level=0.75, slope=0.002),
        "weighted": planted(rng, level=0.69, slope=0.09),
    }
    lines = {label: curve(-loss, true) for label, (loss, true, _) in made.items()}
    right = 1 + int((lines["weighted"] > lines["full"]).argmax())
    first = {
        label: [trial(label, i + 1, float(v)) for i, v in enumerate(loss)]
        for label, (loss, _, _) in made.items()
    }
    values = {Place("accuracy"): {label: test for label, (_, _, test) in made.items()}}
    points, crossed = on_test.curves(first, values, WANTED, Tuning(trials=TRIALS, seed=seed))
    tuning = TuningFacts(
        rule="log_loss", sampler="qmc", curves=tuple(points), crossings=tuple(crossed)
    )
    shown = sheet(results(FEW), facts(FEW, tuning=tuning))
    (text,) = [s.text for s in search.sentences(shown) if s.kind == "evidence"]
    (crossing,) = crossed
    assert (crossing.before, crossing.after) == ("full", "weighted")
    assert crossing.k == right
    number = ("no", "one", "two", "three", "four", "five")[right]
    plain = text.replace("\u2068", "").replace("\u2069", "")
    assert plain.startswith(
        f"On accuracy, with one trial full leads; from {number} on weighted does ("
    )
    assert crossing.share > 0.5


def searched(value=None, **more):
    """Facts of a search of one strategy with five trials, of which one was chosen."""
    rates = [5e-5, 5e-6, 2e-5, 2e-4, 5e-4]
    value = 5e-5 if value is None else value
    trials = tuple(
        TrialFacts(
            "full",
            i + 1,
            {"learning_rate": rate},
            0.3,
            0.5 + i / 100,
            rate == value,
            0.7,
            seed=i + 10,
            cell=f"c{i}",
            flops=1e12,
            seconds=60.0,
        )
        for i, rate in enumerate(rates)
    )
    options = (SearchedOption("full", "learning_rate", 5e-6, 5e-4, True),)
    return TuningFacts(rule="log_loss", sampler="qmc", trials=trials, options=options, **more)


@pytest.mark.parametrize(
    ("value", "words"),
    [(5e-4, "the largest tried (0.0005)"), (5e-6, "the smallest tried (5e-06)"), (2e-4, "")],
)
def test_an_option_at_the_edge_of_its_range_is_a_caution(value, words):
    found = search.edges(searched(value))
    assert found == ({"full": [f"the best learning rate is {words}"]} if words else {})


def test_the_price_is_tuning_beside_training():
    made = facts(FEW, tuning=searched())
    grid = search.price(sheet(results(FEW), made))
    (row,) = grid.rows
    ledgers = [c.ledger for c in made.cells if c.strategy == "full" and c.ledger]
    assert ledgers
    assert [t.text for t in row[:3]] == ["full", "5", "5 TFLOP"]
    total = 5e12 + sum(x.flops for x in ledgers)
    assert row[4].text.startswith(f"{total / 1e12:.3g}"[:3]) or "P" in row[4].text


def test_no_order_is_claimed_from_few_draws():
    points = tuple(
        TuningCurvePoint(label, "accuracy", "", "", k, v, v - 0.1, v + 0.1, 0.5)
        for label, values in {"full": (0.7, 0.7), "weighted": (0.69, 0.71)}.items()
        for k, v in enumerate(values, start=1)
    )
    crossing = TuningCrossing("accuracy", "", "full", "weighted", 2, 0.3)
    tuning = searched(curves=points, crossings=(crossing,))
    (text,) = [
        s.text
        for s in search.sentences(sheet(results(FEW), facts(FEW, tuning=tuning)))
        if s.kind == "evidence"
    ]
    assert text.endswith("(30 % of draws): too few to call the order known.")


def test_the_page_shows_curves_budgets_price_and_every_trial():
    points = tuple(
        TuningCurvePoint(label, metric, attribute, group, k, 0.7, 0.6, 0.8, 0.5)
        for label in FEW
        for metric, attribute, group in (
            ("accuracy", "", ""),
            ("equalized_odds_difference", "target", "gap"),
        )
        for k in range(1, 6)
    )
    budgets = tuple(
        BudgetPoint(label, b, "accuracy", "", "", 0.7, 0.6, 0.8)
        for label in FEW
        for b in (0.3, 1.0)
    )
    tuning = searched(curves=points, budgets=budgets, notes=("full: </script> nothing to tune",))
    html = report.render(results(FEW), facts(FEW, tuning=tuning))
    assert '<section id="tuning"' in html or 'id="tuning"' in html
    for words in ("What it cost", "What mattered", "At other budgets", "Every trial", "5 TFLOP"):
        assert words in html
    assert "</script> nothing" not in html


def test_a_run_without_a_search_has_no_such_section():
    html = report.render(results(FEW), facts(FEW))
    assert "What mattered" not in html
    assert list(search.sentences(sheet(results(FEW), facts(FEW)))) == []


def test_facts_of_a_search_survive_a_file(tmp_path):
    from tunefair.storage import run_folder

    tuning = searched(notes=("full: a note",))
    made = replace(facts(FEW, tuning=tuning), cells=())
    run_folder.write_facts(tmp_path, made)
    assert run_folder.read_facts(tmp_path).tuning == tuning
