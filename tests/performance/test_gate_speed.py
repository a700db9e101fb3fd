"""What a gate costs: processor seconds and memory of the whole command, imports included."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import _models as models
from tests import _runs
from tunefair.gating import baseline, snapshot
from tunefair.schema import AuditSettings

pytestmark = pytest.mark.performance
WHOLE = (
    "accuracy", "log_loss", "expected_calibration_error", "f1_macro", "balanced_accuracy",
    "roc_auc", "matthews_corrcoef",
)  # fmt: skip
GAPS = (
    "equalized_odds_difference", "worst_group_accuracy", "demographic_parity_difference",
    "accuracy_difference", "equal_opportunity_difference", "predictive_parity_difference",
    "demographic_parity_ratio", "worst_cell_accuracy",
)  # fmt: skip
GROUPS = ("true_positive_rate", "false_positive_rate", "precision", "selection_rate", "accuracy")


def spent(*arguments: object) -> tuple[float, float, int]:
    """Return processor seconds, GiB at most, and the exit code of a command."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tunefair", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20, process.returncode


def test_forty_cells_and_twenty_rules(tmp_path):
    rng = np.random.default_rng(0)
    test = models.examples(2300, rng)
    settings = AuditSettings()
    for name in ("run", "old"):
        trained = [models.strategy(test, rng, seeds=5, label=f"s{i}") for i in range(8)]
        _runs.write(tmp_path / name, trained, settings=settings)
    baseline.write(
        tmp_path / "base", baseline.Baseline(snapshot=snapshot.of_run(tmp_path / "old")), []
    )
    rules = [f'metric = "{m}"\nmax_loss = 0.05' for m in WHOLE]
    rules += [f'metric = "{m}"\ngroup = "gap"\nmax_loss = 0.1' for m in GAPS]
    rules += [f'metric = "{m}"\ngroup = "*"\nmax_value = 1.0' for m in GROUPS]
    (tmp_path / "rules.toml").write_text("".join(f"[[gate]]\n{rule}\n" for rule in rules))
    assert len(rules) == 20
    seconds, memory, code = spent(
        "gate",
        tmp_path / "run",
        "--baseline",
        tmp_path / "base",
        "--rules",
        tmp_path / "rules.toml",
    )
    print(f"\n40 cells x 2,300 rows x 20 rules: {seconds:.1f} s of one core, {memory:.2f} GiB")
    assert code == 0
    assert seconds <= 5


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_million_rows(kind):
    rng = np.random.default_rng(0)
    n = 1_000_000
    label, hard, group = rng.integers(0, 2, n), rng.normal(size=n), rng.choice(list("abcde"), n)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{name}.{kind}") for name in ("new", "old")]
        for path in files:
            score = 1.2 * (2 * label - 1) + hard + 0.8 * rng.normal(size=n)
            ids = [f"r{i}" for i in range(n)]
            columns = {"id": ids, "y": label, "p": 1 / (1 + np.exp(-score)), "g": group}
            shuffled = pa.table(columns).take(pa.array(rng.permutation(n)))
            if kind == "csv":
                from pyarrow import csv

                csv.write_csv(shuffled, path)
            else:
                pq.write_table(shuffled, path)
        seconds, memory, code = spent(
            "gate", "--predictions", files[0], "--baseline-predictions", files[1],
            "--label", "y", "--probability", "p", "--group", "g", "--id", "id",
        )  # fmt: skip
    print(f"\n2 x 1,000,000 rows, {kind}: {seconds:.1f} s of one core, {memory:.2f} GiB")
    assert code == 0
    assert seconds <= 15
    assert memory <= 2
