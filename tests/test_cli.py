"""The way through the house, from a suite file to a report, by the command line."""

import json
import resource
import subprocess
import sys
from functools import partial

import pytest

from tests import _house
from tunefair.cli import app
from tunefair.storage import files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small suite, run once: two shipped strategies and one of the user's own."""
    folder = tmp_path_factory.mktemp("house")
    suite = _house.build(folder)
    done = _house.tunefair("run", suite, "--runs", folder / "runs")
    assert done.returncode == 0, done.stderr
    return suite, folder / "runs", done


@pytest.fixture
def refused(capsys, monkeypatch):
    """Call the command line in this process; return the one line that it refuses with.

    What a run said before, of what it would train, may stand above it.
    """

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tunefair", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        said = capsys.readouterr().err.strip()
        assert ended.value.code == 2, said
        *before, refusal = said.splitlines()
        assert all(line.startswith(("to be trained: ", "how long ")) for line in before)
        return refusal

    return call


def test_a_run_leaves_a_report_and_measurements_with_the_interface_keys(run):
    _, runs, done = run
    rows = json.loads((runs / "small" / "measurements.json").read_text())
    keys = (
        "audit metric attribute group view posthoc value corrected low high n floor_mean "
        "floor_p95 undefined strategy seed systematic_low systematic_high"
    )
    assert all(list(row) == keys.split() for row in rows)
    found = {row["strategy"] for row in rows}
    assert found == {"full", "lora+weighted", "own", "majority", "tfidf"}
    assert {row["seed"] for row in rows if row["strategy"] == "full"} == {None, 0, 1}
    assert "<html" in (runs / "small" / "report.html").read_text()
    assert "6/6" in done.stderr


def test_a_limit_on_addresses_is_told_before_a_chart_aborts_the_process(run, tmp_path):
    _, runs, _ = run
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (4 * 2**30,) * 2)
    page = tmp_path / "page.html"
    done = _house.tunefair("report", runs / "small", "--out", page, preexec_fn=limit)
    assert done.returncode == 2
    (said,) = done.stderr.strip().splitlines()
    assert "66 GiB of addresses (not of memory), ulimit -v allows 4;" in said
    assert not page.exists()


def test_a_second_run_trains_nothing_and_changes_nothing(run):
    suite, runs, _ = run
    before = _house.predictions(runs / "small")
    again = _house.tunefair("run", suite, "--runs", runs)
    assert again.returncode == 0
    assert "all 6 cells are finished already" in again.stderr
    assert _house.predictions(runs / "small") == before


def test_a_fresh_folder_gives_the_same_bytes_whatever_the_number_of_jobs(run, tmp_path):
    suite, runs, _ = run
    again = _house.tunefair("run", suite, "--runs", tmp_path, "--jobs", "1", "--only", "full")
    assert again.returncode == 0, again.stderr
    known, found = _house.predictions(runs / "small"), _house.predictions(tmp_path / "small")
    assert len(found) == 2
    assert found == {cell: known[cell] for cell in found}


def test_a_damaged_cell_is_set_aside_and_trained_again(run):
    suite, runs, _ = run
    before = _house.predictions(runs / "small")
    cell = next((runs / "small" / "cells").glob("*/predictions.parquet")).parent
    (cell / "predictions.parquet").write_bytes(b"torn")
    again = _house.tunefair("run", suite, "--runs", runs)
    assert again.returncode == 0
    assert "set aside" in again.stderr
    assert _house.predictions(runs / "small") == before
    assert (cell.parent / "set-aside" / f"{cell.name}-1").is_dir()


def test_kill_9_loses_nothing_that_was_finished(run, tmp_path):
    suite, runs, _ = run
    process = _house.start("run", suite, "--runs", tmp_path, "--jobs", "1")
    finished = 0
    with process:
        for line in process.stderr:
            finished += line.rstrip().endswith("finished") and "/" in line.split()[0]
            if finished == 2:  # the third cell has just begun
                process.kill()
                break
    left = _house.predictions(tmp_path / "small")
    assert 2 <= len(left) < 6
    again = _house.tunefair("run", suite, "--runs", tmp_path)
    assert again.returncode == 0, again.stderr
    assert _house.predictions(tmp_path / "small") == _house.predictions(runs / "small")
    assert not list((tmp_path / "small" / "cells").glob(".*"))


def test_a_second_run_in_one_folder_is_refused(run, tmp_path):
    suite, _, _ = run
    with files.locked(tmp_path / "small"):
        refused = _house.tunefair("run", suite, "--runs", tmp_path)
    assert refused.returncode == 2
    assert "in use by another" in refused.stderr


def test_report_needs_no_torch(run):
    _, runs, _ = run
    code = (
        "import sys; from tunefair.cli import app; sys.argv[1:] = ['report', sys.argv[1]]\n"
        "try: app.main()\n"
        "finally: print('HEAVY', sorted({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, runs / "small"], capture_output=True, text=True, check=False
    )
    assert "HEAVY []" in done.stdout, done.stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from tunefair.cli import app; sys.argv[1:] = ['--help']\n"
        "try: app.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'pandas', 'sklearn', 'scipy', 'pyarrow', 'altair'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "HEAVY []" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "no-such-suite"), "no suite 'no-such-suite'"),
        (("run", "embedded", "--jobs", "many"), "--jobs many"),
        (("run", "embedded", "--only", "fulll"), "--only fulll"),
        (("report", "no-such-run"), "not the folder of a run"),
        (("list", "things"), "list things"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, tmp_path, refused):
    more = ("--runs", str(tmp_path)) if arguments[0] == "run" else ()
    assert said in refused(*arguments, *more)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[strategies.full]", "[strategies.fulll]"), "no strategies named 'fulll'"),
        (("[strategies.full]", "[strategies.full]\nrank = 3"), "rank: unknown key"),
        (("[strategies.full]", '[strategies."weighted+adversarial"]'), "both choose 'objective'"),
        (('groups = ["group"]', "groups = []"), "needs groups"),
        (('groups = ["group"]', 'groups = ["age"]'), "age"),
        (('path = "planted.csv"', 'path = "absent.csv"'), "absent.csv"),
        (('path = "planted.csv"', 'path = "planted.csv"\ncolour = 1'), "colour"),
        (("amount = 6", "amount = 0.5"), "budget"),
        (('["accuracy"', '["accurracy"'), "no 'accurracy'"),
        (('["majority"', '["minority"'), "no 'minority'"),
    ],
)
def test_a_bad_suite_is_refused_before_anything_is_trained(change, said, tmp_path, refused):
    suite = _house.build(tmp_path)
    text = suite.read_text()
    assert change[0] in text
    suite.write_text(text.replace(*change))
    assert said in refused("run", str(suite), "--runs", str(tmp_path / "runs"), "--seeds", "1")
    assert _house.predictions(tmp_path / "runs" / "small") == {}
