"""A whole small suite in a folder: tiny model, planted data as a file, the command line."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests import _tiny

SUITE = """
name = "small"
seeds = [0, 1]
yardsticks = ["majority", "tfidf"]
strategy_path = ["mine"]
[task]
source = "files"
path = "planted.csv"
groups = ["group"]
split = "split"
id = "id"
[model]
source = "{model}"
max_tokens = 32
[budget]
currency = "steps"
amount = {steps}
[training]
batch_size = 16
learning_rate = 1e-3
[audit]
audits = ["accuracy", "calibration", "group_fairness", "cost", "trade_off"]
replicates = 200
[strategies.full]
[strategies."lora+weighted"]
lora = {{ rank = 4 }}
[strategies.own]
"""
_OWN = "[strategies.own]\n"


def build(folder: Path, *, steps: int = 6, own: bool = True) -> Path:
    """Write data, suite and a strategy of one's own into a folder; return the suite's file.

    Without `own` the suite does not train that strategy: four cells are left of six.
    """
    of = _tiny.task(n=128)
    with (folder / "planted.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "group", "split"])
        rows = (of.example_id, of.text, of.label, of.groups["group"], of.split)
        writer.writerows(zip(*rows, strict=True))
    template = Path(__file__).parents[1] / "strategies" / "_template.py"
    (folder / "mine").mkdir()
    (folder / "mine" / "own.py").write_text(template.read_text())
    suite = folder / "small.toml"
    text = SUITE if own else SUITE.removesuffix(_OWN)
    suite.write_text(text.format(model=_tiny.model_folder(), steps=steps))
    return suite


def tunefair(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tunefair", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        check=False,
        **options,
    )


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start the command line and do not wait."""
    return subprocess.Popen(
        [sys.executable, "-m", "tunefair", *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def predictions(run: Path) -> dict[str, bytes]:
    """Return the bytes of every cell's predictions."""
    return {p.parent.name: p.read_bytes() for p in run.glob("cells/*/predictions.parquet")}
