"""Errors of calibration bins are biased by sampling: what is taken off, and what may be left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tests._evidence import evidence
from tests._population import Models, Population
from tunefair.audit import load
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings
from tunefair.statistics.binning import CORRECTION, MOST_BIAS, equal_width, sampling_bias
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.grouping import Grouping
from tunefair.statistics.intervals import centre, interval
from tunefair.statistics.sample import Sample
from tunefair.statistics.summary import summary

SHARE = np.array([0.30, 0.25, 0.20, 0.15, 0.10])
LEANING = Population(
    share=SHARE,
    base=np.array([0.45, 0.68, 0.51, 0.56, 0.64]),
    tpr=0.80 + 0.10 * np.linspace(-0.5, 0.5, 5),
    fpr=0.26 + 0.05 * np.linspace(-0.5, 0.5, 5),
)
"""Base rates as RedditBias has them: the true gap of calibration errors is about 0.096."""


def test_what_is_left_is_within_its_bound():
    """Whatever the true deviation, in units of the sampling deviation."""
    noise = np.linspace(-7, 7, 7001)
    weight = norm.pdf(noise) * (noise[1] - noise[0])
    for true in np.linspace(0, 6, 121):
        seen = true + noise
        corrected = np.abs(seen) - CORRECTION * np.exp(-(seen**2) / 2)
        assert abs(corrected @ weight - true) < MOST_BIAS


def test_lift_by_hand():
    """One group of one bin: 25 texts, all told 0.5, of whom 15 are positive."""
    said, happened = np.full(25, 0.5), np.arange(25) < 15
    grouping = Grouping("target", ("a",), np.zeros(25, dtype=np.int64))
    taken, doubt = sampling_bias(grouping, equal_width(said), said, happened)[0]
    distance = 2.5 / 2.5  # the residual is 15 - 12.5, its deviation the root of 25 times a quarter
    assert taken == pytest.approx(CORRECTION * 2.5 * np.exp(-(distance**2) / 2) / 25)
    assert doubt == pytest.approx(MOST_BIAS * 2.5 / 25)


def test_no_doubt_far_from_nothing():
    said, happened = np.full(400, 0.9), np.arange(400) < 40
    grouping = Grouping("target", ("a",), np.zeros(400, dtype=np.int64))
    assert sampling_bias(grouping, equal_width(said), said, happened) == pytest.approx(
        0, abs=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_bounds_are_in_order(values, added, doubt):
    made = Estimate(
        metric="x",
        values=np.array([values]),
        n=100,
        family="error",
        sampling_bias=np.array([[added, doubt]]),
    )
    low, value, high = centre(summary(made))
    assert 0 <= low <= value <= high <= values[0]
    ends = interval(made, (0, 1))
    assert ends.low <= values[0] <= ends.high


def test_a_seed_brings_its_own_lift():
    both = Estimate(
        metric="x",
        values=np.full((2, 3), 0.1),
        n=9,
        family="error",
        sampling_bias=np.array([[0.01, 0], [0.03, 0]]),
    )
    assert centre(summary(both)).value == pytest.approx(0.08)
    assert centre(summary(both.of_seed(1))).value == pytest.approx(0.07)


def test_every_binned_error_brings_its_lift():
    made = evidence(300)
    sample = Sample([made], AuditSettings(replicates=20))
    binned = {
        e.metric
        for e in load("calibration").estimates(made, sample)
        if e.sampling_bias is not None
    }
    assert binned == {
        "expected_calibration_error",
        "adaptive_calibration_error",
        "positive_calibration_error",
    }


def test_a_gap_that_small_groups_hide_is_covered():
    """Plug-in gap 0.06, true gap 0.096: the smallest errors are biased most."""
    rng = np.random.default_rng(0)
    chosen = AuditSettings(replicates=200, only=("calibration_difference",), min_group_size=20)
    expected = LEANING.truth(LEANING.train(50, rng))["calibration_difference", "gap"].mean()
    covered, plain, corrected = [], [], []
    for _ in range(40):
        made = LEANING.evidence(LEANING.texts(2000, rng), LEANING.train(2, rng), rng)
        rows = measure([made], chosen, audits=["group_fairness"]).measurements
        row = next(m for m in rows if m.metric == "calibration_difference" and m.seed is None)
        covered.append(row.low <= expected <= row.high)
        plain.append(row.value - expected)
        corrected.append(row.corrected - expected)
    assert np.mean(covered) >= 0.9
    assert np.mean(plain) < -0.02
    assert abs(np.mean(corrected)) < abs(np.mean(plain)) * 0.8


class TestPopulation:
    """A simulation is as good as its truth: one large sample agrees with every number of it."""

    def test_truth_is_what_a_large_sample_shows(self):
        rng = np.random.default_rng(3)
        models = LEANING.train(1, rng)
        truth = LEANING.truth(Models(*models))
        made = LEANING.evidence(LEANING.texts(120_000, rng), models, rng)
        audits = ["accuracy", "calibration", "group_fairness", "trade_off"]
        rows = measure([made], AuditSettings(replicates=2), audits=audits).measurements
        compared = {
            (m.metric, m.group): (m.value, float(truth[m.metric, m.group][0]))
            for m in rows
            if m.seed is None and (m.metric, m.group) in truth
        }
        compared = {k: v for k, v in compared.items() if np.isfinite(v[1])}
        assert len(compared) > 100
        for key, (value, true) in compared.items():
            assert value == pytest.approx(true, abs=0.025), key
        assert np.mean([abs(v - t) for v, t in compared.values()]) < 0.004

    def test_the_systematic_part_is_no_larger_than_the_mean_of_gaps(self):
        truth = LEANING.truth(LEANING.train(100, np.random.default_rng(1)))
        for key, part in LEANING.of_mean_rates(truth).items():
            if key[0].endswith("_difference"):
                assert part <= truth[key].mean() + 1e-12
