"""What an audit costs: ratios in one run, processor seconds and memory of the command."""

import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from tests._evidence import GROUPS, evidence
from tunefair.schema import AuditSettings
from tunefair.statistics import units
from tunefair.statistics.rates import accuracy, confusion, one_vs_rest
from tunefair.statistics.sample import Sample

pytestmark = pytest.mark.performance
REPLICATES = 10_000


def clocked(work) -> float:
    """Return the least processor seconds of three runs."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def tabulated(n: int) -> Sample:
    """Return a sample whose rows have been read into patterns, but not drawn yet."""
    sample = Sample([evidence(n, seeds=(0,))], AuditSettings(replicates=REPLICATES))
    # the five groups alone: `evidence` has a second attribute, which would make more patterns
    sample.draws.patterns = units.patterns([sample.groupings[0].code, sample.label, _answers(n)])
    return sample


def _answers(n: int) -> np.ndarray:
    return evidence(n, seeds=(0,)).test[0].prediction


def group_rates(sample: Sample, prediction: np.ndarray) -> np.ndarray:
    """Return 10,000 draws of every group's rates from the count table."""
    vars(sample).pop("_counts", None)  # draw again
    table = confusion(sample, sample.groupings[0], prediction)
    return sample.bootstrap(
        table, lambda counts: np.concatenate([accuracy(counts)[None], one_vs_rest(counts)[:, 0]])
    )


def test_counts_cost_the_same_whatever_n():
    samples = {n: (tabulated(n), _answers(n)) for n in (10_000, 1_000_000)}
    cost = {n: clocked(lambda s=s: group_rates(*s)) for n, s in samples.items()}
    ratio = cost[1_000_000] / cost[10_000]
    print(f"counts: {cost}, ratio {ratio:.2f}")
    assert ratio <= 1.5


def test_counts_against_fairlearn_and_a_loop():
    n = 100_000
    sample, prediction = tabulated(n), _answers(n)
    group, label = sample.groupings[0].code, sample.label
    ours = clocked(lambda: group_rates(sample, prediction))
    few = 3  # of fairlearn's draws, and scaled up: 10,000 would take hours
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MetricFrame(
            metrics={
                "accuracy": accuracy_score,
                "selection_rate": selection_rate,
                "true_positive_rate": true_positive_rate,
                "false_positive_rate": false_positive_rate,
            },
            y_true=label,
            y_pred=prediction,
            sensitive_features=group,
            n_boot=few,
            ci_quantiles=[0.025, 0.975],
        )
    theirs = (time.process_time() - started) * REPLICATES / few
    some = 100
    rng = np.random.default_rng(0)
    cell = 4 * group + 2 * label + prediction
    started = time.process_time()
    for _ in range(some):
        np.bincount(cell[rng.integers(0, n, n)], minlength=20)
    loop = (time.process_time() - started) * REPLICATES / some
    print(
        f"{REPLICATES} draws of group rates, n = {n}: ours {ours:.3f} s; "
        f"fairlearn {theirs:.0f} s ({few} draws, scaled up), {theirs / ours:.0f} times; "
        f"numpy loop {loop:.1f} s ({some} draws, scaled up), {loop / ours:.0f} times"
    )
    assert theirs >= 10_000 * ours
    assert loop >= 100 * ours


@pytest.mark.parametrize(("n", "seconds", "gib"), [(10_000, 5, 1.0), (1_000_000, 30, 2.5)])
def test_the_whole_command(tmp_path, n, seconds, gib):
    file = tmp_path / "predictions.parquet"
    p = evidence(n, seeds=(0,)).test[0]
    columns = {
        "id": p.example_id,
        "label": p.label,
        "score": p.probability[:, 1],
        "target": p.groups["target"],
    }
    assert len(np.unique(p.groups["target"])) == len(GROUPS)
    pq.write_table(pa.table(columns), file)
    flags = ("--label", "label", "--probability", "score", "--group", "target", "--id", "id")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tunefair",
            "audit",
            str(file),
            *flags,
            "--json",
            "out.json",
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    _, status, usage = os.wait4(process.pid, 0)
    spent, most = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20
    print(f"tunefair audit, {n} rows: {spent:.1f} s of one core, {most:.2f} GiB")
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert spent <= seconds
    assert most <= gib
