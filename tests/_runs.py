"""Run folders filled with synthetic predictions, as a finished run leaves them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tests import _models as models
from tunefair.facts import CellFacts, RunFacts, StrategyFacts
from tunefair.schema import (
    AuditSettings,
    CurvePoint,
    Evidence,
    Ledger,
    Outcome,
    Predictions,
    TaskCard,
)
from tunefair.storage import files, records, run_folder

CARD = TaskCard(
    title="toy", label_meaning="a label", source="a test", licence="none", fingerprint="f" * 64
)
AUDITS = ("accuracy", "calibration", "group_fairness", "cost")
SUITE = """
name = "toy"
task = {{ source = "redditbias" }}
model = {{ source = "package:minilm" }}
budget = {{ currency = "steps", amount = 10 }}
strategies.full = {{}}
strategies.lora = {{}}
{rules}
"""


def ledger(seed: int) -> Ledger:
    """What a cell might have spent."""
    return Ledger(
        flops=1e12, tokens=1000, padded_tokens=1100, examples=100, steps=10, seconds=9.0 + seed,
        peak_memory_bytes=10**9, trainable_parameters=10**6, stored_bytes=4 * 10**6,
    )  # fmt: skip


def write(
    folder: Path,
    strategies: Sequence[Evidence],
    *,
    rules: str = "",
    failed: Mapping[str, int] = {},
    **facts: object,
) -> Path:
    """Write a run; `failed` names a strategy and the seed that failed."""
    cells = []
    for evidence in strategies:
        for seed, answers in zip(evidence.seeds, evidence.test, strict=True):
            cell = CellFacts(
                id=f"{evidence.strategy}-{seed}", strategy=evidence.strategy, seed=seed
            )
            cells.append(cell)
            if failed.get(evidence.strategy) == seed:
                reason = files.to_json({"reason": "out of memory"})
                files.write(run_folder.failure_file(folder, cell.id), reason)
                continue
            outcome = Outcome(
                test={"original": answers},
                validation=validation(answers),
                ledger=ledger(seed),
                curve=(CurvePoint(1, 1.0, 0.5, 1e-5),),
                hardware={"device": "cpu"},
            )
            place = run_folder.cell_folder(folder, cell.id)
            files.write_sealed(place, partial(_fill, cell=cell, outcome=outcome))
    filled = {
        "suite": "toy",
        "suite_toml": SUITE.format(rules=rules),
        "task": "t" * 64,
        "card": CARD,
        "audits": AUDITS,
        "settings": AuditSettings(replicates=200),
        "strategies": tuple(StrategyFacts(label=e.strategy, use=e.strategy) for e in strategies),
        "cells": tuple(cells),
        "reference": strategies[0].strategy if strategies else "",
    } | facts
    run_folder.write_facts(folder, RunFacts(**filled))
    return folder


def _fill(folder: Path, cell: CellFacts, outcome: Outcome) -> None:
    records.write_outcome(folder, outcome)
    owner = files.to_json({"id": cell.id, "seed": cell.seed})
    files.write(folder / run_folder.CELL, owner)


def validation(answers: Predictions) -> Predictions:
    """Return the first answers under other ids, as a validation split."""
    few = answers.take(np.arange(min(100, len(answers.label))))
    return replace(few, example_id=np.array([f"v-{i}" for i in few.example_id]))


def pair(
    seed: int = 0,
    n: int = 1500,
    quality: models.Quality = models.USUAL,
    labels: Sequence[str] = ("full", "lora"),
) -> tuple[list[Evidence], list[Evidence]]:
    """Return a run of some quality and its baseline, on one test set."""
    rng = np.random.default_rng(seed)
    test = models.examples(n, rng)
    old = [models.strategy(test, rng, label=label) for label in labels]
    new = [models.strategy(test, rng, label=label, quality=quality) for label in labels]
    return new, old
