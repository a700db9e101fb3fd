"""A run's results are computed once, in whatever process they are asked for."""

import os
import subprocess
import sys

CODE = """
from tunefair.measuring import of_run
from tunefair.facts import RunFacts, StrategyFacts
choices = frozenset({"adapt", "objective", "revise", "sampling_weights"})
strategy = StrategyFacts(
    label="a", use="a", choices=choices, needs_groups_in=frozenset({"train", "inference"})
)
print(of_run.key_of(RunFacts(suite="s", strategies=(strategy,))))
"""


def key(seed):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": seed},
    )
    return done.stdout


def test_equal_facts_have_equal_keys_in_every_process():
    assert len({key(seed) for seed in ("1", "2", "3")}) == 1
