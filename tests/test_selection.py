"""Selection: checkpoints judged on validation; training itself never notices."""

from dataclasses import replace

import numpy as np
import pytest

from tests import _runs, _tiny
from tunefair import plugins
from tunefair.audit import declared
from tunefair.facts import CellFacts, RunFacts, StrategyFacts
from tunefair.measuring.measure import measure
from tunefair.preparing import prepare
from tunefair.preparing.run_facts import _selection_rule, _strategy_facts
from tunefair.reporting import tables
from tunefair.reporting.comparison import _reads
from tunefair.reporting.sheet import sheet
from tunefair.schema import AuditSettings, BadInputError, Evidence, Results
from tunefair.statistics.sample import Sample
from tunefair.suite import Budget, Training
from tunefair.training import device, selection
from tunefair.training.budget import Meter
from tunefair.training.learn import learn
from tunefair.training.tokens import ORIGINAL

CPU = device.choose("cpu", "fp32")
RULES = tuple(selection.RULES)
NAMES = plugins.names("tunefair.strategies")


pytestmark = pytest.mark.usefixtures("frozen_heap")


@pytest.fixture(scope="module")
def task():
    return _tiny.task(n=96)


@pytest.fixture(scope="module")
def llama_tokens(task, tmp_path_factory):
    return _tiny.encoded(task, tmp_path_factory.mktemp("tokens"), "llama")


def cell(rule, use="full", checkpoints=4, steps=8, **more):
    training = {"batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"}
    training |= {"selection": rule, "checkpoints": checkpoints}
    return _tiny.cells(use, budget=("steps", steps), training=training, **more)[0]


def scores_are(monkeypatch, values):
    """Let the checkpoints score these values; return where their answers are noted."""
    seen, left = [], iter(values)

    def score(metric, answers, attribute):
        seen.append(answers.probability)
        return next(left), "made up"

    monkeypatch.setattr(selection, "_score", score)
    return seen


def same(one, other):
    assert one.curve == other.curve
    for view in one.test:
        assert (one.test[view].probability == other.test[view].probability).all()
    assert (one.validation.probability == other.validation.probability).all()


@pytest.mark.parametrize("use", NAMES)
def test_training_does_not_notice(use, task, tokens, monkeypatch):
    """Where the last checkpoint is the best, every byte is that of the rule `last`."""
    scores_are(monkeypatch, range(99, 0, -1))  # more than four where there are two stages
    kept = _tiny.run(cell("validation_log_loss", use), task, tokens)
    same(kept, _tiny.run(cell("last", use), task, tokens))
    assert kept.ledger.kept_fraction == 1


@pytest.mark.parametrize("architecture", ["llama"])
@pytest.mark.parametrize("use", ["full", "lora+adversarial"])
def test_a_decoder_does_not_notice_either(use, architecture, task, llama_tokens, monkeypatch):
    scores_are(monkeypatch, [4, 3, 2, 1])
    both = [
        _tiny.run(cell(rule, use, architecture=architecture), task, llama_tokens)
        for rule in ("validation_log_loss", "last")
    ]
    same(*both)


@pytest.mark.parametrize("use", ["full", "lora", "head_only", "peft"])
@pytest.mark.parametrize("best", range(4))
def test_the_best_checkpoint_predicts(use, best, task, tokens, monkeypatch):
    """Its very answers on validation come back at the end."""
    scores = np.ones(4)
    scores[best] = 0
    seen = scores_are(monkeypatch, scores)
    outcome = _tiny.run(cell("validation_log_loss", use), task, tokens)
    assert (outcome.validation.probability == seen[best]).all()
    assert outcome.ledger.kept_fraction == (best + 1) / 4
    assert outcome.ledger.kept_because == "validation_log_loss 0"
    assert len({s.tobytes() for s in seen}) == 4


@pytest.mark.parametrize(("rule", "best"), [("validation_log_loss", 3), ("validation_dto", 3)])
def test_of_two_that_score_the_same_the_later_one_is_kept(rule, best, task, tokens, monkeypatch):
    scores_are(monkeypatch, [0.3, 0.5, 0.9, 0.3])
    ledger = _tiny.run(cell(rule), task, tokens).ledger
    assert ledger.kept_fraction == (best + 1) / 4


def test_higher_is_better_where_the_metric_says_so(task, tokens, monkeypatch):
    scores_are(monkeypatch, [0.3, 0.9, 0.5, 0.3])
    assert _tiny.run(cell("validation_worst_group"), task, tokens).ledger.kept_fraction == 0.5


def test_an_undefined_score_never_wins(task, tokens, monkeypatch):
    scores_are(monkeypatch, [float("nan"), 0.9, 0.5, float("nan")])
    assert _tiny.run(cell("validation_log_loss"), task, tokens).ledger.kept_fraction == 0.75


