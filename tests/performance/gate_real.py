"""A/A gates on real, tiny training runs: the same strategy trained again with other seeds.

Run with `python -m tests.performance.gate_real [PAIRS]`; its line stands in docs/gate.md.
"""

import sys
import tempfile
from pathlib import Path

from tests import _tiny
from tunefair.gating.gate import gate
from tunefair.gating.snapshot import of_evidence
from tunefair.schema import AuditSettings, Evidence

STEPS, SEEDS, TEST = 150, 3, 800


def pair(number: int) -> tuple[Evidence, Evidence]:
    """Train one strategy twice with different seeds on a task of its own."""
    task = _tiny.task(n=TEST, seed=number)
    tokens = _tiny.encoded(task, Path(tempfile.mkdtemp()))
    seeds = range(2 * SEEDS)
    cells = _tiny.cells("full", seeds=tuple(seeds), budget=("steps", STEPS))
    answers = [_tiny.run(cell, task, tokens).test["original"] for cell in cells]
    run, baseline = (
        Evidence(strategy="full", seeds=tuple(range(SEEDS)), test=tuple(half))
        for half in (answers[:SEEDS], answers[SEEDS:])
    )
    return run, baseline


def main() -> None:
    """Print how many gates failed."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    settings, failed, accuracy = AuditSettings(), 0, []
    for number in range(pairs):
        run, baseline = pair(number)
        judged = gate(of_evidence(run, "run", settings), of_evidence(baseline, "old", settings))
        failed += judged.exit_code == 1
        accuracy.append(next(v.value or 0.0 for v in judged.verdicts if v.metric == "accuracy"))
    level = sum(accuracy) / pairs
    print(f"{failed} of {pairs} A/A gates on real runs fail (mean accuracy {level:.3f})")


if __name__ == "__main__":
    main()
