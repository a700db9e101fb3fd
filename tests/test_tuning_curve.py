"""The value of tuning: exact over subsets, and an interval that covers."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from tunefair.tuning import expected_best
from tunefair.tuning.curve import (
    band,
    best_chances,
    chances,
    crossings,
    curve,
    plausible,
)

values = st.lists(st.integers(-5, 5), min_size=1, max_size=8)


def brute_force(validation, test, k):
    """Return the mean test value of the best on validation over all subsets of k trials."""
    chosen = [max(s, key=lambda i: validation[i]) for s in combinations(range(len(test)), k)]
    return np.mean([test[i] for i in chosen])


@given(values, st.data())
def test_the_curve_is_the_mean_over_all_subsets(validation, data):
    """Ties included: the earlier trial is chosen."""
    n = len(validation)
    test = data.draw(st.lists(st.floats(-1, 1), min_size=n, max_size=n))
    for k in range(1, n + 1):
        expected = brute_force(validation, test, k)
        assert expected_best(validation, test, k) == pytest.approx(expected, abs=1e-12)


def test_chances_sum_to_one_and_a_single_draw_is_fair():
    weights = chances(np.array([0.3, 0.1, 0.2]))
    assert weights.sum(axis=1) == pytest.approx(1)
    assert weights[0] == pytest.approx(1 / 3)
    assert weights[2] == pytest.approx([1, 0, 0])


def test_the_test_value_has_no_say_in_the_choice():
    validation, test = np.array([1.0, 3.0, 2.0]), np.array([0.9, 0.1, 0.5])
    assert expected_best(validation, test, 3) == 0.1


def test_a_failed_trial_is_chosen_last():
    validation, test = np.array([np.nan, 0.2, 0.4]), np.array([np.nan, 0.5, 0.7])
    result = curve(validation, test)
    assert np.isnan(result[0])  # the one trial may be the failed one
    assert result[1:] == pytest.approx([(0.5 + 0.7 + 0.7) / 3, 0.7])


@pytest.mark.parametrize("k", [0, 4])
def test_k_is_between_one_and_all(k):
    with pytest.raises(ValueError, match="between 1 and 3"):
        expected_best([1, 2, 3], [1, 2, 3], k)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 validation values for 3"):
        expected_best([1, 2], [1, 2, 3], 1)


def test_too_few_trials_have_no_interval():
    drawn = plausible(np.arange(3.0), np.ones((3, 11)), rng=np.random.default_rng(0))
    assert np.isnan(drawn).all()


def coverage(trials, correlation, *, studies, examples=0.0):
    """Return how often the interval holds the expected value at each k: (trials,)."""
    rng = np.random.default_rng(trials)

    def draw(*shape):
        v, e = rng.standard_normal((2, *shape))
        return v, correlation * v + np.sqrt(1 - correlation**2) * e

    many, test = draw(100_000, trials)
    ranked = np.take_along_axis(test, np.argsort(-many, axis=1), axis=1)
    truth = (ranked @ chances(-np.arange(trials)).T).mean(axis=0)
    hits = np.zeros(trials)
    for _ in range(studies):
        validation, test = draw(trials)
        test = test + rng.normal(0, examples)  # the test examples move all trials together
        moved = test[:, None] + rng.normal(0, examples, 400)
        table = np.concatenate([test[:, None], moved], axis=1)
        shown = band(validation, table, plausible(validation, table, rng=rng))
        hits += (shown.low <= truth) & (truth <= shown.high)
    return hits / studies


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("trials", [8, 16])
def test_the_interval_covers(trials, correlation):
    """1,000 studies: tests/performance/tuning_curve.py; here enough to catch a mistake."""
    share = coverage(trials, correlation, studies=200, examples=0.3)
    assert (share > 0.90).all()
    assert share.mean() < 0.99


def planted(rng, *, slope, level, trials=16):
    """Return validation and test draws of a strategy that tuning helps by `slope`."""
    validation = rng.permutation(ndtri((np.arange(trials) + 0.5) / trials))
    test = level + slope * validation + rng.normal(0, 0.05, trials)
    return validation, test[:, None] + rng.normal(0, 0.02, 401) * np.r_[0, np.ones(400)]


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_crossing_is_found(seed):
    """`steady` is better untuned, `tunable` from two or three trials on."""
    rng = np.random.default_rng(seed)
    trials = {
        "steady": planted(rng, slope=0.05, level=0.6),
        "tunable": planted(rng, slope=1.0, level=0.0),
    }
    lines = {label: curve(v, t[:, 0]) for label, (v, t) in trials.items()}
    drawn = {label: plausible(v, t, rng=rng) for label, (v, t) in trials.items()}
    found = crossings(lines, drawn, higher=True)[-1]
    assert (found.before, found.after) == ("steady", "tunable")
    assert 2 <= found.k <= 4
    assert found.share > 0.5
    chance = best_chances(drawn, higher=True)
    assert chance["steady"][0] > 0.9
    assert chance["tunable"][-1] > 0.75
    assert chance["steady"] + chance["tunable"] == pytest.approx(1)
