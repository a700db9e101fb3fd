"""Power: what the gate says that it would catch."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from tests import _models as models
from tests import _runs
from tests.performance.gate_errors import Plant, study, true_loss
from tunefair.cli.app import app
from tunefair.gating.detection import chance, smallest
from tunefair.gating.losses import Noise, Seeds, trained
from tunefair.gating.outlook import outlook
from tunefair.gating.power import power
from tunefair.gating.rules import DEFAULTS
from tunefair.gating.snapshot import of_evidence
from tunefair.measuring.contrasts import moderated
from tunefair.schema import AuditSettings, BadInputError, Metric
from tunefair.statistics.estimates import Estimate
from tunefair.statistics.spread import Spread
from tunefair.statistics.summary import shared_variance
from tunefair.suite import GateRule

NOISE = Noise(2e-5, (Seeds(5e-5, 3, 2, 3e-5), Seeds(5e-5, 3, 2, 3e-5)))


def snapshot(n: int = 1500, seeds: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    evidence = models.strategy(models.examples(n, rng), rng, seeds=seeds)
    return of_evidence(evidence, "baseline", AuditSettings(replicates=200))


class TestDetection:
    def test_the_chance_grows_with_the_loss(self):
        chances = chance(NOISE, np.linspace(0, 0.1, 50), 0.02, 0.05)
        assert (np.diff(chances) >= 0).all()
        assert chances[0] < 0.01
        assert chances[-1] > 0.99

    def test_no_loss_is_caught_at_most_as_often_as_the_level_says(self):
        for level in (0.05, 0.01, 0.001):
            assert chance(NOISE, 0.0, 0.0, level) <= level

    def test_the_smallest_has_the_chance_that_was_asked_for(self):
        for wanted in (0.5, 0.8, 0.95):
            least = smallest(NOISE, 0.02, 0.01, wanted)
            assert chance(NOISE, least, 0.02, 0.01) == pytest.approx(wanted, abs=1e-4)

    def test_without_noise_everything_beyond_the_tolerance_is_caught(self):
        nothing = Noise(0.0, (Seeds(0.0, 1, 1), Seeds(0.0, 1, 1)))
        assert smallest(nothing, 0.02, 0.05) == pytest.approx(0.02, abs=1e-6)
        assert chance(nothing, [0.01, 0.03], 0.02, 0.05).tolist() == [0.0, 1.0]

    @pytest.mark.parametrize("seeds", [3, 5, 10])
    def test_agrees_with_simulated_losses(self, seeds):
        """Losses drawn from the model: seeds' noise, and examples' noise that all seeds share."""
        rng = np.random.default_rng(seeds)
        of_seed, of_examples, true, tolerance, level = 6e-5, 3e-5, 0.03, 0.015, 0.01
        side = Seeds(of_seed, seeds, 2 * (seeds - 1))  # both sides' variances are moderated
        claimed = float(chance(Noise(of_examples, (side, side)), true, tolerance, level))
        caught = 0
        for _ in range(4000):
            runs = np.sqrt(of_seed) * rng.standard_normal((2, seeds))
            seen = true + runs[0].mean() - runs[1].mean()
            seen += np.sqrt(of_examples) * rng.standard_normal()
            deviation = Spread(of_examples, *moderated(shared_variance(runs), *runs))
            caught += seen > tolerance and deviation.tail(seen) <= level
        assert caught / 4000 == pytest.approx(claimed, abs=0.05)


def estimate(rate: float, n: int, group: str, seed: int = 0, seeds: int = 5) -> Estimate:
    """Return a rate of a group whose seeds differ by the examples and by a shift."""
    rng = np.random.default_rng(seed)
    theta = rate + np.sqrt(3 * rate * (1 - rate) / n) * rng.standard_normal((seeds, 1))
    draws = theta + np.sqrt(rate * (1 - rate) / n / 2) * rng.standard_normal((seeds, 400))
    values = np.hstack([theta, draws])
    return Estimate(metric="rate", group=group, values=values, n=n, family="rate")


class TestOutlook:
    METRIC = Metric(better="higher", low=0, high=1, reference="", definition="")

    def test_a_rate_that_comes_nearer_to_a_half_varies_more(self):
        future = outlook(estimate(0.85, 300, "a"), self.METRIC, [])
        runs = [future.noise(loss).sides[0].variance for loss in (0.0, 0.1, 0.3)]
        assert runs[0] < runs[1] < runs[2]
        assert future.noise(0.0).sides[0] == future.noise(0.0).sides[1]
        assert future.noise(0.3).sides[1] == future.noise(0.0).sides[1]

    def test_without_a_loss_and_alone_the_variance_is_what_the_seeds_show(self):
        one = estimate(0.7, 300, "a")
        run, baseline = outlook(one, self.METRIC, []).noise(0.0).sides
        assert run.variance == pytest.approx(one.theta.var(ddof=1))
        assert baseline.variance == run.variance

    def test_what_seeds_do_is_pooled_over_groups(self):
        groups = [estimate(0.7, 300, str(i), seed=i) for i in range(40)]
        future = outlook(groups[0], self.METRIC, groups)
        assert future.df == 160
        shifts = np.mean([trained(g).variance - trained(g).sampled for g in groups])
        seen = future.noise(0.0).sides[1]
        assert seen.variance - seen.sampled == pytest.approx(shifts, rel=0.2)

    def test_a_gap_that_grew_is_that_of_the_widest_pair(self):
        rates = (0.9, 0.6, 0.75)
        parts = tuple(estimate(p, 300, str(p), seed=i) for i, p in enumerate(rates))
        stacked = np.array([p.values for p in parts])
        gap = Estimate(
            metric="gap", group="gap", values=np.ptp(stacked, axis=0), n=900, family="gap",
            parts=(parts,),
        )  # fmt: skip
        future = outlook(gap, replace(self.METRIC, better="lower"), [])
        assert [(p.estimate.group, p.direction) for p in future.leading] == [
            ("0.9", 1),
            ("0.6", -1),
        ]
        assert future.df == 12
        assert future.noise(0.1).sides[0].variance > 0
        assert future.noise(0.1).centring > 1

    def test_of_an_error_nothing_is_taken_to_cancel(self):
        one = replace(estimate(0.1, 300, ""), family="error")
        future = outlook(one, replace(self.METRIC, better="lower"), [])
        drawn = one.values[:, 1:].mean(axis=0)
        assert future.leading == ()
        assert future.noise(0.1).examples == pytest.approx(2 * drawn.var(ddof=1))

    def test_claims_come_true(self):
        """A small version of tests/performance/gate_errors.py, whose table is in docs/gate.md."""
        quality = models.worse(signal=0.6847412)
        planted = Plant("accuracy", "accuracy", "", quality, true_loss("accuracy", quality))
        rng = np.random.default_rng(5)
        found = [study([planted], 2000, 5, rng)[0] for _ in range(40)]
        caught, claimed = np.mean([(f.alone_failed, f.claim) for f in found], axis=0)
        assert caught == pytest.approx(claimed, abs=0.25), "three standard errors of 40 studies"


class TestPower:
    def test_more_data_and_more_seeds_catch_less(self):
        few, small, both = (
            np.median([p.detectable_loss for p in power(snapshot(n, seeds), DEFAULTS)])
            for n, seeds in ((4000, 3), (500, 10), (4000, 10))
        )
        assert min(few, small) > both

    def test_nothing_within_the_tolerance_is_promised(self):
        for p in power(snapshot(), DEFAULTS):
            assert p.detectable_loss > p.max_loss
            losses, chances = np.array(p.curve).T
            assert chances[losses <= p.max_loss].max(initial=0) <= 0.5
            assert list(p.losses) == sorted(p.losses)

    def test_one_seed_is_said_to_be_cautious(self):
        assert all(p.cautious for p in power(snapshot(seeds=1), DEFAULTS))

    def test_a_rule_without_tolerance_has_none(self):
        with pytest.raises(BadInputError, match="no rule with max_loss"):
            power(snapshot(), [GateRule(metric="accuracy", min_value=0.5)])

    def test_on_a_run_and_on_its_baseline(self, tmp_path):
        _, usual = _runs.pair(n=600)
        run = _runs.write(tmp_path / "run", usual)
        runner = CliRunner()
        runner.invoke(app, ["baseline", str(run), "--out", str(tmp_path / "base")])
        curves = []
        for folder in ("run", "base"):
            out = tmp_path / f"{folder}.json"
            arguments = ["power", str(tmp_path / folder), "--rule", "accuracy", "--json", str(out)]
            made = runner.invoke(app, arguments)
            assert made.exit_code == 0, made.output
            assert "80% caught" in made.output
            curves.append(json.loads(out.read_text()))
        assert curves[0] == curves[1]
        assert {row["place"]["metric"] for row in curves[0]} == {"accuracy"}

    def test_a_metric_without_rule_is_named(self, tmp_path):
        run = _runs.write(tmp_path / "run", _runs.pair(n=300)[1])
        made = CliRunner().invoke(app, ["power", str(run), "--rule", "f1_macro"])
        assert isinstance(made.exception, BadInputError)
        assert "no rule on it" in str(made.exception)
