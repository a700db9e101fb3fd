"""Drift: against the definition in other words, and what the measure must not notice."""

from dataclasses import replace

import numpy as np
import pytest

from tests import _tiny
from tests.test_every_audit import complete
from tunefair.audits.drift import linear_cka
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings


def vectors(seed: int, n: int = 200, p: int = 6, q: int = 9):
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) + 3
    return before, np.tanh(before @ rng.normal(size=(p, q))) + 0.3 * rng.normal(size=(n, q))


def by_hsic(before, after):
    """HSIC of linear kernels: tr(KHLH), normalised; nothing is centred but by H."""
    n = len(before)
    h = np.eye(n) - 1 / n
    k, one = before @ before.T, after @ after.T
    hsic = [np.trace(a @ h @ b @ h) for a, b in ((k, one), (k, k), (one, one))]
    return hsic[0] / np.sqrt(hsic[1] * hsic[2])


@pytest.mark.parametrize("seed", range(5))
def test_is_the_normalised_hsic_of_linear_kernels(seed):
    before, after = vectors(seed)
    assert linear_cka(before, after)[0] == pytest.approx(by_hsic(before, after), rel=1e-9)
    assert linear_cka(before, before)[0] == pytest.approx(1)


def test_does_not_notice_rotation_scale_and_shift_but_a_stretched_axis():
    before, after = vectors(0)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 9)))
    expected = linear_cka(before, after)[0]
    assert linear_cka(before, 7 * after @ rotation - 2)[0] == pytest.approx(expected, rel=1e-9)
    assert linear_cka(after, after @ rotation)[0] == pytest.approx(1)
    stretched = after * np.array([10, *np.ones(8)])
    assert abs(linear_cka(before, stretched)[0] - expected) > 0.01


def test_influence_is_what_a_little_more_of_an_example_changes():
    before, after = vectors(2, n=40)
    value, influence = linear_cka(before, after)
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    for row in (0, 17):
        # 1000 copies of every example and one more of this
        rows = np.r_[np.tile(np.arange(40), 1000), row]
        more = linear_cka(before[rows], after[rows])[0]
        assert (more - value) * 1000 == pytest.approx(influence[row], rel=1e-2)


def test_the_interval_is_as_wide_as_a_bootstrap_of_rows():
    made = complete(2)
    (row,) = [
        m
        for m in measure([made], AuditSettings(replicates=2000), audits=["drift"]).measurements
        if m.seed == 0
    ]
    rng = np.random.default_rng(0)
    before, after = made.start[0].hidden, made.test[0].hidden
    draws = [linear_cka(before[r], after[r])[0] for r in rng.integers(0, 400, (500, 400))]
    assert row.low < row.value < row.high
    assert (row.high - row.low) / (2 * 1.96 * np.std(draws)) == pytest.approx(1, abs=0.15)


def test_vectors_that_are_all_the_same_have_no_similarity():
    made = complete(2)
    flat = tuple(replace(p, hidden=np.ones_like(p.hidden)) for p in made.test)
    rows = measure([replace(made, test=flat)], AuditSettings(replicates=20), audits=["drift"])
    assert {m.undefined for m in rows.measurements} == {"the vectors of all examples are the same"}


def test_training_does_not_notice_and_a_trained_encoder_has_moved(tmp_path):
    task = _tiny.task(n=64)
    tokens = _tiny.encoded(task, tmp_path / "tokens")

    def outcome(use, *audits):
        audit = {"audits": ("accuracy", *audits)}
        cell = _tiny.cells(use, budget=("steps", 20), audit=audit)[0]
        return _tiny.stored(_tiny.run(cell, task, tokens))

    with_drift, without = outcome("full", "drift"), outcome("full")
    assert without.start is None
    for view, answers in without.test.items():
        assert (with_drift.test[view].probability == answers.probability).all()

    def similarity(made):
        assert (made.start.example_id == made.test["original"].example_id).all()
        return linear_cka(made.start.hidden, made.test["original"].hidden)[0]

    assert similarity(with_drift) < 0.99
    assert similarity(outcome("temperature", "drift")) == similarity(with_drift)
    slow = _tiny.cells("full", options={"learning_rate": 1e-9}, audit={"audits": ("drift",)})[0]
    assert similarity(_tiny.stored(_tiny.run(slow, task, tokens))) == pytest.approx(1, abs=1e-3)
