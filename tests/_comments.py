"""A made-up table as strangers have them: 1,500 comments, some empty, some twice, two groups."""

import csv
from pathlib import Path

import numpy as np

GOOD = str.split("lovely thanks helpful great kind clear wonderful useful pleasant friendly")
BAD = str.split("awful stupid rude useless terrible nasty dreadful horrible lousy mean")
THINGS = str.split(
    "answer comment post reply question video article picture story joke recipe song"
)
REST = str.split("the a this your that my our their what really quite somehow today again maybe")


def write(path: Path, n: int = 1500) -> None:
    """Write the table; its labels are noisy, and more often positive of one group."""
    rng = np.random.default_rng(7)
    rows: list[list[object]] = []
    for i in range(n):
        gender, region = rng.choice(["female", "male"]), rng.choice(["north", "south", "west"])
        toxic = int(rng.random() < (0.45 if gender == "female" else 0.3))
        mood = BAD if (rng.random() > 0.12) == bool(toxic) else GOOD
        words = [rng.choice(mood), rng.choice(THINGS), {"female": "her", "male": "him"}[gender]]
        words += rng.choice(REST, rng.integers(4, 16)).tolist()
        text = "" if i % 50 == 3 else " ".join(rng.permutation(words))
        if i % 40 == 7:
            text, toxic = rows[-5][1], rows[-5][2]
        rows.append([f"c{i}", text, toxic, gender, region])
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["comment_id", "comment", "toxic", "gender", "region"])
        writer.writerows(rows)
