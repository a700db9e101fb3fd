"""The standard deviation between groups: as numpy has it, and without what sampling adds."""

import numpy as np
import pytest

from tests._evidence import evidence
from tests._population import Population
from tunefair.audit import load
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings
from tunefair.statistics.gaps import deviation
from tunefair.statistics.intervals import interval
from tunefair.statistics.sample import Sample

DEVIATIONS = ("demographic_parity_deviation", "equalized_odds_deviation", "accuracy_deviation")


def measured(made, **choices):
    settings = AuditSettings(replicates=100, **choices)
    rows = measure([made], settings, audits=["group_fairness"]).measurements
    return {(m.metric, m.attribute, m.group): m for m in rows if m.seed is None}


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_the_plug_in_is_numpys(seeds):
    made = evidence(900, seeds=seeds)
    found = measured(made)
    for attribute in ("target", "source"):
        column = made.test[0].groups[attribute]
        groups = [column == g for g in np.unique(column)]
        by_seed = {"accuracy": [], "selection": [], "odds": []}
        for p in made.test:
            right, yes = p.prediction == p.label, p.prediction == 1
            by_seed["accuracy"].append(np.std([right[g].mean() for g in groups], ddof=1))
            by_seed["selection"].append(np.std([yes[g].mean() for g in groups], ddof=1))
            rates = [[yes[g & (p.label == y)].mean() for g in groups] for y in (0, 1)]
            by_seed["odds"].append(np.sqrt(np.var(rates, axis=1, ddof=1).mean()))
        expected = {name: np.mean(values) for name, values in by_seed.items()}
        names = zip(DEVIATIONS, ("selection", "odds", "accuracy"), strict=True)
        for metric, name in names:
            assert found[metric, attribute, "gap"].value == pytest.approx(expected[name])


def test_a_group_without_a_rate_is_left_out():
    rates = np.array([[0.1, 0.4, np.nan], [0.2, 0.2, 0.8]])[..., None]
    expected = np.sqrt((np.var([0.1, 0.4], ddof=1) + np.var([0.2, 0.2, 0.8], ddof=1)) / 2)
    assert deviation(rates) == pytest.approx([expected])
    assert np.isnan(deviation(np.array([[0.1, np.nan]])[..., None])).all()


def test_the_corrected_value_does_not_grow_with_the_groups_and_the_interval_covers():
    # equal groups in truth: a gap of many groups is wide by sampling alone
    rng, audit = np.random.default_rng(3), load("group_fairness")
    settings = AuditSettings(replicates=150, only=("accuracy",))
    corrected, plain, covered = {4: [], 12: []}, {4: [], 12: []}, []
    for groups in corrected:
        lean = np.linspace(-0.06, 0.06, groups)
        lean *= 0.04 / lean.std(ddof=1)
        flat = np.full(groups, 1 / groups)
        population = Population(
            share=flat, base=flat * 0 + 0.5, tpr=0.8 + lean, fpr=0.26 - lean, seed_group=0.0
        )
        for _ in range(25):
            made = population.evidence(population.texts(1800, rng), population.train(3, rng), rng)
            found = next(
                e
                for e in audit.estimates(made, Sample([made], settings))
                if e.metric == "accuracy_deviation"
            )
            low, high, value, *_ = interval(found, (0, 1))
            corrected[groups].append(value)
            plain[groups].append(found.theta.mean())
            covered.append(low <= 0.04 <= high)
    assert np.mean(plain[12]) > 1.1 * 0.04
    for groups in corrected:
        assert np.mean(corrected[groups]) == pytest.approx(0.04, abs=0.008)
    assert np.mean(covered) >= 0.88
