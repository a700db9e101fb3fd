"""Power: what the gate says that it would catch."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.gating.detection import chance, smallest
from bench.gating.losses import Noise, Seeds
from bench.gating.rules import DEFAULTS
from bench.gating.snapshot import of_evidence
from bench.power import power
from bench.schema import AuditSettings, BadInputError
from bench.statistics.spread import spread
from bench.suite import GateRule
from tests import _models as models
from tests import _runs

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
        side = Seeds(of_seed, seeds, seeds - 1)
        claimed = float(chance(Noise(of_examples, (side, side)), true, tolerance, level))
        caught = 0
        for _ in range(4000):
            runs = np.sqrt(of_seed) * rng.standard_normal((2, seeds))
            seen = true + runs[0].mean() - runs[1].mean()
            seen += np.sqrt(of_examples) * rng.standard_normal()
            parts = [(run.var(ddof=1) / seeds, seeds - 1) for run in runs]
            deviation = spread((of_examples, 1e6), *parts)
            caught += seen > tolerance and deviation.tail(seen) <= level
        assert caught / 4000 == pytest.approx(claimed, abs=0.05)


class TestPower:
    def test_more_data_and_more_seeds_catch_less(self):
        least = [
            np.median([p.detectable_loss for p in power(snapshot(n, seeds), DEFAULTS)])
            for n, seeds in ((500, 3), (4000, 3), (4000, 10))
        ]
        assert least[0] > least[1] > least[2]

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
