"""Every strategy that the scan finds, exported: transformers alone answers as was stored.

One process a model's kind classifies all folders, and tunefair cannot be imported in it.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests import _tiny
from tunefair import plugins
from tunefair.exporting import assemble, proof, revision
from tunefair.exporting.hold import Held, hold
from tunefair.planning import compose
from tunefair.planning.plan import HIDDEN, TRAIN
from tunefair.schema import Outcome, Predictions

NAMES = plugins.names("tunefair.strategies")
ALONE = """
import json, sys
sys.modules["tunefair"] = None
try:
    import tunefair
except ImportError:
    pass
else:
    sys.exit("tunefair can be imported")
import numpy as np
import torch
from transformers import pipeline
from transformers.utils import logging
logging.set_verbosity_error()
torch.set_num_threads(1)
asked = json.load(open(sys.argv[1]))
found = {}
for name, folder in asked["folders"].items():
    classify = pipeline("text-classification", folder, top_k=None, device="cpu")
    answers = classify(asked["texts"], batch_size=16)
    scores = [{a["label"]: a["score"] for a in answer} for answer in answers]
    found[name] = np.array([[s[label] for label in asked["classes"]] for s in scores])
np.savez(sys.argv[2], **found)
"""

pytestmark = pytest.mark.usefixtures("frozen_heap")


class Exported(NamedTuple):
    """A strategy's folder, how it holds the revision, and what its cell stored."""

    folder: Path
    held: Held
    stored: Outcome
    base: Outcome


def every_use() -> list[str]:
    """Every strategy alone, and with LoRA if that leaves it its choices."""
    alone = list(NAMES)
    kinds = {name: compose.claims(compose.find(name)()) for name in NAMES}
    return alone + [f"lora+{n}" for n in NAMES if "adapt" not in kinds[n] and n != "lora"]


def options(use: str) -> dict:
    """Enough of a small budget for every stage, groups of few examples."""
    own = {}
    for name in use.split("+"):
        kind = compose.find(name)
        if kind().first_stage_share:
            own[name] = {"first_stage_share": 0.5}
        if name == "group_temperature":
            own[name] = {"smallest": 5}
    return own if "+" in use else own.get(use, {})


