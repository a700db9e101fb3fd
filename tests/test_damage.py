"""Damaged content under a seal that fits it: one line and exit code 2, never a traceback."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import _house, _runs
from tunefair.gating import baseline, snapshot
from tunefair.measuring.of_run import measured
from tunefair.schema import BadInputError
from tunefair.storage import examples, files, records

TEXTS = ("", "null", "[]", "{}", "[[1]]", '{"reason": 1, "flops": "x", "device": 3}', "\x00\xff")


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def written(text):
    def damage(path):
        path.write_text(text)

    return damage


def without_rows(path):
    _rewritten(path, lambda table: table.slice(0, 1))


def without_columns(path):
    _rewritten(path, lambda table: table.select(table.column_names[:1]))


def other_values(path):
    def change(table):
        of = {"int64": 7, "int32": 7, "int16": 7, "double": 7.0, "string": "x"}
        columns = [
            pa.array([of[str(c.type)]] * len(c), c.type) if str(c.type) in of else c
            for c in table.columns
        ]
        return pa.table(columns, schema=table.schema)

    _rewritten(path, change)


def without_facts(path):
    _rewritten(path, lambda table: table.replace_schema_metadata({"tunefair": "{}"}))


def _rewritten(path, change):
    if path.suffix == ".parquet":
        pq.write_table(change(pq.read_table(path)), path)
    else:
        path.unlink()


DAMAGES = {
    "half": half,
    **{f"text {text[:8]!r}": written(text) for text in TEXTS},
    "gone": Path.unlink,
    "without rows": without_rows,
    "without columns": without_columns,
    "other values": other_values,
    "without facts": without_facts,
}


HARMLESS = {
    ("environment.json", "gone"),  # cells of an older version have none
    ("environment.json", "without rows"),
    ("environment.json", "without columns"),
    ("environment.json", "other values"),
    ("environment.json", "without facts"),
    ("environment.json", "text '{}'"),
    ("hardware.json", "text '{}'"),
    ("curve.parquet", "without rows"),  # one row is all that it has
    ("curve.parquet", "without facts"),
    ("curve.parquet", "other values"),
}
"""Damages that leave something whose meaning is clear."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two strategies, one of whose cells failed."""
    new, _ = _runs.pair(n=60)
    folder = tmp_path_factory.mktemp("runs") / "toy"
    _runs.write(folder, new, failed={"lora": 2})
    known = new[0].test[0]
    columns = {"example_id": known.example_id, "group:target": known.groups["target"]}
    records.write_table(folder / examples.FILE, columns, {"views": []})
    for cell in (folder / "cells").iterdir():
        files.write(cell / "environment.json", files.to_json({"torch": "2.13.0"}))
        sealed(cell)
    return folder


def sealed(cell):
    """Seal a folder again as it is now."""
    (cell / files.SEAL).unlink()
    files.write(cell / files.SEAL, files.to_json(files._checksums(cell)))


def everything_read(run):
    """Read a run as every verb does, and a cell as one that starts from it does."""
    measured(run)
    side = snapshot.of_run(run)
    for cell in side.facts.cells:
        if cell.status == "finished":
            records.read_outcome(run / "cells" / cell.id)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["predictions.parquet", "curve.parquet", "ledger.json", "hardware.json",
             "environment.json"],
)  # fmt: skip
def test_a_damaged_cell_is_named_in_one_line(name, damage, run, tmp_path):
    copy = tmp_path / "toy"
    shutil.copytree(run, copy)
    path = copy / "cells" / "full-0" / name
    DAMAGES[damage](path)
    sealed(path.parent)
    refused = ""
    try:
        everything_read(copy)
    except BadInputError as error:
        refused = str(error)
    assert len(refused.splitlines()) <= 1
    if (name, damage) in HARMLESS:
        return
    assert "full-0" in refused


@pytest.mark.parametrize("damage", [d for d in DAMAGES if d.startswith("text") or d == "half"])
@pytest.mark.parametrize("name", ["failures/lora-2.json", "facts.json", "examples.parquet"])
def test_a_damaged_record_beside_the_cells_is_named(name, damage, run, tmp_path):
    copy = tmp_path / "toy"
    shutil.copytree(run, copy)
    DAMAGES[damage](copy / name)
    if name.startswith("fail") and "reason" in damage:
        return
    with pytest.raises(BadInputError, match=name.rpartition("/")[2]):
        everything_read(copy)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_are_computed_again(damage, run, tmp_path):
    copy = tmp_path / "toy"
    shutil.copytree(run, copy)
    right, _ = measured(copy)
    for name in ("results.json", "results.key", "collapsed.json"):
        DAMAGES[damage](copy / name)
        again, _ = measured(copy)
        assert len(again.measurements) == len(right.measurements) > 0


def test_the_gate_says_damage_with_exit_code_2(tmp_path):
    new, _ = _runs.pair(n=60)
    copy = _runs.write(tmp_path / "toy", new)
    made = _house.tunefair("baseline", copy, "--out", tmp_path / "baseline")
    assert made.returncode == 0, made.stderr
    (copy / "cells" / "full-0" / "ledger.json").write_text(json.dumps({"flops": "many"}))
    sealed(copy / "cells" / "full-0")
    done = _house.tunefair("gate", copy, "--baseline", tmp_path / "baseline")
    assert done.returncode == 2
    assert "ledger.json: damaged" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["predictions.parquet", "facts.json", "baseline.json"])
def test_a_damaged_baseline_is_refused_in_one_line(name, damage, run, tmp_path):
    if damage == "without rows" and name == "predictions.parquet":
        return  # a baseline of one example is one
    new, _ = _runs.pair(n=60)
    whole = _runs.write(tmp_path / "run", new)
    folder = tmp_path / "baseline"
    side = snapshot.of_run(whole)
    baseline.write(folder, baseline.Baseline(snapshot=side), ())
    DAMAGES[damage](folder / name)
    sealed(folder)
    with pytest.raises((BadInputError, baseline.NotComparableError)) as refused:
        baseline.read(folder)
    assert len(str(refused.value).splitlines()) == 1
