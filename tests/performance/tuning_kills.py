"""Kill a search at random moments: the same winners, and the same predictions byte for byte.

`python -m tests.performance.tuning_kills --kills 20 --seed 0`: a small suite of two strategies,
four trials each, in one process. A kill is an exception that nothing catches, at a random report
of progress: what stands on the disk then is all that is left.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests import _tuned
from tests.test_tuning import TWO, answers, choices, kills


def main() -> None:
    """Print how often it was killed, and whether the outcome is that of an undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        whole = _tuned.build(Path(one), strategies=TWO)
        _tuned.run(whole)
        file = _tuned.build(Path(two), strategies=TWO)
        killed = kills(file, number=given.kills, rng=np.random.default_rng(given.seed))
        print(f"killed {killed} times of {given.kills} starts")
        print(f"the same choices: {choices(file) == choices(whole)}")
        print(f"the same predictions: {answers(file) == answers(whole)}")


if __name__ == "__main__":
    main()