class World:
    """A tiny task and model, and strategies trained and exported when they are asked for."""

    def __init__(self, architecture: str, classes: int, folder: Path) -> None:
        self.architecture, self.folder = architecture, folder
        self.task = _tiny.task(n=96, classes=classes)
        self.tokens = _tiny.encoded(self.task, folder / "tokens", architecture)
        self.cells = {}
        self.trained = cache(self._trained)

    def _trained(self, cell_id: str) -> tuple[Outcome, Path]:
        cell = self.cells[cell_id]
        cell = cell.keeping({**cell.keeps, HIDDEN: "the test", TRAIN: "the test"})
        place = self.folder / "models" / cell_id
        before = self.outcome(cell.first) if cell.first else None
        outcome = _tiny.run(cell, self.task, self.tokens, first=before, model_folder=place)
        return _tiny.stored(outcome), place

    def outcome(self, cell) -> Outcome:
        self.cells[cell.id] = cell
        return self.trained(cell.id)[0]

    def export(self, use: str) -> Exported:
        (cell,) = _tiny.cells(
            use, options=options(use), budget=("steps", 8), architecture=self.architecture
        )
        stored = self.outcome(cell)
        origin = cell
        while not origin.trains:
            origin = origin.first
        base = self.outcome(origin)
        folder = self.folder / "exported" / use
        model = assemble.load(origin, self.trained(origin.id)[1], self.task.classes)
        held = hold(cell, base, model, folder, self.never)
        assemble.save(model, cell, folder)
        return Exported(folder, held, stored, base)

    def never(self, split: str) -> Predictions:
        raise AssertionError("no shipped strategy trains and revises at once")

    def alone(self, folders: dict[str, Path]) -> dict[str, np.ndarray]:
        """What transformers alone answers, by strategy."""
        rows = np.flatnonzero(self.task.split == "test")
        asked = {
            "folders": {use: str(folder) for use, folder in folders.items()},
            "texts": proof.texts_of(self.task, rows),
            "classes": self.task.classes,
        }
        (self.folder / "asked.json").write_text(json.dumps(asked))
        files = [str(self.folder / name) for name in ("asked.json", "found.npz")]
        done = subprocess.run(
            [sys.executable, "-I", "-c", ALONE, *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with np.load(files[1]) as found:
            return dict(found)


def uses_of(world: World) -> Iterator[str]:
    """Strategies that can be used on the task."""
    for use in every_use():
        kinds = [compose.find(name) for name in use.split("+")]
        if len(world.task.classes) == 2 or not any(kind.binary_only for kind in kinds):
            yield use


def hold_the_promise(world: World, uses: list[str]) -> dict[str, Exported]:
    exported = {use: world.export(use) for use in uses}
    answers = world.alone({use: one.folder for use, one in exported.items()})
    broken = {use: broken_by(world, one, answers[use], use) for use, one in exported.items()}
    assert not {use: how for use, how in broken.items() if how}
    return exported


def broken_by(world: World, one: Exported, alone: np.ndarray, use: str) -> str:
    """How a folder's answers are not those that were stored; "" if they are."""
    stored = one.stored.test["original"]
    allowed = one.held.bound.max_difference
    reads = any(compose.find(name).reads_hidden for name in use.split("+"))
    if not reads and allowed != 1e-5:
        return f"allows itself {allowed}"
    found, decisions = alone, alone.argmax(axis=1)
    if not one.held.holds_all:
        moved = np.abs(alone - one.base.test["original"].probability).max()
        if moved > 1e-5:
            return f"before the revision off by {moved}"
        applied = revision.apply(one.folder, world_answers(world, one, alone))
        found, decisions = applied.probability, applied.prediction
    moved = np.abs(found - stored.probability).max()
    even = np.ptp(np.sort(stored.probability, axis=1)[:, -2:], axis=1) <= 2 * allowed
    flips = int((decisions != stored.prediction)[~even].sum())
    return f"off by {moved}, {flips} flips" if moved > allowed or flips else ""


def world_answers(world: World, one: Exported, probability: np.ndarray) -> Predictions:
    """The folder's answers as `predict` hands them to the revision."""
    learned = revision.read(one.folder)
    stored = one.stored.test["original"]
    hidden = None
    if learned.reads_hidden:
        texts = proof.texts_of(world.task, np.flatnonzero(world.task.split == "test"))
        request = proof.Request(texts, world.task.classes, hidden=True)
        hidden = proof.alone(one.folder, request).hidden
    return Predictions(
        example_id=stored.example_id,
        label=np.full(len(stored.label), -1),
        groups=stored.groups,
        prediction=probability.argmax(axis=1),
        probability=probability,
        classes=stored.classes,
        hidden=hidden,
    )


FAST = [
    "full", "lora", "temperature", "lora+temperature", "erase", "group_temperature",
    "equalized_odds_threshold", "last_layer_retraining",
]  # fmt: skip


def test_the_kinds_of_strategies_are_exported_and_answer_as_was_stored(tmp_path):
    exported = hold_the_promise(World("bert", 2, tmp_path), FAST)
    beside = {use for use, one in exported.items() if not one.held.holds_all}
    assert beside == {"group_temperature", "equalized_odds_threshold", "last_layer_retraining"}
    config = json.loads((exported["lora"].folder / "config.json").read_text())
    assert config["id2label"] == {"0": "class 0", "1": "class 1"}
    assert not (exported["lora"].folder / "adapter_config.json").exists()
    temperature_is_a_factor(exported["full"].folder, exported["temperature"].folder)


def temperature_is_a_factor(plain: Path, softened: Path) -> None:
    """(W/T, b/T): one factor of all of the head, and nothing else of the model is touched."""
    one, other = (load_file(folder / "model.safetensors") for folder in (plain, softened))
    changed = {name for name in one if not np.array_equal(one[name], other[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    ratios = np.concatenate([(other[name] / one[name]).ravel() for name in sorted(changed)])
    assert np.ptp(ratios) <= 1e-6 * ratios.mean()


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("architecture", ["bert", "distilbert", "modernbert", "llama"])
def test_every_strategy_is_exported_and_answers_as_was_stored(architecture, classes, tmp_path):
    world = World(architecture, classes, tmp_path)
    exported = hold_the_promise(world, list(uses_of(world)))
    assert len(exported) > 20