@pytest.mark.parametrize("rule", ["validation_worst_group", "validation_dto"])
def test_without_a_large_group_the_last_step_predicts_and_says_why(rule, tokens, task):
    split = task.split.astype("<U10")
    split[np.flatnonzero(split == "validation")[29:]] = "unused"
    small = replace(task, split=split)
    outcome = _tiny.run(cell(rule), small, tokens)
    assert outcome.ledger.kept_fraction == 1
    assert outcome.ledger.kept_because == (
        f"last step: {rule} is undefined (no validation group has 30 examples)"
    )
    assert (
        outcome.test[ORIGINAL].probability
        == _tiny.run(cell("last"), small, tokens).test[ORIGINAL].probability
    ).all()


@pytest.mark.parametrize("rule", RULES)
def test_the_score_is_the_audits_number(rule, task, tokens):
    """As a run's audits would measure it, were validation the test set."""
    answers = _tiny.run(cell("last"), task, tokens).validation
    metric = selection.RULES[rule]
    where = "" if metric == "log_loss" else "group"
    score, _ = selection._score(metric, answers, where)
    settings = AuditSettings(replicates=100)
    found = measure(
        [Evidence(strategy="a", seeds=(0,), test=(answers,))],
        settings,
        audits=[declared()[metric][0][0]],
    )
    (expected,) = (
        m.value
        for m in found.measurements
        if (m.metric, m.attribute, m.seed) == (metric, where, None)
    )
    assert score == pytest.approx(expected, abs=1e-12)
    assert 0 < score < 1


def test_groups_read_to_select_are_shown_with_the_strategys():
    for rule, expected in (("last", []), ("validation_dto", ["validation"])):
        assert sorted(_strategy_facts(cell(rule), {}).needs_groups_in) == expected
    facts = _strategy_facts(cell("validation_dto", "group_temperature"), {})
    assert _reads(facts).text == "train and validation and inference"


def test_more_checkpoints_than_steps_are_one_a_step(task, tokens, monkeypatch):
    seen = scores_are(monkeypatch, np.arange(9, 0, -1))
    _tiny.run(cell("validation_log_loss", checkpoints=100, steps=3), task, tokens)
    assert len(seen) == 3


def test_only_log_loss_reads_no_groups(task, tokens, monkeypatch):
    seen = []
    init = Sample.__init__

    def note(self, evidence, settings):
        seen.append(set(evidence[0].test[0].groups))
        init(self, evidence, settings)

    monkeypatch.setattr(Sample, "__init__", note)
    two = replace(task, groups=task.groups | {"other": task.example_id})
    for rule in RULES:
        learn(cell(rule, checkpoints=1, steps=1), two, tokens, CPU, lambda f, w: None)
    assert seen == [set(), {"group"}, {"group"}]


@pytest.mark.parametrize("rule", ["validation_worst_group", "validation_dto"])
def test_a_task_without_groups_is_refused_before_training(rule, task):
    bare = replace(task, groups={})
    with pytest.raises(BadInputError, match=f"training.selection = '{rule}': needs groups"):
        prepare.check_selection(Training(selection=rule), bare, "")
    for fine in ("last", "validation_log_loss"):
        prepare.check_selection(Training(selection=fine), bare, "")


def test_the_clock_stands_still_while_validation_answers(monkeypatch):
    clock = iter([0.0, 5.0, 9.0, 10.0])
    meter = Meter(Budget(currency="seconds", amount=100))
    monkeypatch.setattr("tunefair.training.budget.time.perf_counter", lambda: next(clock))
    meter.start()
    with meter.paused():
        pass
    assert meter.seconds == 6.0


def test_the_report_says_which_checkpoint_predicts():
    ledgers = [
        replace(_runs.ledger(0), kept_fraction=0.4, kept_because="validation_dto 0.31"),
        None,
    ]
    cells = tuple(CellFacts(strategy="a", seed=i, ledger=x) for i, x in enumerate(ledgers))
    facts = RunFacts(suite="s", strategies=(StrategyFacts(label="a", use="a"),), cells=cells)
    grid = tables.cost(sheet(Results(measurements=()), facts))
    assert grid.columns[-1] == "weights kept at"
    assert (grid.rows[0][-1].text, grid.rows[0][-1].under) == (
        "40% of budget",
        "validation dto 0.31",
    )
    assert grid.rows[1][-1].text == "–"
    plain = replace(facts, cells=(CellFacts(strategy="a", seed=0, ledger=_runs.ledger(0)),))
    assert "weights kept at" not in tables.cost(sheet(Results(measurements=()), plain)).columns


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("last", "nothing was selected on any split"),
        ("validation_log_loss", "the best of 5 checkpoints by validation_log_loss"),
        ("validation_dto", "validation groups were used"),
    ],
)
def test_the_rule_is_said(rule, words):
    assert words in _selection_rule(Training(selection=rule))
