"""Seed variances moderated over strategies, and tests that average over what they may be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from scipy.integrate import quad

from tests._evidence import evidence
from tests._population import Population
from tests._runs import ledger
from tunefair.measuring.contrasts import ONE_SEED
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings
from tunefair.statistics.moderation import inverse_trigamma, prior
from tunefair.statistics.spread import MANY, Spread, spread


def by_brute_force(variances, df):
    """Return s₀² and d₀ as limma's fitFDist defines them, by root finding instead of Newton."""
    e = np.log(variances) - special.digamma(df / 2) + np.log(df / 2)
    beyond = np.mean((e - e.mean()) ** 2 * len(e) / (len(e) - 1) - special.polygamma(1, df / 2))
    if beyond <= 0:
        return None
    half = optimize.brentq(lambda y: special.polygamma(1, y) - beyond, 1e-8, 1e8)
    return np.exp(e.mean() + special.digamma(half) - np.log(half)), 2 * half


class TestModeration:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.floats(1e-6, 1e3), min_size=3, max_size=12),
        st.integers(1, 9),
    )
    def test_is_smyths_empirical_bayes(self, variances, df):
        found = prior(variances, [df] * len(variances))
        # the product sets what is far below the median to a floor; here nothing is
        variances = np.maximum(variances, 1e-5 * np.median(variances))
        expected = by_brute_force(variances, df)
        if expected is None or np.isinf(found.df):
            assert found.df == np.inf or expected[1] > 1e5
            assert found.variance == pytest.approx(np.mean(variances), rel=1e-4)
            return
        variance, own = expected
        assert (found.variance, found.df) == pytest.approx((variance, own), rel=1e-6)
        moderated, total = found.moderated(2.0, df)
        own = min(own, 2 * df)  # which Smyth does not bound
        assert moderated == pytest.approx((own * variance + df * 2.0) / (own + df))
        assert total == pytest.approx(min(own + df, df * len(variances)))

    def test_alike_variances_are_averaged(self):
        found = prior([1.0, 1.1, 0.9], [2, 2, 4])
        assert found.variance == pytest.approx(np.average([1, 1.1, 0.9], weights=[2, 2, 4]))
        assert found.df == np.inf
        assert found.most == 8

    def test_others_are_worth_twice_ones_own_seeds_at_most(self):
        found = prior([1.0] * 6, [2] * 6)
        assert found.moderated(4.0, 2) == pytest.approx((2.0, 6))
        assert prior([1.0, 1.0], [2, 2]).moderated(4.0, 2) == pytest.approx((2.0, 4))

    def test_one_strategy_alone_has_its_own(self):
        assert prior([1.0], [2]) is None
        assert prior([], []) is None

    def test_a_collapsed_seed_does_not_lift_the_others(self):
        calm = [1e-4, 1.5e-4, 0.7e-4, 1.2e-4, 0.9e-4]
        found = prior([*calm, 4e-2], [2] * 6)
        assert found.moderated(1e-4, 2)[0] < 1e-3
        assert found.moderated(4e-2, 2)[0] > 1e-2

    def test_a_strategy_whose_seeds_agree_wholly_is_no_error(self):
        found = prior([0.0, 1e-4, 2e-4], [2, 2, 2])
        assert 0 < found.moderated(0.0, 2)[0] < 1e-4
        assert prior([0.0, 0.0], [2, 2]).moderated(0.0, 2) == (0.0, 4)

    @pytest.mark.parametrize("value", [1e-4, 0.3, 1.6, 40.0])
    def test_the_inverse_of_trigamma(self, value):
        assert special.polygamma(1, inverse_trigamma(value)) == pytest.approx(value)


def integrated(examples, seeds, df, distance):
    """Return the fiducial tail by adaptive integration over the χ² of the seeds' variance."""

    def at(u):
        c = np.exp(u)
        return (
            stats.chi2.pdf(c * df, df)
            * df
            * c
            * stats.norm.sf(distance / np.sqrt(examples + seeds / c))
        )

    pieces = ((-40, -10), (-10, -2), (-2, 0), (0, 6))
    return sum(quad(at, *piece, limit=300)[0] for piece in pieces)


