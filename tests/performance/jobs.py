"""Two cells at once against one after another: wall time as a ratio, predictions compared.

    python -m tests.performance.jobs [--rounds 3]

Both are run in turn in each round, so that a busy machine slows both alike; the ratio means
nothing where other processes hold the second core.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests import _house


def main() -> None:
    """Run, compare and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    wanted = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as home:
        suite = _house.build(Path(home), steps=wanted.steps)
        for number in range(wanted.rounds):
            seconds, found = {}, {}
            for jobs in (1, 2) if number % 2 else (2, 1):
                runs = Path(home) / f"{number}-{jobs}"
                begun = time.perf_counter()
                done = _house.tunefair("run", suite, "--runs", runs, "--jobs", jobs)
                seconds[jobs] = time.perf_counter() - begun
                if done.returncode:
                    sys.exit(done.stderr)
                found[jobs] = _house.predictions(runs / "small")
            ratios.append(seconds[2] / seconds[1])
            equal = found[1] == found[2]
            print(f"--jobs 1 {seconds[1]:.1f} s, --jobs 2 {seconds[2]:.1f} s, equal: {equal}")
            if not equal:
                sys.exit("predictions differ")
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
