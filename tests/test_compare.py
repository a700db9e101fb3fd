"""Contrasts: paired, corrected, and honest about what the data cannot say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tests._evidence import evidence
from tests._population import Population
from tunefair.measuring.contrasts import HEADLINE, Side, contrasts, difference, differences, holm
from tunefair.measuring.measure import measure, paired_differences
from tunefair.schema import AuditSettings, Metric, Place

SETTINGS = AuditSettings(replicates=200)
AUDITS = ("accuracy", "calibration", "group_fairness")


def metric(better="higher"):
    return Metric(better=better, low=-1, high=1, reference="-", definition="-")


def side(theta, draws=None, family="mean", seeds=None, n=100):
    theta = np.atleast_1d(np.asarray(theta, dtype=float))
    draws = np.full(2000, theta.mean()) if draws is None else draws
    return Side(theta, draws, seeds or tuple(range(len(theta))), family, n, "")


def draws(mean, deviation, seed=0):
    return mean + deviation * np.random.default_rng(seed).normal(size=2000)


def better_by(made, amount, strategy):
    """Return the same answers, of which a share was corrected."""
    rng = np.random.default_rng(3)

    def fixed(p):
        fixed = rng.random(len(p.label)) < amount
        return p.with_probability(
            np.where(fixed[:, None], np.eye(len(p.classes))[p.label] * 0.9 + 0.05, p.probability)
        )

    return replace(made, strategy=strategy, test=tuple(fixed(p) for p in made.test))


class TestDifference:
    def test_examples_cancel_when_paired(self):
        shared = draws(0, 0.05)
        found = difference(
            side([0.8], 0.8 + shared), side([0.7], 0.7 + shared), metric(), matched=True
        )
        assert found.value == pytest.approx(0.1)
        assert found.spread.total == pytest.approx(0, abs=1e-12)

    def test_seeds_pair_only_when_matched(self):
        one, other = side([0.7, 0.8, 0.9]), side([0.6, 0.7, 0.8])
        assert difference(one, other, metric(), matched=True).spread.total == pytest.approx(0)
        apart = difference(one, other, metric(), matched=False)
        assert apart.spread.total == pytest.approx(np.sqrt(2 * 0.01 / 3))
        assert apart.spread.df == pytest.approx(4)

    def test_satterthwaite_by_hand(self):
        found = difference(
            side([0.7, 0.8, 0.9], draws(0.8, 0.03)), side([0.75]), metric(), matched=True
        )
        examples, seeds = draws(0, 0.03).var(ddof=1), 0.01 / 3
        total = examples + seeds
        assert found.spread.total == pytest.approx(np.sqrt(total))
        assert found.spread.df == pytest.approx(total**2 / (seeds**2 / 2 + examples**2 / 1e6))

    def test_a_single_seed_is_paired_with_every_seed(self):
        found = difference(side([0.7, 0.8, 0.9]), side([0.6]), metric(), matched=True)
        assert found.value == pytest.approx(0.2)
        assert found.seeds == 3

    @pytest.mark.parametrize("family", ["gap", "ratio", "error", "worst"])
    def test_biased_families_are_centred(self, family):
        one, other = (
            side([0.3], draws(0.35, 0.02), family),
            side([0.2], draws(0.2, 0.02, 1), family),
        )
        found = difference(one, other, metric("lower"), matched=True)
        assert found.value == pytest.approx(0.1)
        assert found.bias == pytest.approx(0.05, abs=0.005)
        assert found.loss == pytest.approx(0.05, abs=0.005)

    @pytest.mark.parametrize(
        ("better", "first", "second", "sign"),
        [
            ("higher", 0.7, 0.8, 1),
            ("higher", 0.8, 0.7, -1),
            ("lower", 0.7, 0.8, -1),
            ("lower", 0.8, 0.7, 1),
            ("zero", -0.3, 0.1, 1),
            ("zero", 0.1, -0.3, -1),
            ("zero", 0.3, 0.1, 1),
            ("one", 0.8, 0.9, 1),
            ("one", 1.3, 0.9, 1),
        ],
    )
    def test_loss_points_away_from_the_best(self, better, first, second, sign):
        found = difference(
            side([first], draws(first, 0.01)), side([second]), metric(better), matched=True
        )
        assert np.sign(found.loss) == sign
        assert (found.p_loss() < 0.05) == (sign > 0)

    def test_loss_beyond_a_tolerance(self):
        found = difference(side([0.70], draws(0.7, 0.01)), side([0.75]), metric(), matched=True)
        assert found.p_loss(beyond=0.02) < 0.05
        assert found.p_loss(beyond=0.05) == pytest.approx(0.5, abs=0.01)
        assert found.p_loss(beyond=0.08) > 0.95

    def test_detectable_is_what_a_test_finds_with_that_power(self):
        rng = np.random.default_rng(0)
        found = difference(side([0.5], draws(0.5, 0.01)), side([0.5]), metric(), matched=True)
        effect = found.detectable(power=0.8)
        hits = [
            difference(
                side([0.5 + effect + error], draws(0.5 + effect + error, 0.01)),
                side([0.5]),
                metric(),
                matched=True,
            ).p_value
            < 0.05
            for error in 0.01 * rng.normal(size=2000)
        ]
        assert np.mean(hits) == pytest.approx(0.8, abs=0.03)

    def test_the_typical_detectable_effect_of_three_seeds_is_found(self):
        """Though their standard error is more often too small than too large."""
        rng = np.random.default_rng(0)

        def made(effect):
            shared = 0.01 * rng.normal()
            theta = 0.5 + effect + shared + 0.01 * rng.normal(size=3)
            return difference(
                side(theta, draws(theta.mean(), 0.01)), side([0.5] * 3), metric(), matched=True
            )

        effect = np.median([made(0).detectable() for _ in range(1000)])
        assert 0.7 <= np.mean([made(effect).p_value < 0.05 for _ in range(1000)]) <= 0.9

    def test_undefined_stays_undefined(self):
        lost = Side(np.array([np.nan]), np.full(2000, np.nan), (0,), "mean", 0, "no positives")
        found = {Place("x"): difference(lost, side([1]), metric(), matched=True)}
        contrast = contrasts([("a", "b", found)])[0]
        assert contrast.verdict == "undefined"
        assert contrast.undefined == "no positives"
        assert contrast.p_value is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_that_of_statsmodels(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_holm_of_nothing():
    assert holm([]) == []


class TestContrasts:
    def compared(self, amount, seeds=(0, 1, 2)):
        made = evidence(1500, strategy="full", seeds=seeds)
        single = replace(made, strategy="yardstick", seeds=(0,), test=made.test[:1], validation=())
        found = measure(
            [made, better_by(made, amount, "fixed"), single],
            SETTINGS,
            audits=AUDITS,
            reference="full",
            pairs=[("fixed", "yardstick")],
        )
        return found.contrasts

    def test_a_real_gain_is_shown(self):
        by_key = {(c.strategy, c.reference, c.metric, c.group): c for c in self.compared(0.3)}
        shown = by_key["fixed", "full", "accuracy", ""]
        assert shown.verdict == "better"
        assert shown.low > 0
        assert by_key["fixed", "full", "log_loss", ""].verdict == "better"
        assert by_key["fixed", "yardstick", "accuracy", ""].verdict == "better"

    def test_the_same_answers_show_nothing(self):
        for c in self.compared(0.0):
            if c.strategy == "fixed" and c.reference == "full":
                assert c.difference == 0
                assert c.verdict == "no evidence of a difference"

    def test_a_gap_has_no_interval_for_its_change(self):
        for c in self.compared(0.1):
            named = c.metric.endswith(("_difference", "_ratio")) or c.metric.startswith("worst")
            if c.group == "gap" and named:
                assert c.low is None
                assert c.high is None
                assert c.p_value is not None

    def test_a_named_group_has_one(self):
        rates = [c for c in self.compared(0.1) if c.metric == "true_positive_rate"]
        assert rates
        assert all(c.low <= c.difference <= c.high for c in rates)

    def test_the_family_is_the_headline_of_all_pairs(self):
        adjusted = [c for c in self.compared(0.1) if c.p_adjusted is not None]
        assert {c.metric for c in adjusted} == set(HEADLINE)
        assert {(c.strategy, c.reference) for c in adjusted} == {
            ("fixed", "full"),
            ("yardstick", "full"),
            ("fixed", "yardstick"),
        }
        assert all(c.p_adjusted >= c.p_value for c in adjusted)

    def test_what_a_suite_declares_joins_the_family(self):
        made = evidence(600)
        both = [made, better_by(made, 0.1, "fixed")]
        declared = replace(SETTINGS, claims=("roc_auc", "accuracy_difference"))
        found = measure(both, declared, audits=AUDITS, reference="full").contrasts
        adjusted = [c for c in found if c.p_adjusted is not None]
        assert {c.metric for c in adjusted} == {*HEADLINE, *declared.claims}
        assert [c.p_adjusted for c in adjusted] == pytest.approx(
            holm([c.p_value for c in adjusted])
        )
        assert all(c.group in ("", "gap") for c in adjusted)

    def test_no_direction_no_contrast(self):
        metrics = {c.metric for c in self.compared(0.1)}
        assert metrics.isdisjoint({"n", "base_rate", "selection_rate", "brier_uncertainty"})


class TestGateDifferences:
    def test_a_worse_run_is_a_loss_whatever_its_seeds(self):
        baseline = better_by(evidence(1500, seeds=(0, 1, 2)), 0.3, "full")
        run = evidence(1500, seeds=(7, 8), seed=5)
        found = paired_differences(run, baseline, SETTINGS, audits=AUDITS)
        loss = found[Place("accuracy")]
        assert loss.loss > 0
        assert loss.p_loss() < 0.01
        assert not loss.undefined

    def test_only_shared_examples_are_compared(self):
        baseline = evidence(500)
        rows = np.arange(100, 500)
        run = replace(baseline, test=tuple(p.take(rows) for p in baseline.test))
        found = paired_differences(run, baseline, SETTINGS, audits=["accuracy"])
        assert found[Place("accuracy")].n == 400
        assert found[Place("accuracy")].value == 0


@pytest.mark.slow
def test_false_alarms_of_the_same_strategy():
    share = np.array([0.4, 0.35, 0.25])
    population = Population(
        share=share, base=np.full(3, 0.5), tpr=np.full(3, 0.8), fpr=np.full(3, 0.26)
    )
    rng = np.random.default_rng(1)
    claims, wrong = [], []
    for _ in range(150):
        texts = population.texts(500, rng)
        made = [
            population.evidence(texts, population.train(3, rng), rng, name) for name in ("a", "b")
        ]
        found = measure(
            made,
            replace(SETTINGS, only=HEADLINE, min_group_size=20),
            audits=AUDITS,
            reference="a",
        ).contrasts
        family = [c for c in found if c.p_adjusted is not None]
        claims.append(any(c.p_adjusted < 0.05 for c in family))
        wrong += [c.p_value < 0.05 for c in family]
    assert np.mean(wrong) <= 0.06
    assert np.mean(claims) <= 0.08


def test_pairs_need_known_strategies():
    with pytest.raises(Exception, match="no strategy 'fulll'"):
        measure([evidence(100)], SETTINGS, audits=["accuracy"], reference="fulll")


def test_every_place_of_both_sides():
    place, other = Place("x"), Place("y")
    metrics = {"x": metric(), "y": metric("neither")}
    both = {place: side([0.5]), other: side([0.5])}
    assert set(differences(both, both, metrics)) == {place}
    assert differences(both, {}, metrics) == {}
