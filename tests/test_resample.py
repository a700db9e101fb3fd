"""Draws: counts are the bootstrap, blocks and limits agree with rows, memory stays bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests._evidence import evidence
from tunefair.schema import AuditSettings, BadInputError
from tunefair.statistics import sample as resample
from tunefair.statistics import units
from tunefair.statistics.binning import binned, equal_width, expected_error
from tunefair.statistics.grouping import groupings
from tunefair.statistics.ranking import dense_rank, precision_area, roc_area
from tunefair.statistics.rates import accuracy, confusion, one_vs_rest
from tunefair.statistics.sample import Sample, Table


def sample_of(n=400, replicates=2000, seed=0, **choices):
    made = evidence(n, **choices)
    return Sample([made], AuditSettings(replicates=replicates, seed=seed)), made.test


def identity(sums):
    return sums


class TestBootstrap:
    def test_the_first_column_is_the_sample_itself(self):
        sample, test = sample_of(replicates=3)
        table = confusion(sample, sample.everyone, test[0].prediction)
        counts = sample.bootstrap(table, identity)[..., 0].ravel()
        expected = np.bincount(2 * test[0].label + test[0].prediction, minlength=4)
        assert (counts == expected).all()

    def test_every_draw_has_n_examples(self):
        sample, test = sample_of(replicates=50)
        for counted in (True, False):
            table = confusion(sample, sample.everyone, test[0].prediction)._replace(
                counted=counted
            )
            assert (sample.bootstrap(table, identity).sum(axis=(0, 1, 2)) == 400).all()

    def test_counts_are_exactly_the_bootstrap_of_the_rows(self):
        # the variance of an accuracy over draws is p (1 - p) / n, for counts as for rows
        sample, test = sample_of(replicates=20_000, seeds=(0,))
        table = confusion(sample, sample.everyone, test[0].prediction)
        p = (test[0].label == test[0].prediction).mean()
        for counted in (True, False):
            drawn = sample.bootstrap(table._replace(counted=counted), accuracy)[0, 1:]
            assert drawn.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 400 / 20_000))
            assert drawn.var() == pytest.approx(p * (1 - p) / 400, rel=0.05)

    def test_draws_are_paired_over_strategies(self):
        one, other = evidence(300, strategy="one"), evidence(300, strategy="other", seed=1)
        sample = Sample([one, other], AuditSettings(replicates=200))
        first, second = (
            sample.bootstrap(confusion(sample, sample.everyone, e.test[0].prediction), accuracy)
            for e in (one, other)
        )
        right = [(e.test[0].label == e.test[0].prediction).astype(float) for e in (one, other)]
        expected = (right[0] - right[1]).var() / 300  # of independent draws: the sum of variances
        assert (first - second)[0, 1:].var() == pytest.approx(expected, rel=0.35)

    def test_same_seed_same_draws(self):
        draws = [
            sample.bootstrap(confusion(sample, sample.everyone, test[0].prediction), accuracy)
            for sample, test in (sample_of(seed=4), sample_of(seed=4), sample_of(seed=5))
        ]
        assert (draws[0] == draws[1]).all()
        assert (draws[0] != draws[2]).any()

    def test_blocks_agree_with_rows(self, monkeypatch):
        spread = {}
        for rows in (20_000, 1_000):
            monkeypatch.setattr(units, "ROWS", rows)
            monkeypatch.setattr(units, "BLOCKS", 500)
            sample, test = sample_of(5000, seeds=(0,))
            said = test[0].probability[:, 1]
            table = binned(sample.everyone, equal_width(said), said, sample.label)
            spread[rows] = sample.bootstrap(table, expected_error)[0, 1:]
        assert spread[1_000].std() == pytest.approx(spread[20_000].std(), rel=0.15)
        assert spread[1_000].mean() == pytest.approx(spread[20_000].mean(), rel=0.1)

    @pytest.mark.parametrize("chunk", [1_000, 50_000])
    def test_chunks_change_nothing(self, monkeypatch, chunk):
        sample, test = sample_of(replicates=100)
        table = confusion(sample, sample.everyone, test[0].prediction)._replace(counted=False)
        whole = sample.bootstrap(table, accuracy)
        monkeypatch.setattr(units, "CHUNK", chunk)
        assert sample.bootstrap(table, accuracy) == pytest.approx(whole, abs=1e-6)

    @given(st.integers(2, 60), st.integers(1, 4), st.integers(1, 5), st.integers(0, 10**6))
    @settings(max_examples=40, deadline=None)
    def test_sums_are_those_of_a_loop(self, n, n_groups, n_cells, seed):
        rng = np.random.default_rng(seed)
        drawn = units.row_units(n, 5, rng)
        group, cell = rng.integers(0, n_groups, n), rng.integers(0, n_cells, n)
        values = rng.normal(size=(n, 2))
        table = Table(group, cell, (n_groups, n_cells), values)
        sums = drawn.sums(table.flat, n_groups * n_cells, table.columns) @ np.hstack(drawn.drawn)
        sums = sums.reshape(n_groups, n_cells, 2, 5)
        for g, c, v in np.ndindex(n_groups, n_cells, 2):
            rows = (group == g) & (cell == c)
            expected = values[rows, v] @ np.hstack(drawn.drawn)[rows].astype(float)
            assert sums[g, c, v] == pytest.approx(expected, abs=1e-4)


class TestAreas:
    @pytest.mark.parametrize("area", ["roc", "precision"])
    def test_influence_is_the_derivative(self, area):
        rng = np.random.default_rng(0)
        label = rng.integers(0, 2, 200)
        score = np.round(label + rng.normal(size=200), 1)  # with ties

        def measured(rows):
            rank, positive = dense_rank(score[rows]), label[rows] == 1
            if area == "roc":
                return roc_area(rank, positive, ~positive)
            return precision_area(rank, positive)

        whole = measured(np.arange(200))
        assert whole.influence.sum() == pytest.approx(0, abs=1e-9)
        for row in (0, 7, 50, 150):
            many = np.concatenate([np.tile(np.arange(200), 200), [row]])
            moved = measured(many).value - whole.value
            assert moved * 200 == pytest.approx(whole.influence[row], rel=0.05, abs=1e-5)

    def test_draws_vary_as_resampled_areas_do(self):
        sample, test = sample_of(300, replicates=1000, seeds=(0,))
        rank, positive = dense_rank(test[0].probability[:, 1]), sample.label == 1
        area = roc_area(rank, positive, ~positive)
        drawn = sample.linearised([(area.value, area.influence)])[0]
        rng = np.random.default_rng(0)
        again = []
        for _ in range(1000):
            rows = rng.integers(0, 300, 300)
            again.append(roc_area(dense_rank(rank[rows]), positive[rows], ~positive[rows]).value)
        assert drawn[0] == area.value
        assert drawn[1:].std() == pytest.approx(np.std(again), rel=0.12)


class TestPermutation:
    def test_group_sizes_and_base_rates_stay(self):
        sample, test = sample_of(replicates=20)
        grouping = sample.groupings[0]
        table = confusion(sample, grouping, test[0].prediction)
        observed = table.observed.reshape(grouping.size, 2, 2).sum(axis=2)
        drawn = sample.permuted(table, grouping, identity)
        drawn = drawn.reshape(grouping.size, 2, 2, 20).sum(axis=2)
        assert (drawn == observed[..., None]).all()

    def test_one_permutation_for_all_seeds(self):
        sample, test = sample_of(replicates=30)
        table = confusion(sample, sample.groupings[0], test[0].prediction)
        first, second = (sample.permuted(table, sample.groupings[0], identity) for _ in range(2))
        assert (first == second).all()

    def test_normal_limit_agrees_with_permutations(self, monkeypatch):
        sample, test = sample_of(4000)
        grouping = sample.groupings[0]
        table = confusion(sample, grouping, test[0].prediction)

        def odds_gap(counts):
            rates = one_vs_rest(counts)[2:4, 0]
            return np.ptp(rates, axis=1).max(axis=0)

        exact = sample.permuted(table, grouping, odds_gap)
        monkeypatch.setattr(resample, "ROWS", 100)
        limit = sample.permuted(table, grouping, odds_gap)
        assert limit.mean() == pytest.approx(exact.mean(), rel=0.04)
        assert np.quantile(limit, 0.95) == pytest.approx(np.quantile(exact, 0.95), rel=0.06)


class TestGroups:
    def test_small_groups_are_listed(self):
        column = np.array(["big"] * 40 + ["small"] * 5 + [""] * 3)
        made, left = groupings({"x": column}, AuditSettings(min_group_size=30))
        assert made[0].names == ("big",)
        assert [(out.group, out.n) for out in left] == [("", 3), ("small", 5)]

    def test_intersections(self):
        columns = {"x": np.array(["a", "a", "b", ""]), "y": np.array(["c", "d", "c", "c"])}
        chosen = AuditSettings(min_group_size=1, intersections=(("x", "y"),))
        made, left = groupings(columns, chosen)
        assert made[2].attribute == "x × y"
        assert made[2].names == ("a × c", "a × d", "b × c")
        assert ("x × y", "", 1, "not annotated") in left

    def test_an_unknown_attribute_is_refused(self):
        with pytest.raises(BadInputError, match="no attribute 'z'"):
            groupings({"x": np.array(["a"])}, AuditSettings(intersections=(("x", "z"),)))

    def test_an_identifier_is_no_group(self):
        column = np.arange(1000).astype(str)
        with pytest.raises(BadInputError, match="1000 groups"):
            groupings({"x": column}, AuditSettings(min_group_size=1))


def test_strategies_on_other_examples_are_refused():
    one, other = evidence(100, strategy="one"), evidence(101, strategy="other")
    with pytest.raises(BadInputError, match="test examples are not the same"):
        Sample([one, other], AuditSettings(replicates=2))
