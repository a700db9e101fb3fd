"""Gaps and worst groups, inverted: against a reference's numbers, and against known truths."""

from dataclasses import replace

import numpy as np
import pytest

from tests._evidence import evidence
from tests._population import Population
from tunefair.audit import load
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.hybrid import inverted_gap, inverted_worst
from tunefair.statistics.intervals import interval
from tunefair.statistics.sample import Sample
from tunefair.statistics.summary import summary


def rates(groups: int, seeds: int, smallest: int, moves: float, draws: int = 2000):
    """Return two kinds of rate by groups: values (n_groups, n_seeds, 1 + draws), and counts."""
    rng = np.random.default_rng([groups, seeds])
    n = smallest * np.arange(1, groups + 1)
    kinds = []
    for typical in (0.8, 0.3):
        p = typical + 0.04 * rng.normal(size=groups)
        shared, own = np.sqrt(0.6 * p * (1 - p) / n), np.sqrt(0.4 * p * (1 - p) / n)
        theta = p[:, None] + shared[:, None] * rng.normal(size=(groups, 1))
        theta = theta + (own[:, None] + moves) * rng.normal(size=(groups, seeds))
        error = shared[:, None, None] * rng.normal(size=(groups, 1, draws))
        error = error + own[:, None, None] * rng.normal(size=(groups, seeds, draws))
        kinds.append(np.concatenate([theta[..., None], theta[..., None] + error], axis=2))
    return kinds, n


def estimates(kinds, n):
    return [
        [
            Estimate(metric="rate", values=values, n=int(size), family="rate")
            for values, size in zip(kind, n, strict=True)
        ]
        for kind in kinds
    ]


REFERENCE = {
    (5, 3, 100, 0.02): ((0.0630, 0.2937, 0.2815, 0.1759), (0.5759, 0.6004, 0.7810, 0.7046)),
    (3, 5, 400, 0.0): ((0.0, 0.0612, 0.0612, 0.0033), (0.7660, 0.7660, 0.8145, 0.7906)),
    (8, 2, 60, 0.04): ((0.0, 0.3270, 0.2700, 0.1387), (0.6380, 0.6523, 0.8188, 0.7369)),
}
"""Design -> (low, high of A, high of B, median-unbiased) of the gap of both kinds, and (low of A,
low of B, high, median-unbiased) of the worst rate of the first: means over 30 runs of an
independent implementation with other random numbers, which vary by 0.005 at most."""


@pytest.mark.parametrize("design", REFERENCE)
def test_agrees_with_an_independent_implementation(design, monkeypatch):
    monkeypatch.setattr("tunefair.statistics.hybrid.TOO_MUCH", 0.0125)
    made = estimates(*rates(*design))
    gap, worst = inverted_gap(made), inverted_worst(made[0])
    found = (gap.low, gap.high, gap.systematic_high, gap.value)
    assert found == pytest.approx(REFERENCE[design][0], abs=0.013)
    found = (worst.low, worst.systematic_low, worst.high, worst.value)
    assert found == pytest.approx(REFERENCE[design][1], abs=0.009)


def test_the_same_numbers_every_time():
    made = estimates(*rates(5, 3, 100, 0.02))
    assert inverted_gap(made) == inverted_gap(made)
    assert inverted_worst(made[0]) == inverted_worst(made[0])


def test_many_groups_are_bounded_in_cost():
    """Fewer draws are taken, and the bounds hardly move."""
    kinds, n = rates(40, 2, 30, 0.02)
    few = inverted_gap(estimates(kinds, n))
    assert 0 <= few.low < few.value < few.high <= 1.2


def test_rates_that_never_vary_still_have_bounds():
    """Every group all hits, and no draw that differs."""
    still = [np.ones((3, 201)) for _ in range(4)]
    found = inverted_worst(estimates([still], [40, 50, 60, 70])[0])
    assert 0.8 < found.low < 0.99
    gap = inverted_gap(estimates([still], [40, 50, 60, 70]))
    assert gap.low == 0
    assert 0.01 < gap.high < 0.2


def of(family, kinds, n):
    parts = tuple(tuple(kind) for kind in estimates(kinds, n))
    stacked = np.concatenate(kinds)
    combined = np.ptp(kinds[0], axis=0) if family == "gap" else stacked.min(axis=0)
    return Estimate(metric="x", group="gap", values=combined, n=500, family=family, parts=parts)


@pytest.mark.parametrize("family", ["gap", "worst"])
def test_two_groups_or_one_seed_keep_the_usual_interval(family):
    kinds, n = rates(2, 3, 100, 0.02)
    assert summary(of(family, kinds[:1], n)).inverted is None
    kinds, n = rates(5, 1, 100, 0.02)
    assert summary(of(family, kinds[:1], n)).inverted is None
    kinds, n = rates(5, 3, 100, 0.02)
    assert summary(of(family, kinds[:1], n)).inverted is not None


def test_what_one_model_has_is_no_less_than_the_systematic_part():
    kinds, n = rates(5, 3, 100, 0.05)
    gap, worst = (interval(of(f, kinds[:1], n), (0, 1)) for f in ("gap", "worst"))
    assert gap.high > gap.systematic_high
    assert worst.low < worst.systematic_low
    assert gap.low <= gap.corrected <= gap.high


def test_both_are_in_the_results():
    rows = measure([evidence(600)], AuditSettings(replicates=100), audits=["group_fairness"])
    gaps = [m for m in rows.measurements if m.metric == "accuracy_difference"]
    mean = next(m for m in gaps if m.seed is None and m.attribute == "target")
    assert None not in (mean.low, mean.high, mean.systematic_low, mean.systematic_high)
    assert mean.systematic_high <= mean.high
    assert all(m.systematic_low is None for m in gaps if m.seed is not None)
    accuracy = next(m for m in rows.measurements if m.metric == "accuracy")
    assert accuracy.low is not None
    assert accuracy.systematic_low is None


def test_covers_with_and_without_a_gap():
    """Thirty studies of three groups each."""
    rng = np.random.default_rng(4)
    key = ("equal_opportunity_difference", "gap")
    chosen = AuditSettings(replicates=100, only=key[:1], min_group_size=20)
    for gap in (0.0, 0.2):
        population = Population(
            share=np.array([0.4, 0.35, 0.25]), base=np.full(3, 0.5), fpr=np.full(3, 0.26),
            tpr=0.75 + gap * np.array([-0.5, 0, 0.5]),
        )  # fmt: skip
        truth = population.truth(population.train(50, rng))
        expected, systematic = truth[key].mean(), population.of_mean_rates(truth)[key]
        covered, corrected = [], []
        for _ in range(30):
            made = population.evidence(population.texts(500, rng), population.train(3, rng), rng)
            made = replace(made, test=tuple(replace(p, probability=None) for p in made.test))
            every = load("group_fairness").estimates(made, Sample([made], chosen))
            found = interval(next(e for e in every if e.metric == key[0]), (0, 1))
            covered.append(found.low <= expected <= found.high)
            covered.append(found.systematic_low <= systematic <= found.systematic_high)
            corrected.append(found.corrected - systematic)
        assert np.mean(covered) >= 0.9
        assert abs(np.median(corrected)) < 0.04
