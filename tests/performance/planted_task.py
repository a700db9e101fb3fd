"""What every strategy does on the planted tasks: the tables of docs/strategies.md.

`python -m tests.performance.planted_task [STRATEGY ...]` trains five seeds of each on the first
task, and on the second those of `SECOND`.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import log_loss

from tests import _tiny
from tests.test_strategies import (
    SEEDS,
    equalized_odds_difference,
    within_label_probe,
    worst_cell_error,
)
from tunefair import plugins
from tunefair.planning import plan
from tunefair.planning.plan import Cell
from tunefair.schema import Outcome, Task
from tunefair.training.tokens import ORIGINAL

OPTIONS = {"adversarial": {"strength": 0.3, "adversary_learning_rate_factor": 10.0}}
SECOND = ("full", "balanced", "group_dro", "jtt", "last_layer_retraining")
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


def table(names: Sequence[str], task: Task, steps: int) -> None:
    """Train and print, one strategy after the other; what several start from is trained once."""
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
        cells = _tiny.cells(
            name, options=OPTIONS.get(name), seeds=SEEDS, budget=("steps", steps), audit=HIDDEN
        )
        print(row(name, [trained(cell) for cell in cells]), flush=True)


def main(names: Sequence[str]) -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    table(names, _tiny.task(n=768, noise=0.1, aligned=0.9), 300)
    second = _tiny.many_words(_tiny.task(n=768, noise=0, aligned=0.95))
    table([name for name in names if name in SECOND], second, 250)


if __name__ == "__main__":
    main(sys.argv[1:] or plugins.names("tunefair.strategies"))
