"""Evidence in, results out: rows of every seed, definitions, and strategies on other examples."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests._evidence import evidence
from tunefair.audits.trade_off import pareto_probability
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings, BadInputError
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.intervals import interval

SETTINGS = AuditSettings(replicates=100)
AUDITS = ("accuracy", "calibration", "group_fairness", "trade_off", "cost")


@pytest.fixture(scope="module")
def results():
    strategies = [
        evidence(600, strategy="full"),
        evidence(600, strategy="lora", seed=1),
        evidence(600, strategy="majority", seeds=(0,), seed=2),
    ]
    return measure(strategies, SETTINGS, audits=AUDITS, reference="full")


def test_rows_of_the_mean_and_of_every_seed(results):
    rows = [m for m in results.measurements if (m.strategy, m.metric) == ("full", "log_loss")]
    whole = {m.seed: m.value for m in rows if m.group == ""}
    assert set(whole) == {None, 0, 1, 2}
    assert whole[None] == pytest.approx(np.mean([whole[0], whole[1], whole[2]]))


def test_a_seed_alone_has_a_narrower_interval_for_it_lacks_the_seeds():
    # three seeds whose accuracies differ widely: the mean's interval must show it
    made = evidence(2000)
    fixed = made.test[0].with_probability(np.eye(2)[made.test[0].label])
    rows = measure([replace(made, test=(fixed, *made.test[1:]))], SETTINGS, audits=["accuracy"])
    width = {m.seed: m.high - m.low for m in rows.measurements if m.metric == "accuracy"}
    assert width[None] > 5 * width[1]


def test_one_number_one_row(results):
    keys = [(*m[1:6], m.strategy, m.seed) for m in results.measurements]
    assert len(keys) == len(set(keys))


def test_every_metric_is_defined(results):
    assert {m.metric for m in results.measurements} <= set(results.definitions)


def test_diagrams_and_points(results):
    assert {b.strategy for b in results.reliability} == {"full", "lora", "majority"}
    assert {b.posthoc for b in results.reliability} == {"", "temperature"}
    for b in results.reliability:
        assert b.low <= b.observed <= b.high
        assert b.low_edge - 1e-9 <= b.mean_probability <= b.high_edge + 1e-9
    total = sum(
        b.n for b in results.reliability if (b.strategy, b.group, b.posthoc) == ("full", "", "")
    )
    assert total == pytest.approx(600, abs=8)  # rounded means over seeds
    assert [p.strategy for p in results.trade_off] == ["full", "lora", "majority"]


def test_strategies_on_other_examples_are_compared_on_the_shared_ones():
    one = evidence(600, strategy="one")
    rows = np.arange(200, 600)
    other = replace(one, strategy="other", test=tuple(p.take(rows) for p in one.test))
    found = measure([one, other], SETTINGS, audits=["accuracy"], reference="one")
    n = {m.strategy: m.n for m in found.measurements if m.metric == "accuracy"}
    assert n == {"one": 600, "other": 400}
    contrast = next(c for c in found.contrasts if c.metric == "accuracy")
    assert (contrast.n, contrast.difference) == (400, 0)


def test_no_shared_example_is_refused():
    one = evidence(100, strategy="one")
    ids = np.char.add("z", one.test[0].example_id)
    other = replace(
        one, strategy="other", test=tuple(replace(p, example_id=ids) for p in one.test)
    )
    with pytest.raises(BadInputError, match="share no example id"):
        measure([one, other], SETTINGS, audits=["accuracy"], reference="one")


def test_an_unknown_audit_is_refused():
    with pytest.raises(BadInputError, match="named 'accuracies'"):
        measure([evidence(100)], SETTINGS, audits=["accuracies"])


def test_only_some_metrics_are_the_same_numbers():
    made = evidence(500)
    wanted = ("expected_calibration_error", "accuracy")
    whole = measure([made], SETTINGS, audits=AUDITS[:3]).measurements
    some = measure([made], replace(SETTINGS, only=wanted), audits=AUDITS[:3]).measurements
    assert {m for m in some if m.metric in wanted} == {m for m in whole if m.metric in wanted}


class TestIntervals:
    def estimate(self, values, family="rate", n=100, **more):
        return Estimate(metric="x", values=np.atleast_2d(values), n=n, family=family, **more)

    def test_a_rate_that_never_missed_still_has_a_width(self):
        low, high, *_ = interval(self.estimate(np.ones(200)), (0, 1))
        assert high == 1
        assert 0.94 < low < 0.98  # Wilson at 100 of 100: 0.963

    def test_wilson_with_one_seed_is_wilson(self):
        rng = np.random.default_rng(0)
        drawn = rng.binomial(100, 0.3, 20_000) / 100
        low, high, *_ = interval(self.estimate(np.concatenate([[0.3], drawn])), (0, 1))
        assert (low, high) == pytest.approx((0.219, 0.396), abs=0.004)

    def test_nothing_leaves_the_range(self):
        drawn = np.random.default_rng(0).normal(0.02, 0.05, 500)
        low, high, *_ = interval(
            self.estimate(np.concatenate([[0.02], drawn]), family="mean"), (0, 1)
        )
        assert low == 0
        assert high > 0.02


def test_pareto_by_hand():
    # strategy 0 beats 1 on both axes in the first draw only; 2 trades one axis for the other
    axes = np.array(
        [[[0.9, 0.7], [0.9, 0.7]], [[0.8, 0.8], [0.8, 0.8]], [[0.95, 0.9], [0.1, 0.1]]]
    )
    assert pareto_probability(axes) == pytest.approx([0.5, 0.5, 1.0])


def test_numbers_need_no_torch():
    code = (
        "import sys; from tunefair.measuring.measure import measure;"
        "from tests._evidence import evidence;"
        "from tunefair.schema import AuditSettings;"
        f"measure([evidence(200)], AuditSettings(replicates=10), audits={AUDITS!r});"
        "assert not {'torch', 'transformers', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