class TestSpread:
    @pytest.mark.parametrize("df", [1, 2, 4.7, 12, 60])
    @pytest.mark.parametrize("ratio", [0.01, 0.3, 1, 20])
    def test_a_tail_is_the_mean_over_the_seeds_variance(self, df, ratio):
        for distance in (0.5, 2, 5):
            expected = integrated(1.0, ratio, df, distance)
            assert Spread(1.0, ratio, df).tail(distance) == pytest.approx(expected, rel=1e-6)

    def test_seeds_alone_are_students_t(self):
        for df, distance in ((1, 12.7), (2, 4.3), (5, 2.0)):
            tail = Spread(0.0, 1.0, df).tail(distance)
            assert tail == pytest.approx(stats.t.sf(distance, df), rel=1e-6)

    def test_examples_alone_are_students_t_of_theirs(self):
        assert Spread(4.0, examples_df=29).tail(4.1) == pytest.approx(stats.t.sf(2.05, 29))
        assert Spread(4.0, examples_df=29).quantile(0.975) == pytest.approx(stats.t.ppf(0.975, 29))

    def test_few_examples_and_few_seeds_are_both_in_doubt(self):
        """By simulation of both variances."""
        rng = np.random.default_rng(0)
        v = 1.0 / (rng.chisquare(29, 400_000) / 29)
        s = 0.5 / (rng.chisquare(4, 400_000) / 4)
        expected = stats.norm.sf(2.5 / np.sqrt(v + s)).mean()
        assert Spread(1.0, 0.5, 4, 29).tail(2.5) == pytest.approx(expected, rel=0.03)

    @settings(max_examples=60, deadline=None)
    @given(
        st.floats(1e-6, 10),
        st.floats(1e-4, 10),
        st.floats(1, 200),
        st.floats(0, 0.5),
        st.floats(0.51, 0.99999),
    )
    def test_a_quantile_is_where_the_tail_is(self, examples, seeds, df, share, probability):
        found = Spread(examples, seeds, df, 99, share * seeds)
        distance = found.quantile(probability) * found.total
        assert found.tail(distance) == pytest.approx(1 - probability, rel=1e-3)
        assert found.quantile(1 - probability) == pytest.approx(-found.quantile(probability))

    def test_what_is_counted_twice_comes_off_but_never_more_than_there_is(self):
        whole, less = Spread(1.0, 0.5, 4), Spread(1.0, 0.5, 4, MANY, 0.4)
        assert less.total**2 == pytest.approx(1.1)
        assert less.tail(2) < whole.tail(2)
        assert Spread(1.0, 0.5, 4, MANY, 9.0).total == 1

    def test_no_seeds_no_examples(self):
        assert Spread(0.0).tail(0.0) == 0.5
        assert Spread(0.0).tail(1.0) == 0.0
        assert spread((2.0, 30), (0.0, MANY)) == Spread(2.0, 0.0, MANY, 30)

    def test_holds_its_level_where_holm_looks(self):
        """Satterthwaite's t errs three times as often at .0125 here, and 11 times at .0017."""
        rng = np.random.default_rng(1)
        v, studies = 10.0, 60_000
        runs = rng.standard_normal((studies, 3))
        error = runs.mean(axis=1) + np.sqrt(v / 3) * rng.standard_normal(studies)
        seeds = runs.var(axis=1, ddof=1) / 3
        for level in (0.05, 0.0125, 0.0017):
            bounds = Spread(v / 3, 1.0, 2).distances(seeds, level / 2)
            assert 0.1 * level <= np.mean(np.abs(error) > bounds) <= 1.3 * level


SHARE = np.array([0.4, 0.35, 0.25])


def run_of(population, seeds, rng, strategies=3, n=500):
    texts = population.texts(n, rng)
    return [
        population.evidence(texts, population.train(seeds, rng), rng, f"s{i}")
        for i in range(strategies)
    ]


@pytest.mark.parametrize("seeds", [2, 3])
def test_no_more_false_claims_than_promised_where_seeds_dominate(seeds):
    """A/A of three strategies, 120 studies: 5 % and twice its Monte-Carlo error at most."""
    population = Population(
        share=SHARE, base=np.full(3, 0.5), tpr=np.full(3, 0.8), fpr=np.full(3, 0.26),
        seed_all=0.06, seed_group=0.15,
    )  # fmt: skip
    rng = np.random.default_rng(2)
    chosen = AuditSettings(replicates=100, only=("accuracy",), min_group_size=20)
    claims = []
    for _ in range(120):
        made = measure(run_of(population, seeds, rng), chosen, audits=["accuracy"], reference="s0")
        claims.append(any((c.p_adjusted or 1) < 0.05 for c in made.contrasts))
    assert np.mean(claims) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 120)


class TestOneSeed:
    def measured(self, *, trained):
        one, other = evidence(600, seeds=(0,)), evidence(600, seeds=(0,), seed=1, strategy="lora")
        right = other.test[0].with_probability(np.eye(2)[other.test[0].label] * 0.98 + 0.01)
        other = replace(other, test=(right,))
        made = [replace(e, ledgers=(ledger(0),) if trained else ()) for e in (one, other)]
        return measure(made, AuditSettings(replicates=50), audits=["accuracy"], reference="full")

    def test_a_trained_strategy_gets_numbers_and_no_verdict(self):
        for contrast in self.measured(trained=True).contrasts:
            assert contrast.verdict == "not judged"
            assert contrast.not_judged == ONE_SEED
            assert contrast.p_adjusted is None
            assert contrast.p_value is not None
            assert np.isfinite(contrast.difference)

    def test_predictions_from_a_file_are_compared_as_they_are(self):
        verdicts = {c.metric: c.verdict for c in self.measured(trained=False).contrasts}
        assert verdicts["accuracy"] == "better"
        assert set(verdicts.values()) <= {"better", "no evidence of a difference"}
