"""What every strategy does on the planted task: the table of docs/strategies.md.

`python -m tests.performance.planted_task [STRATEGY ...]` trains five seeds of each.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import log_loss

from bench import plan, plugins
from bench.plan import Cell
from bench.schema import Outcome
from bench.training.tokens import ORIGINAL
from tests import _tiny
from tests.test_strategies import (
    SEEDS,
    equalized_odds_difference,
    within_label_probe,
    worst_cell_error,
)

OPTIONS = {"adversarial": {"strength": 0.3, "adversary_learning_rate_factor": 10.0}}
HIDDEN = {"audits": ("accuracy", "leakage")}
MEASURES = {
    "accuracy": lambda o: (o.test[ORIGINAL].prediction == o.test[ORIGINAL].label).mean(),
    "worst cell": lambda o: 1 - worst_cell_error(o.test[ORIGINAL]),
    "equalized odds difference": lambda o: equalized_odds_difference(o.test[ORIGINAL]),
    "within-label probe": lambda o: within_label_probe(o.test[ORIGINAL]),
    "validation log loss": lambda o: log_loss(o.validation.label, o.validation.probability),
}


def row(name: str, outcomes: list[Outcome]) -> str:
    """One line of the table: mean ± standard error over seeds."""
    cells = []
    for measure in MEASURES.values():
        found = [measure(outcome) for outcome in outcomes]
        cells.append(f"{np.mean(found):.3f} ± {stats.sem(found):.3f}")
    return f"| {name} | " + " | ".join(cells) + " |"


def main(names: list[str]) -> None:
    """Train and print, one strategy after the other."""
    torch.set_num_threads(1)
    task = _tiny.task(n=768, noise=0.1, aligned=0.9)
    tokens = _tiny.encoded(task, Path(tempfile.mkdtemp()))
    done: dict[str, Outcome] = {}

    def trained(cell: Cell) -> Outcome:
        for one in plan.with_first_stages([cell]):
            if one.id not in done:
                first = _tiny.stored(done[one.first.id]) if one.first else None
                done[one.id] = _tiny.run(one, task, tokens, first=first)
        return done[cell.id]

    print("| strategy | " + " | ".join(MEASURES) + " |\n|" + "---|" * (1 + len(MEASURES)))
    for name in names:
        options = OPTIONS.get(name, {})
        cells = _tiny.cells(
            name, options=options, seeds=SEEDS, budget=("steps", 300), audit=HIDDEN
        )
        print(row(name, [trained(cell) for cell in cells]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or plugins.names("strategies"))
