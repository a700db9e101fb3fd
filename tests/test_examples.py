"""What stands in examples/ works: read without training, and trained for a few steps."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests import _house
from tunefair import audit, suite
from tunefair.planning import compose
from tunefair.schema import BadInputError

OWN_AUDIT = """
from tunefair.audit import Audit
from tunefair.schema import Metric

class Mine(Audit):
    metrics = {"mine": Metric(better="lower", low=0, high=1, reference="x", definition="x")}

    def estimates(self, evidence, sample):
        yield from ()
"""
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


def commands():
    """Return every command of the examples' README, as words."""
    lines = re.findall(r"^    tunefair (.*)$", (EXAMPLES / "README.md").read_text(), re.M)
    return {words[0]: words for words in map(shlex.split, lines)}


def test_every_folder_of_the_examples_has_its_command():
    folders = {p.name for p in EXAMPLES.iterdir() if p.is_dir()}
    named = {n for words in commands().values() for n in re.findall(r"examples/(\w+)", str(words))}
    assert named == folders
    assert EXAMPLES.parent / commands()["run"][1] in SUITES


def test_an_audit_of_ones_own_on_foreign_predictions(tmp_path):
    """Its numbers are those counted here, by group too, with intervals, and the page has them."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    numbers = tmp_path / "audit.json"
    done = _house.tunefair(*commands()["audit"], "--json", numbers, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (EXAMPLES / "own_audit" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    measured = {
        m["group"]: m
        for m in json.loads(numbers.read_text())["measurements"]
        if m["metric"] == "confident_error_rate"
    }
    assert set(measured) == {"", "north", "south", "west"}
    for group, m in measured.items():
        of = [r for r in rows if group in ("", r["region"])]
        positive = [float(r["probability"]) for r in of]
        confident = [p >= 0.9 or p <= 0.1 for p in positive]
        wrong = [(p > 0.5) != (r["label"] == "1") for p, r in zip(positive, of, strict=True)]
        expected = sum(c and w for c, w in zip(confident, wrong, strict=True)) / len(of)
        assert m["value"] == pytest.approx(expected)
        assert m["audit"] == "confident_errors"
        assert m["low"] < m["value"] < m["high"]
        assert m["n"] == len(of)
    page = (tmp_path / "audit.html").read_text()
    assert "Confident errors" in page
    assert "predicted wrong with p of at least 0.9" in page


def test_without_probabilities_the_own_audit_says_so(tmp_path):
    answers = tmp_path / "answers.csv"
    answers.write_text("y,answer\n" + "\n".join(f"{i % 2},{i % 3 % 2}" for i in range(90)))
    folder = EXAMPLES / "own_audit" / "audits"
    words = ("--label", "y", "--prediction", "answer", "--json", tmp_path / "audit.json")
    done = _house.tunefair("audit", answers, *words, "--audit-path", folder)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "audit.json").read_text())["measurements"]
    (own,) = (m for m in rows if m["audit"] == "confident_errors")
    assert own["value"] is None
    assert own["undefined"] == "no probabilities"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("", "", "holds no audit"),
        ("accuracy", OWN_AUDIT, "tunefair has an audit of that name"),
        ("mine", OWN_AUDIT.replace('"mine"', '"roc_auc"'), "has a metric 'roc_auc'"),
        (
            "mine",
            OWN_AUDIT.replace("    def", "    needs = {'hidden'}\n\n    def"),
            "needs 'hidden'",
        ),
        ("mine", "1 / 0", "ZeroDivisionError"),
        ("mine", "x = 1", "must define one Audit, not 0"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_a_line(tmp_path, name, text, message):
    if name:
        (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(BadInputError, match=message):
        audit.load_own([tmp_path], lacking=("hidden",))
