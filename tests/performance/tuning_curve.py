"""How often the intervals of a tuning curve hold the truth: simulated studies, one table.

`python -m tests.performance.tuning_curve`: validation and test values of trials are normal with a
correlation; the test examples move all trials together. The truth at k is the expected test value
of the trial that is best on validation among k, from 100,000 other studies.
"""

import argparse

from tests.test_tuning_curve import coverage

SETTINGS = [(trials, r, e) for trials in (8, 16) for r in (0.0, 0.5, 0.9) for e in (0.0, 0.5)]


def main() -> None:
    """Print a Markdown table: coverage in %, the least, the mean and the largest over k."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print("| trials | correlation | examples | least | mean | largest |")
    print("|--:|--:|--:|--:|--:|--:|")
    for trials, correlation, examples in SETTINGS:
        share = 100 * coverage(trials, correlation, studies=studies, examples=examples)
        shown = f"{share.min():.1f} | {share.mean():.1f} | {share.max():.1f}"
        print(f"| {trials} | {correlation} | {examples} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
