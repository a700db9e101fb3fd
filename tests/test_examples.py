"""What stands in examples/ works: read without training, and trained for a few steps."""

import shutil
from pathlib import Path

import pytest

from tests import _house
from tunefair import suite
from tunefair.planning import compose

EXAMPLES = Path(__file__).parents[1] / "examples"
SUITES = sorted(EXAMPLES.glob("*/suite.toml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda p: p.parent.name)
def test_every_suite_builds(path):
    read = suite.read(path)
    folders = [path.parent / folder for folder in read.strategy_path]
    for label, choice in read.strategies.items():
        assert compose.build(choice.use or label, choice.options, folders)


def test_a_penalty_of_zero_is_cross_entropy(tmp_path):
    """And a larger one prefers unsure answers."""
    import torch

    from tunefair.strategy import Batch, Objective, Output

    kind = compose.find("confidence_penalty", [EXAMPLES / "own_strategy" / "strategies"])
    output = Output(torch.tensor([[2.0, -1.0], [0.3, 0.1]]), torch.zeros(2, 3))
    batch = Batch(torch.tensor([0, 1]), torch.zeros(2, dtype=torch.int64), 0.0)
    plain = Objective()(output, batch)
    losses = [kind(strength=b).objective(None, 3)(output, batch) for b in (0.0, 0.5)]
    assert losses[0] == pytest.approx(plain.item())
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_the_strategy_of_ones_own_trains(tmp_path):
    """On a tiny model, with the example's own file."""
    path = _house.build(tmp_path, steps=4, own=False)
    shutil.copytree(
        EXAMPLES / "own_strategy" / "strategies", tmp_path / "mine", dirs_exist_ok=True
    )
    path.write_text(path.read_text() + "[strategies.confidence_penalty]\nstrength = 0.2\n")
    done = _house.tunefair("run", path, "--runs", tmp_path / "runs", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert "confidence_penalty" in done.stdout
